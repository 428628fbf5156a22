"""The days that nothing is trained, calibrated or chosen on: scored once per zoo, on request, and logged."""
import datetime
import json
from pathlib import Path

import numpy as np

from combine import MEMBERS, mean_of, reversal, standardise
from data import HORIZONS
from evidence import ics
from families import FAMILIES
from to_onnx import run_onnx


def _scores(day, data, files, stats):
    """{family: n x 5} from the shipped files, the stack last."""
    out = {f: np.full((len(day.x), len(HORIZONS)), np.nan) for f in FAMILIES}
    for file in (f for f in files if f["kind"] == "forecast"):
        family = file["family"]
        if family == "ensemble":
            x = np.column_stack([standardise(out[m], stats[m])[:, k] for m in MEMBERS for k in range(len(HORIZONS))])
        else:
            x = day.x[:, [data.columns.index(n) for n in file["inputs"]]]
        y = run_onnx(file["blob"], x)
        for i, column in enumerate(file["columns"]):
            kind, _, h = column.partition(":")
            if kind == "score":
                out[family][:, HORIZONS.index(int(h))] = np.where(np.isfinite(x).all(axis=1), y[:, i], np.nan)
    return out


def look(folder: Path, data, days, files, stats, zoo, opened):
    """Daily ICs of the test week for this zoo: known from an earlier look, made now if asked, else None."""
    path = folder / "test_week.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    if opened and days and known.get("zoo") != zoo:
        per_day = [_scores(d, data, files, stats) for d in days]
        forecasts = {f: [p[f] for p in per_day] for f in FAMILIES}
        z = {f: [standardise(s, stats[f]) for s in forecasts[f]] for f in FAMILIES}
        scored = ics(days, {**forecasts, "combined": mean_of(z), "reversal": [reversal(d.x, data.columns) for d in days]})
        table = {n: {str(h): [float(x) for x in v[k]] for k, h in enumerate(HORIZONS)} for n, v in scored.items()}
        known = {"zoo": zoo, "days": [d.date for d in days], "daily_ic": table}
        path.write_text(json.dumps(known, indent=1) + "\n")
        looks = folder / "LOOKS.md"
        head = "# Looks at the test week\n\nEvery opening of the days from 2026-04-13 on, in order.\n\n"
        text = looks.read_text() if looks.exists() else head
        looks.write_text(text + f"* {datetime.date.today().isoformat()}: zoo `{zoo}`, {len(days)} days\n")
    return known if known.get("zoo") == zoo else None
