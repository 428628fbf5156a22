"""Boosted trees: LightGBM, XGBoost, quantiles, and natural-gradient boosting of a Normal's mean and scale.

Small on purpose: about ten independent names a minute leave little to learn, and the hot path pays for every tree.
"""
import lightgbm as lgb
import numpy as np
import xgboost as xgb

from data import HORIZONS
from families.common import File, Fitted, scores
from to_onnx import Trees

LIGHT_GBM = dict(objective="regression", learning_rate=0.05, num_leaves=8, max_depth=3, min_data_in_leaf=3000,
                 feature_fraction=0.7, bagging_fraction=0.7, bagging_freq=1, lambda_l2=50.0, max_bin=63,
                 deterministic=True, force_row_wise=True, num_threads=1, verbose=-1)
XG_BOOST = dict(objective="reg:squarederror", eta=0.05, max_depth=3, min_child_weight=3000, subsample=0.7,
                colsample_bytree=0.7, reg_lambda=50.0, max_bin=64, nthread=1, tree_method="hist")
TREES = 60
QUANTILES = (0.5, 0.1, 0.9)
NG_TREES = 40  # of each of the two parameters
LOG_SCALE_CUT = 3.0  # keeps a leaf's weight finite while the scale is being learned


def leaf_size(rows):
    """3,000 rows of a full fit; fewer when the rows are thinned more."""
    return max(50, min(3000, len(rows.x) // 40))


class LightGbm(Fitted):
    """Squared error, one booster per horizon."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        params = {**LIGHT_GBM, "seed": seed, "min_data_in_leaf": leaf_size(rows)}
        self.models = []
        for k in range(len(HORIZONS)):
            known = np.isfinite(rows.y[:, k])
            self.models.append(lgb.train(params, lgb.Dataset(rows.own[known], rows.y[known, k]), TREES))

    def predict(self, x):
        own = x[:, :len(self.inputs)]
        return {"score": np.column_stack([m.predict(own) for m in self.models])}

    def export(self):
        return [File(f"light_gbm_m{h}", [f"score:{h}"], self.inputs, Trees().light_gbm(m).model(len(self.inputs)))
                for h, m in zip(HORIZONS, self.models)]


class XgBoost(Fitted):
    """Squared error, one booster per horizon."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        params = {**XG_BOOST, "seed": seed, "min_child_weight": leaf_size(rows)}
        self.models = []
        for k in range(len(HORIZONS)):
            known = np.isfinite(rows.y[:, k])
            self.models.append(xgb.train(params, xgb.DMatrix(rows.own[known], rows.y[known, k]), TREES))

    def predict(self, x):
        own = xgb.DMatrix(x[:, :len(self.inputs)])
        return {"score": np.column_stack([m.predict(own) for m in self.models])}

    def export(self):
        out = []
        for h, m in zip(HORIZONS, self.models):
            trees = Trees()
            base = trees.xg_boost(m)
            out.append(File(f"xg_boost_m{h}", [f"score:{h}"], self.inputs, trees.model(len(self.inputs), [base])))
        return out


class QuantileLightGbm(Fitted):
    """Pinball loss at .5 (the score), .1 and .9: three boosters per horizon in one ensemble of three targets."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        params = {**LIGHT_GBM, "objective": "quantile", "seed": seed, "min_data_in_leaf": leaf_size(rows)}
        self.models = []
        for k in range(len(HORIZONS)):
            known = np.isfinite(rows.y[:, k])
            data = lgb.Dataset(rows.own[known], rows.y[known, k], free_raw_data=False)
            self.models.append([lgb.train({**params, "alpha": q}, data, TREES) for q in QUANTILES])

    def predict(self, x):
        own = x[:, :len(self.inputs)]
        return {kind: np.column_stack([m[i].predict(own) for m in self.models]) for i, kind in enumerate(("score", "q10", "q90"))}

    def export(self):
        out = []
        for h, boosters in zip(HORIZONS, self.models):
            trees = Trees(targets=3)
            for target, booster in enumerate(boosters):
                trees.light_gbm(booster, lambda _, t=target: t)
            out.append(File(f"quantile_light_gbm_m{h}", [f"score:{h}", f"q10:{h}", f"q90:{h}"], self.inputs, trees.model(len(self.inputs))))
        return out


class NgBoost(Fitted):
    """Natural-gradient boosting (Duan et al. 2020) of a Normal's mean and log scale.

    With Fisher information diag(1/s^2, 2) the natural gradient of the log likelihood is (y - m, (z^2 - 1)/2), z = (y - m)/s.
    Each round fits one tree to each part by least squares in the Fisher metric, so a row of small scale weighs more in the
    mean. LightGBM grows the trees: gradient = minus the ordinary gradient, hessian = the information.
    """

    fixed_scale = False

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        params = {**LIGHT_GBM, "seed": seed, "num_class": 2, "objective": self._gradients, "boost_from_average": False,
                  "min_data_in_leaf": leaf_size(rows)}
        self.models, self.base = [], []
        for k in range(len(HORIZONS)):
            known = np.isfinite(rows.y[:, k])
            y = rows.y[known, k].astype(np.float64)
            base = np.array([y.mean(), np.log(y.std())])
            data = lgb.Dataset(rows.own[known], y, init_score=np.tile(base, (len(y), 1)))
            self.base.append(base)
            self.models.append(lgb.train(params, data, NG_TREES))

    def _gradients(self, now, data):
        y = data.get_label()
        log_scale = np.clip(now[:, 1], -LOG_SCALE_CUT, LOG_SCALE_CUT)
        precision = np.exp(-2 * log_scale)
        gap = y - now[:, 0]
        gradient = np.column_stack([-gap * precision, 1 - gap * gap * precision])
        hessian = np.column_stack([precision, np.full(len(y), 2.0)])
        if self.fixed_scale:
            gradient[:, 1] = 0
        return gradient, hessian

    def predict(self, x):
        own = x[:, :len(self.inputs)]
        both = [m.predict(own, raw_score=True) + b for m, b in zip(self.models, self.base)]
        return {"score": np.column_stack([b[:, 0] for b in both]), "log_scale": np.column_stack([b[:, 1] for b in both])}

    def export(self):
        out = []
        for h, m, base in zip(HORIZONS, self.models, self.base):
            trees = Trees(targets=2).light_gbm(m, lambda tree: tree % 2)
            out.append(File(f"ng_boost_m{h}", [f"score:{h}", f"log_scale:{h}"], self.inputs, trees.model(len(self.inputs), base)))
        return out


class NgFixedScale(NgBoost):
    """The twin: the scale never moves, so every row weighs the same."""

    ships = False
    fixed_scale = True
