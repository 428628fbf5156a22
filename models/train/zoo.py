"""Trains the zoo: walk-forward evidence on training days, final fit, ONNX export with parity check, manifest, card.

Days from TEST_FROM on are never trained on, calibrated on or used to choose anything. `--open-test-week` scores them
once per zoo and logs the look in models/LOOKS.md.
"""
import argparse
import datetime
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import onnxruntime

import card
import to_onnx
from data import CLIP, HORIZONS, LEFT_OUT, TEST_FROM, load
from evidence import daily_ic
from families import FAMILIES, SEED, fit_ridge, reversal, stack

MODELS = Path(__file__).resolve().parent.parent
FIRST_SPAN = 15  # days before the first walk-forward fold
FOLD_DAYS = 5  # refitted at least weekly
BASELINES = ("reversal", "ridge")
GOLDEN_ROWS = 8


def log(text):
    print(f"[{time.perf_counter() - START:6.1f} s] {text}", flush=True)


START = time.perf_counter()


def forecasts_of(train, days, inputs):
    """Fits every family and ridge on `train`; returns the fitted families and {name: [n x 5 per day]}."""
    x, y = stack(train)
    fitted, out = {}, {"reversal": [reversal(d.x, inputs) for d in days]}
    for name, fit in {**FAMILIES, "ridge": fit_ridge}.items():
        fitted[name], predict = fit(x, y)
        out[name] = [predict(d.x) for d in days]
    return fitted, out, len(x)


def walk_forward(days, inputs):
    """Out-of-fold forecasts for every day after the first span: trained on all days before the fold. Labels end inside
    their own session, so a fold's training labels can't reach into its days: whole days are the purge, and the first
    HISTORY minutes that a day shares with the one before are inputs only."""
    forecasts = {}
    scored = days[FIRST_SPAN:]
    for start in range(0, len(scored), FOLD_DAYS):
        fold = scored[start:start + FOLD_DAYS]
        _, out, rows = forecasts_of(days[:FIRST_SPAN + start], fold, inputs)
        for name, values in out.items():
            forecasts.setdefault(name, []).extend(values)
        log(f"fold {fold[0].date} .. {fold[-1].date}: trained on {FIRST_SPAN + start} days, {rows} rows")
    return scored, forecasts


def standardise(forecasts, stats=None):
    """z = mean over families of (score - mean) / std; stats from the out-of-fold scores themselves."""
    if stats is None:
        stats = {}
        for name in FAMILIES:
            every = np.concatenate(forecasts[name])
            stats[name] = (every.mean(axis=0), every.std(axis=0) + 1e-9)
    parts = {n: [(f - stats[n][0]) / stats[n][1] for f in forecasts[n]] for n in FAMILIES}
    z = [np.mean([parts[n][i] for n in FAMILIES], axis=0) for i in range(len(parts["mlp"]))]
    return stats, parts, z


def calibrate(days, z):
    """Per horizon: slope of the realised residual return on z, one value a day, shrunk by (1 - 1/t^2) and never below
    0 (a forecast of the wrong sign is worth nothing, not its opposite)."""
    out = {}
    for k, h in enumerate(HORIZONS):
        slopes, ics = [], []
        for d, zd in zip(days, z):
            ok = np.isfinite(d.y[:, k])
            # As decision does it: the score cut to +-3.
            a, b = np.clip(zd[ok, k], -CLIP, CLIP), d.y[ok, k]
            slopes.append(float(a @ b / (a @ a)))
            ics.append(daily_ic(d.minute, zd[:, k], d.y[:, k]))
        mean, error = np.mean(slopes), np.std(slopes, ddof=1) / np.sqrt(len(slopes))
        t = mean / error
        slope = max(0.0, mean) * max(0.0, 1 - 1 / t**2) if t > 0 else 0.0
        out[str(h)] = {"slope": round(float(slope), 6), "slope_raw": round(float(mean), 6), "t": round(float(t), 3),
                       "ic": round(float(np.mean(ics)), 5), "days": len(slopes)}
    return out


def export(fitted, width):
    """{name: (family, horizons, onnx bytes)} of the fitted families."""
    out = {}
    for family, convert in (("light_gbm", to_onnx.light_gbm), ("xg_boost", to_onnx.xg_boost)):
        for h, model in zip(HORIZONS, fitted[family]):
            out[f"{family.replace('_', '')}_m{h}"] = (family, [h], convert(model, width).SerializeToString())
    weights, biases = fitted["mlp"]
    out["mlp"] = ("mlp", list(HORIZONS), to_onnx.mlp(weights, biases, width).SerializeToString())
    return out


def run_onnx(blob, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": np.ascontiguousarray(x, np.float32)})[0]


def check_parity(files, fitted, rows):
    """The exported file must say what the trained model says, on real rows and on random ones."""
    import xgboost as xgb
    from families import mlp_predict
    worst = 0.0
    for name, (family, horizons, blob) in files.items():
        if family == "light_gbm":
            native = fitted[family][HORIZONS.index(horizons[0])].predict(rows)[:, None]
        elif family == "xg_boost":
            native = fitted[family][HORIZONS.index(horizons[0])].predict(xgb.DMatrix(rows))[:, None]
        else:
            native = mlp_predict(rows, *fitted[family])
        gap = float(np.abs(run_onnx(blob, rows) - native).max())
        if gap > 1e-5:
            raise SystemExit(f"{name}: the exported file differs from the trained model by {gap}")
        worst = max(worst, gap)
    return worst


def manifest(about, inputs, files, stats, calibration, ranges, train_days, rows):
    golden = np.random.default_rng(SEED).normal(size=(GOLDEN_ROWS, len(inputs))).astype(np.float32)
    span = {"first_day": train_days[0].date, "last_day": train_days[-1].date, "days": len(train_days), "rows": rows}
    models = []
    for name, (family, horizons, blob) in files.items():
        at = [HORIZONS.index(h) for h in horizons]
        mean, std = stats[family]
        models.append({
            "name": name, "family": family, "horizons": horizons, "file": f"{name}.onnx",
            "sha256": hashlib.sha256(blob).hexdigest(), "inputs": inputs, "input": "x", "output": "y",
            "score_mean": [float(mean[i]) for i in at], "score_std": [float(std[i]) for i in at],
            "golden": {"x": [[float(v) for v in r] for r in golden],
                       "y": [[float(v) for v in r] for r in run_onnx(blob, golden)]},
            "training": span,
        })
    digest = hashlib.sha256("".join(m["sha256"] for m in models).encode()).hexdigest()[:12]
    columns = [{"name": c["name"], "source": c["source"]} for c in about["columns"]]
    return {
        "format": 1, "zoo": f"bars-{digest}",
        "feature_schema": {"version": about["version"], "hash": about["hash"], "columns": columns},
        "calibration": calibration, "feature_ranges": ranges, "models": models,
        "training": {**span, "target": "residual return / (sigma_1m * sqrt(h)), entry at the open of the first bar at or "
                     "after m+2", "seed": SEED, "left_out": LEFT_OUT},
    }


def write(files, about):
    for old in MODELS.glob("*.onnx"):
        old.unlink()
    for name, (_, _, blob) in files.items():
        (MODELS / f"{name}.onnx").write_bytes(blob)
    (MODELS / "manifest.json").write_text(json.dumps(about, indent=1) + "\n")


def test_week(days, fitted, stats, inputs, zoo, opened):
    """Scores of the test week: of this zoo if it was ever opened for it, else opened now on request."""
    path = MODELS / "test_week.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    if opened and known.get("zoo") != zoo:
        predict = {"light_gbm": lambda x: np.column_stack([m.predict(x) for m in fitted["light_gbm"]]),
                   "mlp": lambda x: __import__("families").mlp_predict(x, *fitted["mlp"])}
        import xgboost as xgb
        predict["xg_boost"] = lambda x: np.column_stack([m.predict(xgb.DMatrix(x)) for m in fitted["xg_boost"]])
        forecasts = {n: [p(d.x) for d in days] for n, p in predict.items()}
        _, _, z = standardise(forecasts, stats)
        scored = {**forecasts, "combined": z, "reversal": [reversal(d.x, inputs) for d in days]}
        ics = {n: {str(h): [daily_ic(d.minute, f[:, k], d.y[:, k]) for d, f in zip(days, fs)]
                   for k, h in enumerate(HORIZONS)} for n, fs in scored.items()}
        known = {"zoo": zoo, "days": [d.date for d in days], "daily_ic": ics}
        path.write_text(json.dumps(known, indent=1) + "\n")
        looks = MODELS / "LOOKS.md"
        head = "# Looks at the test week\n\nEvery opening of the days from 2026-04-13 on, in order.\n\n"
        text = looks.read_text() if looks.exists() else head
        looks.write_text(text + f"* {datetime.date.today().isoformat()}: zoo `{zoo}`, {len(days)} days\n")
    return known if known.get("zoo") == zoo else None


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--export", type=Path, required=True)
    args.add_argument("--open-test-week", action="store_true")
    given = args.parse_args()
    days, about, inputs, gone = load(given.export)
    train = [d for d in days if d.date < TEST_FROM]
    test = [d for d in days if d.date >= TEST_FROM]
    log(f"{len(train)} training days, {sum(len(d.x) for d in train)} rows, {len(inputs)} inputs; {len(test)} test days kept shut")
    if len(train) <= FIRST_SPAN:
        raise SystemExit(f"{len(train)} training days are too few: walk-forward needs more than {FIRST_SPAN}")

    scored, forecasts = walk_forward(train, inputs)
    stats, parts, z = standardise(forecasts)
    calibration = calibrate(scored, z)
    fitted, _, rows = forecasts_of(train, [], inputs)
    files = export(fitted, len(inputs))
    sample = np.concatenate([d.x[::50] for d in train] +
                            [np.random.default_rng(SEED).normal(size=(20_000, len(inputs))).astype(np.float32)])
    log(f"exported = trained to {check_parity(files, fitted, sample):.1e} on {len(sample)} rows")

    every = np.concatenate([d.x[::7] for d in train])
    low, high = np.quantile(every, [0.001, 0.999], axis=0)
    ranges = {n: [round(float(a), 5), round(float(b), 5)] for n, a, b in zip(inputs, low, high)}
    result = manifest(about, inputs, files, stats, calibration, ranges, train, rows)
    write(files, result)
    log(f"wrote {len(files)} files, {sum(len(b) for _, _, b in files.values()) / 1e6:.2f} MB")
    week = test_week(test, fitted, stats, inputs, result["zoo"], given.open_test_week) if test else None
    text = card.write(result, scored, forecasts, parts, z, gone, train, week)
    (MODELS / "CARDS.md").write_text(text)
    log("wrote CARDS.md")


if __name__ == "__main__":
    main()
