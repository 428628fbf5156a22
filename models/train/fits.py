"""One fit: what a worker does for one job on one span of days."""
import time

import numpy as np

from data import HORIZONS
from families.common import SEED, stack
from to_onnx import run_onnx

PARITY_MAX = 1e-4  # an exported file may differ from its model by float32 sums in another order
RANDOM_ROWS = 5_000
REAL_EVERY = 100


def fit(job, seed, final, data, fit_days, scored, stride) -> dict:
    """Fits `job` on the days at `fit_days`; gives its forecasts of the days at `scored`, or its exported files if final."""
    started = time.process_time()
    rows = stack([data.days[i] for i in fit_days], data.columns, len(data.inputs), stride)
    fitted = job(rows, seed)
    out = {"rows": len(rows.x)}
    if final:
        out["files"], out["parity"] = _export(fitted, data, fit_days)
    else:
        days = fitted.walk([data.days[i] for i in scored], stride)
        out["forecasts"] = {k: [np.asarray(d[k], np.float32) for d in days] for k in days[0]}
    out["seconds"] = time.process_time() - started
    return out


def _export(fitted, data, fit_days):
    """The files as bytes, each compared with the trained model on real rows and on random ones."""
    if not fitted.ships:
        return [], 0.0
    real = np.concatenate([data.days[i].x[::REAL_EVERY] for i in fit_days])
    real = real[np.isfinite(real).all(axis=1)]
    random = np.random.default_rng(SEED).normal(size=(RANDOM_ROWS, real.shape[1])).astype(np.float32)
    sample = np.concatenate([real, random])
    native, files, worst = fitted.predict(sample), [], 0.0
    for file in fitted.export():
        blob = file.model.SerializeToString()
        got = run_onnx(blob, sample[:, [data.columns.index(n) for n in file.inputs]])
        for i, column in enumerate(file.columns):
            kind, _, tail = column.partition(":")
            due = native[column] if column in native else native[kind][:, HORIZONS.index(int(tail))] if tail else native[kind]
            gap = float((np.abs(got[:, i] - due) / np.maximum(1, np.abs(due))).max())
            if not gap <= PARITY_MAX:
                raise ValueError(f"{file.stem}: the exported {column} differs from the trained model by {gap}")
            worst = max(worst, gap)
        files.append({"stem": file.stem, "columns": file.columns, "inputs": file.inputs, "blob": blob, "extra": file.extra})
    return files, worst
