"""Rows, labels and masks from what `train-export` wrote.

Label of horizon h for the bar of minute m: return from the open of the first bar at or after m+2 to the open of the
first bar at or after m+2+h, residual to the universe's mean return over the same minutes, / (sigma_1m * sqrt(h)).
A label whose entry or exit bar is more than STALE_MAX minutes late is dropped, never shortened.
"""
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HORIZONS = (5, 10, 15, 30, 60)
TEST_FROM = "2026-04-13"
SESSION_MINUTES = 390
FLAT_BUFFER = 5  # minutes before the close in which nothing is held: horizons that reach into it are masked
STALE_MAX = 1
MISSING_MAX = 0.10  # a name that misses more of a block's minutes leaves the block
CLIP = 3.0  # targets are cut here for training, scores for calibration

# Bar columns that no model reads, each for its reason. (Quote columns are never read: quotes made from bars would
# teach a model their maker.)
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
    "market_ret_15": "as market_ret_1",
    "market_ret_60": "as market_ret_1",
    "breadth": "as market_ret_1",
    "time_sin": "as market_ret_1; time_of_day stays",
    "time_cos": "as market_ret_1; time_of_day stays",
    "volume_relative": "volumes of the blocks are not comparable (round lots in 2025, ~0.8x in 2026)",
    "volume_ratio": "four days without usable volumes would be lost",
    "signed_volume": "as volume_ratio",
    "vwap_deviation": "as volume_ratio",
}


@dataclass
class Day:
    """One day. Rows: n; labels: n x 5, NaN where masked."""

    date: str
    minute: np.ndarray  # minutes since the open of the bar that closed
    symbol: np.ndarray
    x: np.ndarray
    y: np.ndarray  # residual, units of sigma * sqrt(h)
    y_whole: np.ndarray  # market part included
    y_from_close: np.ndarray  # residual, entered at the close of m: not tradable, shows bounce
    y_from_next: np.ndarray  # residual, entered at the open of m+1


def block_of(date: str) -> str:
    return "2025" if date < "2026" else ("2026-03" if date < "2026-04" else "2026-04")


def load(folder: Path):
    """All days, the export's description, the input names and the names left out per block."""
    about = json.loads((folder / "export.json").read_text())
    bar_columns = [c["name"] for c in about["columns"] if c["source"] == "bar"]
    inputs = [n for n in bar_columns if n not in LEFT_OUT]
    take = [i for i, c in enumerate(about["columns"]) if c["name"] in inputs]
    raw = {d: _read(folder, d, len(about["symbols"])) for d in about["days"]}
    sparse = _sparse_names(raw, len(about["symbols"]))
    days = [_day(d, *raw[d], take, sparse[block_of(d)]) for d in about["days"]]
    gone = {b: [about["symbols"][i] for i in np.flatnonzero(s)] for b, s in sparse.items()}
    return days, about, inputs, gone


def _read(folder: Path, date: str, symbols: int):
    rows = np.load(folder / f"{date}.rows.npy")
    bars = np.load(folder / f"{date}.bars.npy")
    open_ns = int(bars["ts"].min())
    opens = np.full((symbols, SESSION_MINUTES), np.nan)
    closes = np.full((symbols, SESSION_MINUTES), np.nan)
    at = ((bars["ts"] - open_ns) // 60_000_000_000).astype(int)
    opens[bars["symbol"], at] = bars["open"]
    closes[bars["symbol"], at] = bars["close"]
    minute = ((rows["ts"] - open_ns) // 60_000_000_000).astype(int)
    return rows, minute, opens, closes


def _sparse_names(raw, symbols: int):
    """Per block, which symbols miss too many minutes (or all of them)."""
    seen, days = {}, {}
    for date, (_, _, opens, _) in raw.items():
        b = block_of(date)
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


def _day(date, rows, minute, opens, closes, take, sparse) -> Day:
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
    x = rows["x"][:, take]
    keep = np.isfinite(x).all(axis=1) & ~sparse[symbol]
    cut = lambda a: np.clip(a[keep], -CLIP * 4, CLIP * 4)
    return Day(date, minute[keep], symbol[keep], x[keep], cut(y), cut(whole), cut(from_close), cut(from_next))


def _later(table: np.ndarray, minutes: int) -> np.ndarray:
    out = np.full_like(table, np.nan)
    out[:, :-minutes] = table[:, minutes:]
    return out


def _mean_over_names(moves: np.ndarray) -> np.ndarray:
    known = np.isfinite(moves)
    n = known.sum(axis=0)
    return np.where(n >= 20, np.where(known, moves, 0).sum(axis=0) / np.maximum(n, 1), np.nan)
