"""What every family shares: thinned rows, the shape of a fitted model, ridge.

A fit sees `Rows` and returns a `Fitted`. `predict(x)` gives {"score": n x 5, ...}; other keys are n x 5 ("q10",
"q90", "log_scale", "twin") or n ("anomaly", "realism", "p:<barrier>"). `export()` gives one `File` per ONNX file.
"""
from dataclasses import dataclass, field

import numpy as np

from data import CLIP, HORIZONS

SEED = 20260410
STRIDE = 4  # one minute in four: labels overlap far more than that
QUICK_STRIDE = 20


@dataclass
class Rows:
    """Thinned rows of the training days, in order of time."""

    x: np.ndarray  # n x columns
    y: np.ndarray  # n x 5, cut to +-CLIP, NaN where unknown
    barrier: np.ndarray  # n x 4, NaN where unknown
    day: np.ndarray  # number of the day of each row, from 0
    columns: list
    inputs: int  # the first so many columns are the forecasts' own inputs
    stride: int

    @property
    def own(self) -> np.ndarray:
        return self.x[:, :self.inputs]

    def at(self, *names):
        return [self.columns.index(n) for n in names]


@dataclass
class File:
    """One ONNX file: stem, meaning of its outputs, its input columns, the graph and what else the manifest says."""

    stem: str
    columns: list
    inputs: list
    model: object
    extra: dict = field(default_factory=dict)


class Fitted:
    """A fitted job. Baselines and twins don't ship: they have no export."""

    ships = True

    def predict(self, x) -> dict:
        raise NotImplementedError

    def walk(self, days, stride):
        """Forecasts of the days in order; a model that learns on may do so after each day."""
        return [self.predict(d.x) for d in days]

    def export(self) -> list:
        raise NotImplementedError


def stack(days, columns, inputs, stride) -> Rows:
    """Rows of several days, thinned; every day starts at another minute."""
    picks = [d.minute % stride == i % stride for i, d in enumerate(days)]
    join = lambda get: np.concatenate([get(d)[p] for d, p in zip(days, picks)])
    number = np.concatenate([np.full(p.sum(), i) for i, p in enumerate(picks)])
    return Rows(join(lambda d: d.x), np.clip(join(lambda d: d.y), -CLIP, CLIP), join(lambda d: d.barrier), number, columns, inputs, stride)


def scores(kind="score"):
    """Column names of one output per horizon."""
    return [f"{kind}:{h}" for h in HORIZONS]


def moments(x):
    """Mean and standard deviation of the columns, float32."""
    return x.mean(axis=0, dtype=np.float64).astype(np.float32), (x.std(axis=0, dtype=np.float64) + 1e-6).astype(np.float32)


def ridge(z, y, penalty, weight=None):
    """Coefficients, columns x horizons, of one penalised least squares per horizon over the rows that have a label."""
    out = []
    for k in range(y.shape[1]):
        known = np.isfinite(y[:, k])
        a = z[known].astype(np.float64)
        b = a if weight is None else a * weight[known, None]
        out.append(np.linalg.solve(b.T @ a + penalty * np.eye(a.shape[1]), b.T @ y[known, k]))
    return np.column_stack(out)
