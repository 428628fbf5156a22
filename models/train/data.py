"""Rows, labels and masks from what `train-export` wrote.

Label of horizon h for the bar of minute m: return from the open of the first bar at or after m+2 to the open of the
first bar at or after m+2+h, residual to the universe's mean return over the same minutes, / (sigma_1m * sqrt(h)).
A label whose entry or exit bar is more than STALE_MAX minutes late is dropped, never shortened. Barrier labels: see
`barrier_labels`.
"""
import datetime
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bars import highs_and_lows

HORIZONS = (5, 10, 15, 30, 60)
SESSION_MINUTES = 390
FLAT_BUFFER = 5  # minutes before the close in which nothing is held: horizons that reach into it are masked
STALE_MAX = 1
MISSING_MAX = 0.10  # a name that misses more of a block's minutes leaves the block
BLOCK_GAP_DAYS = 7  # a longer hole in the calendar starts another block
CLIP = 3.0  # targets are cut here for training, scores for calibration

BARRIERS = ("will_peak_5m", "will_valley_5m", "y_will_peak_5m", "y_will_valley_5m")
BARRIER_MINUTES = 5
FAR, NEAR = 1.5, 1.0  # barrier distances, in sigma_1m * sqrt(5)
BARRIER_MISSING_MAX = 1  # of the five minutes; more missing = label unknown

# Bar columns that no forecast reads as an input of its own, each for its reason. (Quote columns are never read:
# quotes made from bars would teach a model their maker.)
LEFT_OUT = {
    "gap": "unknown on every day that follows an unseen session",
    "parkinson_ratio": "tells the vendor's block (odd lots missing in 2025)",
    "bar_position": "tells the vendor's block",
    "autocorrelation": "tells the vendor's block (missing minutes), unknown in 8 % of its rows",
    "skew": "unknown in 8 % of the rows of 2025",
    "dispersion": "tells the block (level of volatility)",
    "market_vol_ratio": "tells the block",
    "market_ret_1": "the same for all names of a minute: can't move a rank, but tells the day",
    "market_ret_5": "as market_ret_1",
    "market_ret_15": "as market_ret_1; context of GMMRegime and MetaLearning only",
    "market_ret_60": "as market_ret_1; context of GMMRegime and MetaLearning only",
    "breadth": "as market_ret_1; context of GMMRegime and MetaLearning only",
    "time_sin": "as market_ret_1; time_of_day stays",
    "time_cos": "as market_ret_1; time_of_day stays",
    "volume_relative": "volumes of the blocks are not comparable (round lots in 2025, ~0.8x in 2026)",
    "volume_ratio": "four days without usable volumes would be lost",
    "signed_volume": "as volume_ratio",
    "vwap_deviation": "as volume_ratio",
    "run_length": "read by ChangePoint only",
    "change_prob": "read by ChangePoint only",
}
CONTEXT = ("market_ret_15", "market_ret_60", "breadth")  # state of the market: conditions a forecast, is none
CHANGE_POINT = ("run_length", "change_prob")  # feature schema 2 and later


class BadExport(Exception):
    """Exported rows that can't be used; the text says why and what to do."""


@dataclass
class Day:
    """One day. Rows: n; labels: n x 5 (barriers n x 4), NaN where masked. `x` holds the columns of `Data.columns`."""

    date: str
    block: str
    minute: np.ndarray  # minutes since the open of the bar that closed
    symbol: np.ndarray
    x: np.ndarray
    y: np.ndarray  # residual, units of sigma * sqrt(h)
    y_whole: np.ndarray  # market part included
    y_from_close: np.ndarray  # residual, entered at the close of m: not tradable, shows bounce
    y_from_next: np.ndarray  # residual, entered at the open of m+1
    barrier: np.ndarray  # 1 event, 0 none, in the order of BARRIERS


@dataclass
class Data:
    """All days and what the exporter said of them."""

    days: list
    about: dict  # export.json
    columns: list  # names of Day.x: inputs, then context, then change-point columns
    inputs: list  # the forecasts' own inputs, the first columns
    gone: dict  # block -> names left out of it


def load(folder: Path, bars_folder: Path, dates=None) -> Data:
    """Reads the export (all days, or `dates`) and the bars of the same days."""
    about = about_of(folder)
    names = [c["name"] for c in about["columns"]]
    bar = [c["name"] for c in about["columns"] if c["source"] == "bar"]
    lacking = [n for n in LEFT_OUT if n not in bar]
    if lacking:
        raise BadExport(f"the export's feature schema (version {about['version']}) lacks the columns {', '.join(lacking)}: build this "
                        "version's program (`make build`) and export again without --keep-export")
    inputs = [n for n in bar if n not in LEFT_OUT]
    columns = inputs + list(CONTEXT + CHANGE_POINT)
    take = [names.index(n) for n in columns]
    dates = about["days"] if dates is None else dates
    blocks = blocks_of(dates)
    symbols = {s: i for i, s in enumerate(about["symbols"])}
    raw = {d: _read(folder, bars_folder, d, symbols, len(names)) for d in dates}
    sparse = _sparse_names(raw, blocks, len(symbols))
    days = [_day(d, blocks[d], *raw[d], take, len(inputs), sparse[blocks[d]]) for d in dates]
    gone = {b: [about["symbols"][i] for i in np.flatnonzero(s)] for b, s in sparse.items()}
    return Data(days, about, columns, inputs, gone)


def about_of(folder: Path) -> dict:
    """export.json, checked for form."""
    try:
        about = json.loads((folder / "export.json").read_text())
    except FileNotFoundError:
        raise BadExport(f"{folder} holds no export: run without --keep-export") from None
    except ValueError as e:
        raise BadExport(f"{folder}/export.json is damaged ({e}): export again without --keep-export") from None
    lacking = [k for k in ("columns", "days", "symbols", "version", "hash") if k not in about]
    if lacking:
        raise BadExport(f"{folder}/export.json lacks {', '.join(lacking)}: it comes from another program version; export again")
    return about


def blocks_of(dates) -> dict:
    """Date -> block: a run of days without a hole of more than a week, named by its first month."""
    out, name, last = {}, None, None
    for d in dates:
        now = datetime.date.fromisoformat(d)
        if last is None or (now - last).days > BLOCK_GAP_DAYS:
            name = d[:7]
        out[d], last = name, now
    return out


def _read(folder: Path, bars_folder: Path, date: str, symbols: dict, width: int):
    try:
        rows = np.load(folder / f"{date}.rows.npy")
        bars = np.load(folder / f"{date}.bars.npy")
    except (OSError, ValueError) as e:
        raise BadExport(f"rows of {date} can't be read ({e}): export again without --keep-export") from None
    if rows["x"].shape[1] != width:
        raise BadExport(f"{date}.rows.npy has {rows['x'].shape[1]} columns, export.json {width}: a mixed folder; export again")
    open_ns = int(bars["ts"].min())
    opens = np.full((len(symbols), SESSION_MINUTES), np.nan)
    closes = np.full((len(symbols), SESSION_MINUTES), np.nan)
    at = ((bars["ts"] - open_ns) // 60_000_000_000).astype(int)
    opens[bars["symbol"], at] = bars["open"]
    closes[bars["symbol"], at] = bars["close"]
    minute = ((rows["ts"] - open_ns) // 60_000_000_000).astype(int)
    highs, lows = highs_and_lows(bars_folder / f"{date}.csv.gz", symbols, open_ns, SESSION_MINUTES)
    return rows, minute, opens, closes, highs, lows


def _sparse_names(raw, blocks, symbols: int):
    """Per block, which symbols miss too many minutes (or all of them)."""
    seen, days = {}, {}
    for date, (_, _, opens, *_) in raw.items():
        b = blocks[date]
        seen[b] = seen.get(b, np.zeros(symbols)) + np.isfinite(opens).sum(axis=1)
        days[b] = days.get(b, 0) + 1
    return {b: seen[b] < (1 - MISSING_MAX) * days[b] * SESSION_MINUTES for b in seen}


def first_at_or_after(prices: np.ndarray) -> np.ndarray:
    """Price of the first bar at or after each minute, NaN if it comes more than STALE_MAX minutes late."""
    out = prices.copy()
    for late in range(1, STALE_MAX + 1):
        shifted = np.full_like(prices, np.nan)
        shifted[:, :-late] = prices[:, late:]
        out = np.where(np.isfinite(out), out, shifted)
    return out


def _day(date, block, rows, minute, opens, closes, highs, lows, take, inputs, sparse) -> Day:
    symbol = rows["symbol"].astype(int)
    entry_open = first_at_or_after(opens)
    shape = (len(rows), len(HORIZONS))
    y, whole, from_close, from_next = (np.full(shape, np.nan, np.float32) for _ in range(4))
    for k, h in enumerate(HORIZONS):
        # The decision comes when minute m has closed, at m+1.
        allowed = minute + 1 <= SESSION_MINUTES - h - FLAT_BUFFER
        exits = _later(entry_open, 2 + h)
        for target, start in ((y, _later(entry_open, 2)), (from_close, closes), (from_next, _later(entry_open, 1))):
            with np.errstate(invalid="ignore", divide="ignore"):
                moves = np.log(exits / start)
            moves[sparse] = np.nan
            market = _mean_over_names(moves)
            scale = rows["sigma"] * np.sqrt(h)
            value = (moves[symbol, minute] - market[minute]) / scale
            target[:, k] = np.where(allowed, value, np.nan)
            if target is y:
                whole[:, k] = np.where(allowed, moves[symbol, minute] / scale, np.nan)
    barrier = barrier_labels(symbol, minute, rows["sigma"], _later(entry_open, 2), highs, lows)
    x = rows["x"][:, take]
    keep = np.isfinite(x[:, :inputs]).all(axis=1) & ~sparse[symbol]
    cut = lambda a: np.clip(a[keep], -CLIP * 4, CLIP * 4)
    return Day(date, block, minute[keep], symbol[keep], x[keep], cut(y), cut(whole), cut(from_close), cut(from_next), barrier[keep])


def barrier_labels(symbol, minute, sigma, entry, highs, lows):
    """n x 4 labels in the order of BARRIERS.

    Entry: the open of the first bar at or after m+2. Over the bars m+2 .. m+6, with u = sigma_1m * sqrt(5): will_peak
    = the low reaches entry*exp(-1.0u) before a high reaches entry*exp(+1.5u); y_will_valley = the other of the two
    first; will_valley and y_will_peak are their mirror images. No touch = 0. Both touched in one minute = 0 for both:
    the order inside a bar is unknown, and neither event may be claimed. Unknown (NaN) when the entry is, when more than
    one of the five bars is missing, or when the window reaches into the flat buffer.
    """
    n = len(symbol)
    start = entry[symbol, minute]
    unit = sigma * np.sqrt(BARRIER_MINUTES)
    fine = np.isfinite(start) & np.isfinite(unit) & (minute + 1 <= SESSION_MINUTES - BARRIER_MINUTES - FLAT_BUFFER)
    steps = np.minimum(minute[:, None] + 2 + np.arange(BARRIER_MINUTES), SESSION_MINUTES - 1)
    high, low = highs[symbol[:, None], steps], lows[symbol[:, None], steps]
    fine &= np.isnan(high).sum(axis=1) <= BARRIER_MISSING_MAX
    out = np.full((n, len(BARRIERS)), np.nan, np.float32)
    for up, down, down_first, up_first in ((FAR, NEAR, 0, 3), (NEAR, FAR, 2, 1)):
        with np.errstate(invalid="ignore"):
            above = high >= (start * np.exp(up * unit))[:, None]
            below = low <= (start * np.exp(-down * unit))[:, None]
        first_above = np.where(above.any(axis=1), above.argmax(axis=1), BARRIER_MINUTES)
        first_below = np.where(below.any(axis=1), below.argmax(axis=1), BARRIER_MINUTES)
        out[fine, down_first] = (first_below < first_above)[fine]
        out[fine, up_first] = (first_above < first_below)[fine]
    return out


def _later(table: np.ndarray, minutes: int) -> np.ndarray:
    out = np.full_like(table, np.nan)
    out[:, :-minutes] = table[:, minutes:]
    return out


def _mean_over_names(moves: np.ndarray) -> np.ndarray:
    known = np.isfinite(moves)
    n = known.sum(axis=0)
    return np.where(n >= 20, np.where(known, moves, 0).sum(axis=0) / np.maximum(n, 1), np.nan)
