"""One-minute bars as the file says them, for labels that need highs and lows (the exporter hands on opens and closes).

A file is `YYYY-MM-DD.csv.gz` with the header ts,symbol,open,high,low,close,volume; ts is the start of the bar, UTC.
"""
import csv
import gzip
import math
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

FIELDS = ("ts", "symbol", "open", "high", "low", "close", "volume")


class BadBars(Exception):
    """A bars file that can't be used; the text names file, line and what is wrong."""


def highs_and_lows(path: Path, symbols: dict, open_ns: int, minutes: int):
    """Two tables symbols x minutes, NaN where no bar is."""
    highs, lows = (np.full((len(symbols), minutes), np.nan) for _ in range(2))
    try:
        with gzip.open(path, "rt", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, None)
            if header is None or tuple(header) != FIELDS:
                raise BadBars(f"{path} line 1: the header must be {','.join(FIELDS)}, got {header}")
            first = datetime.fromtimestamp(open_ns / 1e9, timezone.utc)
            for line, row in enumerate(rows, 2):
                _take(path, line, row, symbols, first, highs, lows)
    except FileNotFoundError:
        raise BadBars(f"{path} is missing, but its rows were exported: give the same folder with --data") from None
    except (OSError, EOFError, UnicodeDecodeError) as e:
        raise BadBars(f"{path} can't be read: {e}") from None
    return highs, lows


def _take(path, line, row, symbols, first, highs, lows):
    if len(row) != len(FIELDS):
        raise BadBars(f"{path} line {line}: {len(row)} fields where {len(FIELDS)} are due")
    try:
        at = datetime.fromisoformat(row[0])
        high, low = float(row[3]), float(row[4])
    except ValueError as e:
        raise BadBars(f"{path} line {line}: {e}") from None
    if not (math.isfinite(high) and math.isfinite(low) and high >= low > 0):
        raise BadBars(f"{path} line {line}: high {row[3]} and low {row[4]} are no prices of a bar")
    at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    minute = int((at - first).total_seconds() // 60)
    if row[1] in symbols and 0 <= minute < highs.shape[1]:
        highs[symbols[row[1]], minute], lows[symbols[row[1]], minute] = high, low
