"""What the forecasts are worth: rank IC across names per minute, averaged per day; days are the observations."""
import numpy as np
from scipy.stats import norm, rankdata

from data import HORIZONS

NAMES_MIN = 20  # names that a minute must have to be scored


def day_ics(minute, scores, target):
    """Columns of `scores` (n x C) against one target (n): mean over every second minute of the day of the rank correlation
    across names; NaN without a scorable minute."""
    total, count = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    for m in np.unique(minute)[::2]:
        at = (minute == m) & np.isfinite(target)
        if at.sum() < NAMES_MIN:
            continue
        part, truth = scores[at], target[at]
        if np.isfinite(part).all():
            ic = _rank_correlation(part, truth)
            fine = np.ones(len(ic), bool)
        else:
            known = np.isfinite(part)
            fine = known.sum(axis=0) >= NAMES_MIN
            ic = np.array([_rank_correlation(part[k, c:c + 1], truth[k])[0] if ok else 0.0 for c, (k, ok) in enumerate(zip(known.T, fine))])
        total += ic
        count += fine
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _rank_correlation(scores, truth):
    a, b = rankdata(scores, axis=0), rankdata(truth)
    a, b = a - a.mean(axis=0), b - b.mean()
    scale = np.sqrt((a * a).sum(axis=0) * (b @ b))
    return np.where(scale > 0, b @ a / np.maximum(scale, 1e-12), 0.0)


def ics(days, forecasts, target="y"):
    """{name: 5 x days} of daily rank IC of {name: [n x 5 per day]}."""
    names = list(forecasts)
    out = {n: np.full((len(HORIZONS), len(days)), np.nan) for n in names}
    for i, d in enumerate(days):
        for k in range(len(HORIZONS)):
            values = day_ics(d.minute, np.column_stack([forecasts[n][i][:, k] for n in names]), getattr(d, target)[:, k])
            for n, v in zip(names, values):
                out[n][k, i] = v
    return out


def pooled_ic(score, target) -> float:
    """Rank correlation over all rows of a day: holds market timing too."""
    ok = np.isfinite(score) & np.isfinite(target)
    if ok.sum() < 100:
        return float("nan")
    return float(np.corrcoef(rankdata(score[ok]), rankdata(target[ok]))[0, 1])


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


def say_p(p) -> str:
    """As text; a p that rounds to nothing is still not 0."""
    return f"{p:.3f}" if p >= 0.001 else "<.001"


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


def spread_days(values) -> float:
    """Half width of the 95 % interval of the mean over days (normal)."""
    d = np.asarray([x for x in values if np.isfinite(x)])
    return float(norm.ppf(0.975) * d.std(ddof=1) / np.sqrt(len(d))) if len(d) > 1 else float("nan")


PLAUSIBLE_IC = 0.02  # a mean daily rank IC worth finding at these horizons


def verdict(mean, p_adjusted, mde, delta_best, p_best) -> str:
    """The three words of the card."""
    if mean > 0 and p_adjusted < 0.05 and delta_best > 0 and p_best < 0.05:
        return "shown"
    if not mde <= PLAUSIBLE_IC:
        return "not showable at this n"
    return "not shown"
