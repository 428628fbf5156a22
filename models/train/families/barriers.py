"""Barrier models: probability of each event of data.BARRIERS, calibrated, beside the rate that volatility alone gives.

Fitted on the first four fifths of the days; the last fifth calibrates both (Platt) and sets the gates. A gate is a lift: it
fires where p >= lift * base(volatility, time of day); a fixed probability would never fire or always.
"""
import lightgbm as lgb
import numpy as np

from data import BARRIERS
from families.common import File, Fitted
from families.trees import LIGHT_GBM, leaf_size
from to_onnx import Trees

TREES = 60
CALIBRATION_SHARE = 0.2
VOL_BINS, TIME_BINS = 8, 6
SMOOTHING = 500.0  # rows of the overall rate in each cell of the base table
GATES = {"prefer": 0.10, "block": 0.05, "exit": 0.02}  # name -> share of calibration rows on which it fires


class Base:
    """The volatility-only model: event rate by vol_ratio and time of day, shrunk to the overall rate."""

    def __init__(self, vol, time, event):
        self.vol = np.quantile(vol, np.arange(1, VOL_BINS) / VOL_BINS)
        self.time = np.arange(1, TIME_BINS) / TIME_BINS
        cell = self._cell(vol, time)
        count = np.bincount(cell, minlength=VOL_BINS * TIME_BINS)
        hits = np.bincount(cell, event, VOL_BINS * TIME_BINS)
        self.rate = (hits + SMOOTHING * event.mean()) / (count + SMOOTHING)

    def _cell(self, vol, time):
        return np.searchsorted(self.vol, vol) * TIME_BINS + np.searchsorted(self.time, time)

    def __call__(self, vol, time):
        return self.rate[self._cell(vol, time)]

    def calibrate(self, vol, time, event):
        """On the same days as the model, or the model would gain by their level alone."""
        logit = np.log(self.rate / (1 - self.rate))
        a, b = platt(logit[self._cell(vol, time)], event)
        self.rate = logistic(a * logit + b)
        return self


def logistic(x):
    return 1 / (1 + np.exp(-x))


def platt(score, event, rounds=25):
    """Slope and offset of the logistic regression of `event` on `score` (Newton's method)."""
    a, b = 1.0, 0.0
    for _ in range(rounds):
        p = logistic(a * score + b)
        w = p * (1 - p)
        gradient = np.array([(p - event) @ score, (p - event).sum()])
        hessian = np.array([[w @ (score * score) + 1.0, w @ score], [w @ score, w.sum()]])
        move = np.linalg.solve(hessian, gradient)
        a, b = a - move[0], b - move[1]
    return a, b


class Barriers(Fitted):
    """All four, in one job."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        self.vol, self.time = rows.at("vol_ratio", "time_of_day")
        late = rows.day >= (1 - CALIBRATION_SHARE) * (rows.day.max() + 1)
        params = {**LIGHT_GBM, "objective": "binary", "seed": seed, "min_data_in_leaf": leaf_size(rows) // 2}
        self.models = [self._fit(rows, k, late, params) for k in range(len(BARRIERS))]

    def _fit(self, rows, k, late, params):
        event = rows.barrier[:, k]
        early, late = np.isfinite(event) & ~late, np.isfinite(event) & late
        booster = lgb.train(params, lgb.Dataset(rows.own[early], event[early]), TREES)
        vol, time = rows.x[:, self.vol], rows.x[:, self.time]
        base = Base(vol[early], time[early], event[early]).calibrate(vol[late], time[late], event[late])
        score = booster.predict(rows.own[late], raw_score=True)
        a, b = platt(score, event[late])
        lift = logistic(a * score + b) / base(vol[late], time[late])
        gates = {name: float(np.quantile(lift, 1 - share)) for name, share in GATES.items()}
        return booster, a, b, base, gates

    def predict(self, x):
        out = {}
        for name, (booster, a, b, base, gates) in zip(BARRIERS, self.models):
            p = logistic(a * booster.predict(x[:, :len(self.inputs)], raw_score=True) + b)
            rate = base(x[:, self.vol], x[:, self.time])
            out[f"p:{name}"], out[f"base:{name}"] = p, rate
            out |= {f"gate:{name}:{g}": p >= lift * rate for g, lift in gates.items()}
        return out

    def export(self):
        out = []
        for name, (booster, a, b, base, gates) in zip(BARRIERS, self.models):
            graph = Trees().light_gbm(booster, scale=a).probability(len(self.inputs), b)
            about = {"gate_lifts": gates, "gate_shares": GATES, "base_rate": {
                "vol_ratio_edges": base.vol.tolist(), "time_of_day_edges": base.time.tolist(),
                "rate": base.rate.reshape(VOL_BINS, TIME_BINS).tolist()}}
            out.append(File(name, [f"p:{name}"], self.inputs, graph, {"about": about}))
        return out
