"""The families, and the simple forecasts that they must beat. Each `fit_*` returns predict(x) -> n x 5.

Small on purpose: about ten independent names a minute leave little to learn, and the hot path pays for every tree.
Targets are cut to +-CLIP; a row counts for each horizon that has a label. Seeds are fixed.
"""
import lightgbm as lgb
import numpy as np
import xgboost as xgb

from data import CLIP, HORIZONS

SEED = 20260410
STRIDE = 4  # one minute in four per day: labels overlap far more than that

LIGHT_GBM = dict(objective="regression", learning_rate=0.05, num_leaves=8, max_depth=3, min_data_in_leaf=3000,
                 feature_fraction=0.7, bagging_fraction=0.7, bagging_freq=1, lambda_l2=50.0, max_bin=63, seed=SEED,
                 deterministic=True, force_row_wise=True, num_threads=1, verbose=-1)
LIGHT_GBM_TREES = 60
XG_BOOST = dict(objective="reg:squarederror", eta=0.05, max_depth=3, min_child_weight=3000, subsample=0.7,
                colsample_bytree=0.7, reg_lambda=50.0, max_bin=64, seed=SEED, nthread=1, tree_method="hist")
XG_BOOST_TREES = 60
MLP_LAYERS = (32, 16)


def stack(days):
    """Rows of several days, thinned."""
    picks = [d.minute % STRIDE == i % STRIDE for i, d in enumerate(days)]
    x = np.concatenate([d.x[p] for d, p in zip(days, picks)])
    y = np.concatenate([d.y[p] for d, p in zip(days, picks)])
    return x, np.clip(y, -CLIP, CLIP)


def fit_light_gbm(x, y):
    models = []
    for k in range(len(HORIZONS)):
        known = np.isfinite(y[:, k])
        models.append(lgb.train(LIGHT_GBM, lgb.Dataset(x[known], y[known, k]), LIGHT_GBM_TREES))
    return models, lambda rows: np.column_stack([m.predict(rows) for m in models])


def fit_xg_boost(x, y):
    models = []
    for k in range(len(HORIZONS)):
        known = np.isfinite(y[:, k])
        models.append(xgb.train(XG_BOOST, xgb.DMatrix(x[known], y[known, k]), XG_BOOST_TREES))
    return models, lambda rows: np.column_stack([m.predict(xgb.DMatrix(rows)) for m in models])


def fit_mlp(x, y, epochs=4, batch=2048, rate=1e-3, decay=1e-3):
    """One trunk, five heads, AdamW on the masked squared error; plain numpy, so that the weights are ours to export."""
    rng = np.random.default_rng(SEED)
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-6
    known = np.isfinite(y)
    target = np.where(known, y, 0).astype(np.float32)
    z = ((x - mean) / std).astype(np.float32)
    sizes = (x.shape[1], *MLP_LAYERS, y.shape[1])
    weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in zip(sizes, sizes[1:])]
    weights[-1] *= 0.1
    biases = [np.zeros(b, np.float32) for b in sizes[1:]]
    moments = [[np.zeros_like(p), np.zeros_like(p)] for p in weights + biases]
    step, steps = 0, epochs * (len(z) // batch)
    for _ in range(epochs):
        order = rng.permutation(len(z))
        for start in range(0, len(z) - batch + 1, batch):
            rows = order[start:start + batch]
            step += 1
            gradients = _mlp_gradients(z[rows], target[rows], known[rows], weights, biases)
            now = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
            _adamw(weights + biases, gradients, moments, step, now, decay, len(weights))
    # Inputs are standardised inside the network: fold mean and std into the first layer.
    weights[0] = (weights[0] / std[:, None]).astype(np.float32)
    biases[0] = (biases[0] - mean @ weights[0]).astype(np.float32)
    return (weights, biases), lambda rows: mlp_predict(rows, weights, biases)


def mlp_predict(x, weights, biases):
    a = x.astype(np.float32)
    for i, (w, b) in enumerate(zip(weights, biases)):
        a = a @ w + b
        if i + 1 < len(weights):
            a = np.maximum(a, 0)
    return a


def _mlp_gradients(x, target, known, weights, biases):
    layers = [x]
    for i, (w, b) in enumerate(zip(weights, biases)):
        a = layers[-1] @ w + b
        layers.append(np.maximum(a, 0) if i + 1 < len(weights) else a)
    delta = (layers[-1] - target) * known * (2 / max(known.sum(), 1))
    gw, gb = [], []
    for i in reversed(range(len(weights))):
        gw.insert(0, layers[i].T @ delta)
        gb.insert(0, delta.sum(axis=0))
        if i:
            delta = (delta @ weights[i].T) * (layers[i] > 0)
    return gw + gb


def _adamw(params, gradients, moments, step, rate, decay, decayed):
    for i, (p, g, m) in enumerate(zip(params, gradients, moments)):
        m[0] += 0.1 * (g - m[0])
        m[1] += 0.001 * (g * g - m[1])
        update = (m[0] / (1 - 0.9**step)) / (np.sqrt(m[1] / (1 - 0.999**step)) + 1e-8)
        p -= (rate * (update + (decay * p if i < decayed else 0))).astype(np.float32)


def fit_ridge(x, y, penalty=1e3):
    """Linear, standardised: what any family must beat."""
    mean, std = x.mean(axis=0), x.std(axis=0) + 1e-6
    coefficients = []
    for k in range(y.shape[1]):
        known = np.isfinite(y[:, k])
        z = (x[known] - mean) / std
        coefficients.append(np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ y[known, k]))
    beta = np.column_stack(coefficients)
    return beta, lambda rows: (rows - mean) / std @ beta


def reversal(x, inputs):
    """Minus the residual return of about the horizon: no parameters."""
    names = ("residual_ret_5", "residual_ret_10", "residual_ret_15", "residual_ret_30", "residual_ret_60")
    return -x[:, [inputs.index(n) for n in names]]


FAMILIES = {"light_gbm": fit_light_gbm, "xg_boost": fit_xg_boost, "mlp": fit_mlp}
