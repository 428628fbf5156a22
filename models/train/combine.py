"""From single forecasts to the zoo's: standardised scores, the stack, their mean, the calibration."""
from dataclasses import dataclass

import numpy as np

from data import CLIP, HORIZONS
from evidence import ics
from families import FAMILIES, ensemble
from families.common import SEED
from plan import FINAL, FOLD_DAYS, Plan

MEMBERS = tuple(f for f in FAMILIES if f != "ensemble")
STACK_STRIDE = 4  # rows of the out-of-fold days that the stack is fitted on


@dataclass
class OutOfFold:
    """Everything that was forecast out of fold. Each value: one array per scored day."""

    days: list
    forecasts: dict  # name -> n x 5; families, baselines and twins
    aux: dict  # "family:kind" -> n x 5 or n
    stats: dict  # family -> (mean, std), each 5
    z: dict  # family -> n x 5, cut
    combined: list  # mean over the families' z
    weights: np.ndarray  # the shipped stack, members x 5


def reversal(x, columns):
    """Minus the residual return of about the horizon: no parameters."""
    names = ("residual_ret_5", "residual_ret_10", "residual_ret_15", "residual_ret_30", "residual_ret_60")
    return -x[:, [columns.index(n) for n in names]]


def collect(data, plan: Plan, results) -> OutOfFold:
    """Joins the folds' forecasts and makes stack, mean and scales out of them."""
    days = [data.days[i] for i in plan.scored]
    forecasts, aux = {"reversal": [reversal(d.x, data.columns) for d in days]}, {}
    for task, result in sorted(results.items(), key=lambda r: (r[0].job, r[0].fold)):
        if task.fold == FINAL or task.seed != SEED:
            continue
        for kind, values in result["forecasts"].items():
            if kind in ("score", "twin"):
                forecasts.setdefault(task.job if kind == "score" else f"{task.job}:twin", []).extend(values)
            else:
                aux.setdefault(f"{task.job}:{kind}", []).extend(values)
    stats = {f: scale(forecasts[f]) for f in MEMBERS}
    z = {f: [standardise(s, stats[f]) for s in forecasts[f]] for f in MEMBERS}
    forecasts["equal_weight"] = mean_of(z)
    forecasts["ensemble"], weights = _stack(days, z)
    stats["ensemble"] = scale(forecasts["ensemble"])
    z["ensemble"] = [standardise(s, stats["ensemble"]) for s in forecasts["ensemble"]]
    return OutOfFold(days, forecasts, aux, stats, z, mean_of(z), weights)


def scale(scores):
    """Mean and standard deviation over all out-of-fold rows: scores only, no label."""
    every = np.concatenate(scores)
    return np.nanmean(every, axis=0), np.nanstd(every, axis=0) + 1e-9


def standardise(score, stats):
    return np.clip((score - stats[0]) / stats[1], -CLIP, CLIP)


def mean_of(z):
    """Mean over the families that have a score, one array per day."""
    return [np.nanmean([parts[i] for parts in z.values()], axis=0) for i in range(len(next(iter(z.values()))))]


def _stack(days, z):
    """Out-of-fold scores of the stack, and the shipped weights. The days of a fold are stacked with weights fitted on the
    days of earlier folds; the first fold has none and takes equal weights."""
    block = [np.stack([z[f][i] for f in MEMBERS]) for i in range(len(days))]

    def fit(upto):
        picks = [d.minute % STACK_STRIDE == i % STACK_STRIDE for i, d in enumerate(days[:upto])]
        return ensemble.fit(np.concatenate([b[:, p] for b, p in zip(block, picks)], axis=1),
                            np.concatenate([d.y[p] for d, p in zip(days, picks)]))

    scores = []
    for start in range(0, len(days), FOLD_DAYS):
        weights = fit(start) if start else np.full((len(MEMBERS), len(HORIZONS)), 1 / len(MEMBERS))
        scores += [ensemble.apply(weights, b) for b in block[start:start + FOLD_DAYS]]
    return scores, fit(len(days))


def calibrate(days, z, z_ics):
    """Per horizon: slope of the realised residual return on z, one value a day, shrunk by (1 - 1/t^2) and never below
    0 (a forecast of the wrong sign is worth nothing, not its opposite)."""
    out = {}
    for k, h in enumerate(HORIZONS):
        slopes = []
        for d, zd in zip(days, z):
            ok = np.isfinite(d.y[:, k]) & np.isfinite(zd[:, k])
            # As decision does it: the score cut to +-3.
            a, b = np.clip(zd[ok, k], -CLIP, CLIP), d.y[ok, k]
            slopes.append(float(a @ b / (a @ a)))
        mean, error = np.mean(slopes), np.std(slopes, ddof=1) / np.sqrt(len(slopes))
        t = mean / error
        slope = max(0.0, mean) * max(0.0, 1 - 1 / t**2) if t > 0 else 0.0
        out[str(h)] = {"slope": round(float(slope), 6), "slope_raw": round(float(mean), 6), "t": round(float(t), 3),
                       "ic": round(float(np.nanmean(z_ics[k])), 5), "days": len(slopes)}
    return out


def leave_one_out(oof: OutOfFold):
    """{family: daily ICs of the mean without it}."""
    return ics(oof.days, {f: mean_of({n: v for n, v in oof.z.items() if n != f}) for f in FAMILIES})
