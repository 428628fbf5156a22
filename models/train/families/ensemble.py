"""Ensemble: non-negative weights on the other families' standardised scores, fitted on their out-of-fold forecasts only.

Least squares pulled towards equal weights by a penalty of a fifth of the rows: forecasts correlate up to .99, so the data
alone would not tell their weights apart.
"""
import numpy as np
from scipy.optimize import nnls

from data import CLIP, HORIZONS
from families.common import File, scores
from to_onnx import Graph

PENALTY_SHARE = 0.2
PRIOR_MIN = 1e-3  # equal weights when the mean of the scores was worth nothing


def fit(z, y):
    """z: families x n x 5, y: n x 5. Weights, families x 5, of sum 1; equal where no family was worth anything."""
    out = np.zeros((z.shape[0], len(HORIZONS)))
    for k in range(len(HORIZONS)):
        fine = np.isfinite(y[:, k]) & np.isfinite(z[:, :, k]).all(axis=0)
        a, b = z[:, fine, k].T, np.clip(y[fine, k], -CLIP, CLIP)
        mean = a.mean(axis=1)
        prior = max(mean @ b / (mean @ mean), PRIOR_MIN) / z.shape[0]
        penalty = PENALTY_SHARE * len(b)
        root = np.linalg.cholesky(a.T @ a + penalty * np.eye(a.shape[1])).T
        out[:, k], _ = nnls(root, np.linalg.solve(root.T, a.T @ b + penalty * prior))
    total = out.sum(axis=0)
    return np.where(total > 0, out / np.where(total > 0, total, 1), 1 / z.shape[0])


def apply(weights, z):
    """n x 5 scores."""
    return np.einsum("fnk,fk->nk", z, weights)


def export(weights, members):
    """One product; the inputs are the members' scores of the same pass, family-major."""
    width = len(members) * len(HORIZONS)
    matrix = np.zeros((width, len(HORIZONS)), np.float32)
    for f in range(len(members)):
        for k in range(len(HORIZONS)):
            matrix[f * len(HORIZONS) + k, k] = weights[f, k]
    g = Graph(width)
    inputs = [f"z:{m}:{h}" for m in members for h in HORIZONS]
    return File("ensemble", scores(), inputs, g.model(g.op("MatMul", "x", g.const(matrix)), len(HORIZONS)))
