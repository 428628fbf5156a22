"""The shipped files and the manifest (format 2) that the program reads."""
import hashlib
import json
import time
from pathlib import Path

import numpy as np

from data import BARRIERS, HORIZONS, LEFT_OUT
from families import FAMILIES, NEURAL, SHED_ORDER, ensemble
from families.common import SEED
from combine import MEMBERS
from to_onnx import ML_OPSET, OPSET, run_onnx, session

GOLDEN_ROWS = 8
COST_ROWS, COST_PASSES = 200, 60
QUORUM_SHARE = 0.5  # of the families of a horizon
TARGET = "residual return / (sigma_1m * sqrt(h)), entry at the open of the first bar at or after m+2"


def gather(results, plan_final, weights):
    """[file as a dict] of all families in order, then the stack, then the barriers."""
    by_job = {t.job: r["files"] for t, r in results.items() if t.fold == plan_final}
    out = []
    for family in FAMILIES:
        if family != "ensemble":
            out += [{**f, "kind": "forecast", "family": family} for f in by_job[family]]
    stack = ensemble.export(weights, MEMBERS)
    out.append({"stem": stack.stem, "columns": stack.columns, "inputs": stack.inputs, "blob": stack.model.SerializeToString(),
                "extra": stack.extra, "kind": "forecast", "family": "ensemble"})
    return out + [{**f, "kind": "barrier", "family": None} for f in by_job["barriers"]]


def cost_us(blob, width):
    """Microseconds per row of one pass of 200 rows, one thread: the median of the passes."""
    runner = session(blob)
    x = np.random.default_rng(SEED).normal(size=(COST_ROWS, width)).astype(np.float32)
    took = []
    for _ in range(COST_PASSES):
        start = time.perf_counter()
        runner.run(["y"], {"x": x})
        took.append(time.perf_counter() - start)
    return float(np.median(took)) / COST_ROWS * 1e6


def _golden(file):
    """Real-looking rows and the file's answers to them."""
    rows = np.random.default_rng(SEED).normal(size=(GOLDEN_ROWS, len(file["inputs"]))).astype(np.float32)
    return {"x": [[float(v) for v in r] for r in rows], "y": [[float(v) for v in r] for r in run_onnx(file["blob"], rows)]}


def _entry(file, stats, span):
    entry = {"name": file["stem"], "kind": file["kind"]}
    if file["family"]:
        entry["family"] = file["family"]
    entry |= {"file": f"{file['stem']}.onnx", "sha256": hashlib.sha256(file["blob"]).hexdigest(),
              "opset": {"": OPSET, "ai.onnx.ml": ML_OPSET}, "inputs": file["inputs"], "input": "x", "output": "y", "columns": file["columns"]}
    if file["family"]:
        at = [HORIZONS.index(int(c.partition(":")[2])) for c in file["columns"] if c.startswith("score:")]
        mean, std = stats[file["family"]]
        entry |= {"score_mean": [float(mean[i]) for i in at], "score_std": [float(std[i]) for i in at]}
    entry["golden"] = _golden(file)
    if "state" in file["extra"]:
        entry["state"] = file["extra"]["state"]
    entry["training"] = {**span, **file["extra"].get("about", {})}
    return entry


def make(data, plan, files, oof, calibration, rows):
    train = [data.days[i] for i in plan.train]
    every = np.concatenate([d.x[::7] for d in train])
    low, high = np.nanquantile(every, [0.001, 0.999], axis=0)
    span = {"first_day": train[0].date, "last_day": train[-1].date, "days": len(train), "rows": rows}
    models = [_entry(f, oof.stats, span) for f in files]
    digest = hashlib.sha256("".join(m["sha256"] for m in models).encode()).hexdigest()[:12]
    quorum = int(np.ceil(len(FAMILIES) * QUORUM_SHARE))
    return {
        "format": 2, "zoo": f"bars-{digest}",
        "feature_schema": {"version": data.about["version"], "hash": data.about["hash"],
                           "columns": [{"name": c["name"], "source": c["source"]} for c in data.about["columns"]]},
        "calibration": calibration,
        "feature_ranges": {n: [round(float(a), 5), round(float(b), 5)] for n, a, b in zip(data.columns, low, high)},
        "shed_order": list(SHED_ORDER), "quorum": {str(h): quorum for h in HORIZONS}, "models": models,
        "training": {**span, "target": TARGET, "seed": SEED, "left_out": LEFT_OUT, "neural": list(NEURAL), "barriers": list(BARRIERS)},
    }


def write(folder: Path, files, about):
    """Replaces every model file of the folder and the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.onnx"):
        old.unlink()
    for f in files:
        (folder / f"{f['stem']}.onnx").write_bytes(f["blob"])
    (folder / "manifest.json").write_text(json.dumps(about, indent=1) + "\n")
