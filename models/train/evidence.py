"""What the forecasts are worth: rank IC across names per minute, averaged per day; days are the observations."""
import numpy as np
from scipy.stats import norm


def ranks(values: np.ndarray) -> np.ndarray:
    """Mean ranks, ties shared."""
    _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return (ends - (count - 1) / 2)[inverse]


def daily_ic(minute, score, target, names_min=20) -> float:
    """Mean over every second minute of the day of the rank correlation across names; NaN without a scorable minute."""
    out = []
    for m in np.unique(minute)[::2]:
        at = (minute == m) & np.isfinite(target) & np.isfinite(score)
        if at.sum() < names_min:
            continue
        a, b = ranks(score[at]), ranks(target[at])
        a, b = a - a.mean(), b - b.mean()
        scale = np.sqrt((a @ a) * (b @ b))
        out.append(a @ b / scale if scale > 0 else 0.0)
    return float(np.mean(out)) if out else float("nan")


def pooled_ic(score, target) -> float:
    """Rank correlation over all rows of a day: holds market timing too."""
    ok = np.isfinite(score) & np.isfinite(target)
    if ok.sum() < 100:
        return float("nan")
    return float(np.corrcoef(ranks(score[ok]), ranks(target[ok]))[0, 1])


def sign_flip_p(differences, resolution=20_000) -> float:
    """Exact two-sided p of the mean under independent sign flips of the days (all 2^n of them, by convolution on a
    grid of `resolution` steps for the whole sum)."""
    d = np.asarray([x for x in differences if np.isfinite(x)])
    if len(d) == 0 or np.abs(d).sum() == 0:
        return 1.0
    steps = np.rint(np.abs(d) / np.abs(d).sum() * resolution).astype(int)
    total = int(steps.sum())
    counts = np.zeros(2 * total + 1)
    counts[total] = 1.0
    for s in steps:
        moved = np.zeros_like(counts)
        moved[s:] += counts[:len(counts) - s] / 2
        moved[:len(counts) - s] += counts[s:] / 2
        counts = moved
    observed = abs(int((np.sign(d) * steps).sum()))
    sums = np.abs(np.arange(-total, total + 1))
    return float(min(1.0, counts[sums >= observed].sum()))


def detectable(differences) -> float:
    """Smallest mean that a two-sided 5 % test would find with 80 % power at this many days."""
    d = np.asarray([x for x in differences if np.isfinite(x)])
    if len(d) < 2:
        return float("nan")
    return float((norm.ppf(0.975) + norm.ppf(0.8)) * d.std(ddof=1) / np.sqrt(len(d)))


def holm(ps):
    """Holm's step-down adjustment."""
    order = np.argsort(ps)
    out, worst = np.empty(len(ps)), 0.0
    for i, j in enumerate(order):
        worst = max(worst, min(1.0, (len(ps) - i) * ps[j]))
        out[j] = worst
    return out


PLAUSIBLE_IC = 0.02  # a mean daily rank IC worth finding at these horizons


def verdict(mean, p_adjusted, mde, delta_best, p_best) -> str:
    """The three words of the card."""
    if mean > 0 and p_adjusted < 0.05 and delta_best > 0 and p_best < 0.05:
        return "shown"
    if not mde <= PLAUSIBLE_IC:
        return "not showable at this n"
    return "not shown"
