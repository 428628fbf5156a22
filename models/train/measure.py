"""Every figure of the cards, computed once: daily ICs, twins, leave-one-out, seeds, barriers, calibration, costs."""
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from combine import MEMBERS, OutOfFold, leave_one_out
from data import BARRIERS, CLIP, HORIZONS
from evidence import detectable, holm, ics, pooled_ic, say_p, sign_flip_p, verdict
from families import FAMILIES, SEEDED, TWINS
from families.barriers import GATES
from manifest import cost_us
from plan import EXTRA_SEEDS, SEED_FOLDS


@dataclass
class Cell:
    """One family at one horizon against zero, the better baseline and its twin. p values are exact sign flips over days."""

    family: str
    horizon: int
    mean: float
    mde: float
    p: float
    p_holm: float
    baseline: str
    gain: float
    p_gain: float
    verdict: str
    twin_gain: float
    p_twin: float
    p_twin_holm: float
    contribution: str
    seeds: float  # standard deviation of the mean IC between seeds on the last folds; NaN where not measured
    loss_without: float  # daily IC that the mean of all families loses without this one
    p_without: float


@dataclass
class Barrier:
    """One barrier model on the out-of-fold days."""

    name: str
    rate: float
    log_loss: float
    base_log_loss: float
    p_gain: float  # sign flip over days of the difference
    auc: float
    base_auc: float
    reliability: list  # (mean forecast, rate, rows) by tenth of the forecast
    largest: float  # 99.9 % quantile of the forecast
    gates: dict  # gate -> (share of rows on which it fires, event rate there, base rate there)


@dataclass
class Evidence:
    """What was measured out of fold."""

    ics: dict  # name -> 5 x days
    early: dict  # label -> {name: 5 x days}: entered earlier than an order can be
    pooled: dict  # name -> 5
    cells: list
    barriers: list
    facts: dict  # family -> [sentences]


def everything(data, plan, oof: OutOfFold, results) -> Evidence:
    table = ics(oof.days, {**oof.forecasts, "combined": oof.combined})
    without = leave_one_out(oof)
    both = {"combined": oof.combined, "reversal": oof.forecasts["reversal"]}
    early = {label: ics(oof.days, both, label) for label in ("y_from_next", "y_from_close")}
    pooled = {n: [np.nanmean([pooled_ic(s[:, k], d.y_whole[:, k]) for d, s in zip(oof.days, scores)]) for k in range(len(HORIZONS))]
              for n, scores in both.items()}
    cells = _cells(table, without, _seeds(data, plan, results, table))
    return Evidence(table, early, pooled, cells, [_barrier(oof, b) for b in BARRIERS], _facts(oof))


def _seeds(data, plan, results, table):
    """{family: 5} standard deviation between seeds of the mean IC on the last folds."""
    last = range(len(plan.folds))[-SEED_FOLDS:]
    days = [data.days[i] for f in last for i in plan.folds[f][1]]
    others = {}
    for task, result in sorted(results.items(), key=lambda r: r[0].fold):
        if task.seed in EXTRA_SEEDS:
            others.setdefault((task.job, task.seed), []).extend(result["forecasts"]["score"])
    means = {name: np.nanmean(v, axis=1) for name, v in ics(days, others).items()} if others else {}
    out = {}
    for job in SEEDED:
        own = [m for (j, _), m in means.items() if j == job]
        if own:
            out[job] = np.std([np.nanmean(table[job][:, -len(days):], axis=1), *own], axis=0, ddof=1)
    return out


def _cells(table, without, seeds):
    raw = []
    for family in FAMILIES:
        for k, h in enumerate(HORIZONS):
            own = table[family][k]
            best = max(("reversal", "ridge"), key=lambda b: np.nanmean(table[b][k]))
            raw.append((family, k, h, own, best, own - table[best][k], own - table[TWINS[family][0]][k], table["combined"][k] - without[family][k]))
    ps = np.array([sign_flip_p(r[3]) for r in raw])
    twins = np.array([sign_flip_p(r[6]) for r in raw])
    out = []
    for (family, k, h, own, best, gain, twin, loss), p, q, t, tq in zip(raw, ps, holm(ps), twins, holm(twins)):
        p_gain = sign_flip_p(gain)
        word = verdict(np.nanmean(own), q, detectable(own), np.nanmean(gain), p_gain)
        shown = "shown" if np.nanmean(twin) > 0 and tq < 0.05 else "contribution not shown"
        spread = seeds[family][k] if family in seeds else float("nan")
        out.append(Cell(family, h, np.nanmean(own), detectable(own), p, q, best, np.nanmean(gain), p_gain, word, np.nanmean(twin), t, tq,
                        shown, spread, np.nanmean(loss), sign_flip_p(loss)))
    return out


def auc(score, event):
    """Area under the ROC curve, ties shared."""
    ones = event.sum()
    return float((rankdata(score)[event].sum() - ones * (ones + 1) / 2) / ones / (len(event) - ones))


def _barrier(oof, name) -> Barrier:
    column = BARRIERS.index(name)
    known = [np.isfinite(d.barrier[:, column]) for d in oof.days]
    event = [d.barrier[k, column] > 0 for d, k in zip(oof.days, known)]
    p, base = ([v[k] for v, k in zip(oof.aux[f"barriers:{kind}:{name}"], known)] for kind in ("p", "base"))
    loss = lambda q, e: -np.log(np.clip(np.where(e, q, 1 - q), 1e-6, 1)).mean()
    own, plain = (np.array([loss(q, e) for q, e in zip(qs, event)]) for qs in (p, base))
    q, b, e = map(np.concatenate, (p, base, event))
    tenth = np.searchsorted(np.quantile(q, np.arange(1, 10) / 10), q)
    reliability = [(float(q[tenth == t].mean()), float(e[tenth == t].mean()), int((tenth == t).sum())) for t in range(10)]
    gates = {}
    for g in GATES:
        fires = np.concatenate([v[k] for v, k in zip(oof.aux[f"barriers:gate:{name}:{g}"], known)]) > 0
        there = (float(e[fires].mean()), float(b[fires].mean())) if fires.any() else (float("nan"), float("nan"))
        gates[g] = (float(fires.mean()), *there)
    return Barrier(name, float(e.mean()), float(own.mean()), float(plain.mean()), sign_flip_p(plain - own), auc(q, e), auc(b, e),
                   reliability, float(np.quantile(q, 0.999)), gates)


def _facts(oof):
    """What single families say beside their score, checked out of fold."""
    weights = ", ".join(f"{m} {w:.3f}" for m, w in zip(MEMBERS, oof.weights.mean(axis=1)))
    return {"quantile_light_gbm": [_coverage(oof, k, h) for k, h in enumerate(HORIZONS)], "ng_boost": [_scale_gain(oof, k, h) for k, h in enumerate(HORIZONS)],
            "vae": [_judge(oof, "vae", "anomaly")], "gan": [_judge(oof, "gan", "realism")],
            "ensemble": [f"Shipped weights, mean over horizons (sum 1): {weights}."]}


def _coverage(oof, k, h):
    three = (oof.aux["quantile_light_gbm:q10"], oof.aux["quantile_light_gbm:q90"], oof.forecasts["quantile_light_gbm"])
    low, high, score = (np.concatenate([d[:, k] for d in v]) for v in three)
    y = np.concatenate([d.y[:, k] for d in oof.days])
    inside = ((y >= low) & (y <= high))[np.isfinite(y)].mean()
    crossed = ((low > score) | (score > high)).mean()
    return f"{h} min: {inside:.1%} of realised targets lie between q10 and q90 (80 % intended), quantiles cross in {crossed:.2%} of rows."


def _scale_gain(oof, k, h):
    gains = []
    for i, d in enumerate(oof.days):
        y = np.clip(d.y[:, k], -CLIP, CLIP)
        loss = []
        for job in ("ng_fixed", "ng_boost"):
            log_scale = oof.aux[f"{job}:log_scale"][i][:, k]
            loss.append(np.nanmean(log_scale + 0.5 * ((y - oof.forecasts[job][i][:, k]) * np.exp(-log_scale)) ** 2))
        gains.append(loss[0] - loss[1])
    return f"{h} min: learned scale gains {np.mean(gains):+.4f} nats a row over the fixed scale (p {say_p(sign_flip_p(gains))} over days)."


def _judge(oof, job, kind):
    values = oof.aux[f"{job}:{kind}"]
    low, middle, high = np.quantile(np.concatenate(values), [0.01, 0.5, 0.99])
    rank = np.nanmean([pooled_ic(v, np.abs(d.y[:, 0])) for v, d in zip(values, oof.days)])
    return (f"`{kind}` out of fold: 1 %, 50 %, 99 % quantiles {low:.3f}, {middle:.3f}, {high:.3f}; rank correlation with the size of the "
            f"next 5-minute residual move {rank:+.3f}.")


@dataclass
class Costs:
    """Inference by ONNX Runtime on one thread, 200 rows a pass, on this machine."""

    by_file: dict  # stem -> microseconds per row
    by_family: dict  # family or barrier name -> microseconds per row, all horizons
    total: float


def costs(files) -> Costs:
    by_file = {f["stem"]: cost_us(f["blob"], len(f["inputs"])) for f in files}
    by_family = {}
    for f in files:
        name = f["family"] or f["stem"]
        by_family[name] = by_family.get(name, 0.0) + by_file[f["stem"]]
    return Costs(by_file, by_family, sum(by_file.values()))
