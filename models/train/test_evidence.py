"""From forecasts to cards on made-up days: what is planted is shown, what is noise is not. No fits, no data."""
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np

import card
import combine
import families
import manifest
import measure
import plan as plans
import report
import test_week
from data import BARRIERS, CHANGE_POINT, CONTEXT, HORIZONS, Data, Day
from families.barriers import GATES
from families.sequence import TOKENS
from to_onnx import Graph

INPUTS = [n for group in TOKENS for n in group]
COLUMNS = INPUTS + list(CONTEXT + CHANGE_POINT)
NAMES, MINUTES = 24, np.arange(0, 320, 8)
PLANTED = "tab_cnn"


def day(date, rng):
    minute, symbol = np.repeat(MINUTES, NAMES), np.tile(np.arange(NAMES), len(MINUTES))
    n = len(minute)
    y = rng.normal(size=(n, 5)).astype(np.float32)
    barrier = (rng.random((n, 4)) < 0.2).astype(np.float32)
    return Day(date, "2026-03", minute, symbol, rng.normal(size=(n, len(COLUMNS))).astype(np.float32), y, y, y, y, barrier)


def make_data():
    rng = np.random.default_rng(1)
    dates = [f"2026-03-{d:02}" for d in range(1, 29)] + [f"2026-04-{d:02}" for d in range(13, 16)]
    columns = [{"name": n, "source": "bar"} for n in COLUMNS]
    about = {"version": 2, "hash": "0" * 64, "columns": columns, "symbols": [str(i) for i in range(NAMES)], "days": dates}
    return Data([day(d, rng) for d in dates], about, COLUMNS, INPUTS, {"2026-03": []})


def make_results(data, plan):
    """Noise from every job but the planted one, which knows a tenth of the answer."""
    out = {}
    for task in plan.tasks():
        if task.fold == plans.FINAL:
            out[task] = {"rows": 10, "files": make_files(task.job), "parity": 0.0}
            continue
        rng = np.random.default_rng([task.fold, task.seed, len(task.job), *task.job.encode()])
        days = [data.days[i] for i in plan.days_of(task.fold)[1]]
        kinds = {"score": 5}
        kinds |= {"vae": {"twin": 5, "anomaly": 0}, "gan": {"realism": 0}, "meta_learning": {"twin": 5}, "ng_boost": {"log_scale": 5},
                  "ng_fixed": {"log_scale": 5}, "quantile_light_gbm": {"q10": 5, "q90": 5}}.get(task.job, {})
        forecasts = {k: [rng.normal(size=(len(d.x), w) if w else len(d.x)).astype(np.float32) for d in days] for k, w in kinds.items()}
        if task.job == "barriers":
            forecasts = {f"{k}:{b}": [0.2 + 0.1 * rng.random(len(d.x)) for d in days] for b in BARRIERS for k in ("p", "base")}
            forecasts |= {f"gate:{b}:{g}": [rng.random(len(d.x)) < 0.1 for d in days] for b in BARRIERS for g in GATES}
        if task.job == PLANTED:
            forecasts["score"] = [s + 0.5 * np.nan_to_num(d.y) for s, d in zip(forecasts["score"], days)]
        out[task] = {"rows": 10, "forecasts": forecasts}
    return out


def make_files(job):
    if job == "barriers":
        return [file(b, [f"p:{b}"], INPUTS) for b in BARRIERS]
    return [] if job not in families.FAMILIES else [file(job, [f"score:{h}" for h in HORIZONS], INPUTS)]


def file(stem, columns, inputs):
    g = Graph(len(inputs))
    graph = g.model(g.op("MatMul", "x", g.const(np.ones((len(inputs), len(columns))))), len(columns))
    return {"stem": stem, "columns": columns, "inputs": inputs, "blob": graph.SerializeToString(), "extra": {}}


class Evidence(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = make_data()
        cls.plan = plans.make(cls.data.about["days"], "2026-04-13", quick=False)
        cls.results = make_results(cls.data, cls.plan)
        cls.oof = combine.collect(cls.data, cls.plan, cls.results)
        cls.evidence = measure.everything(cls.data, cls.plan, cls.oof, cls.results)

    def test_only_what_is_planted_is_shown(self):
        for c in self.evidence.cells:
            planted = c.family == PLANTED
            if c.family == "ensemble":
                self.assertGreater(c.twin_gain, 0, c)
                continue
            self.assertEqual(c.verdict == "shown", planted, c)
            self.assertEqual(c.contribution == "shown", planted, c)

    def test_stack_finds_the_planted_family(self):
        member = combine.MEMBERS.index(PLANTED)
        self.assertTrue((self.oof.weights[member] > 2 * np.median(self.oof.weights, axis=0)).all())
        np.testing.assert_allclose(self.oof.weights.sum(axis=0), 1)

    def test_seeds_are_measured_where_random_numbers_are_drawn(self):
        for c in self.evidence.cells:
            self.assertEqual(np.isfinite(c.seeds), c.family in families.SEEDED, c.family)
            self.assertFalse(c.seeds <= 0)

    def test_noise_barriers_gain_nothing(self):
        for b in self.evidence.barriers:
            self.assertLess(abs(b.auc - 0.5), 0.03)
            self.assertAlmostEqual(b.gates["block"][0], 0.1, delta=0.02)

    def test_zoo_is_written_whole_and_the_week_is_opened_once(self):
        files = manifest.gather(self.results, plans.FINAL, self.oof.weights)
        calibration = combine.calibrate(self.oof.days, self.oof.combined, self.evidence.ics["combined"])
        about = manifest.make(self.data, self.plan, files, self.oof, calibration, 10)
        costs = measure.costs(files)
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "old.onnx").write_bytes(b"")
            manifest.write(folder, files, about)
            test_days = [self.data.days[i] for i in self.plan.test]
            look = lambda opened: test_week.look(folder, self.data, test_days, files, self.oof.stats, about["zoo"], opened)
            self.assertIsNone(look(False))
            week = look(True)
            self.assertEqual(week, look(True))
            self.assertEqual((folder / "LOOKS.md").read_text().count(about["zoo"]), 1)
            card.write(folder, self.data, self.plan, self.oof, self.evidence, about, files, costs, week)
            page = report.page(self.data, self.plan, self.oof, self.evidence, about, files, costs, week)
            self.assertNotIn("nan", page.lower())
            self.assertEqual(sorted(p.stem for p in folder.glob("*.onnx")), sorted(f["stem"] for f in files))
            self.check(json.loads((folder / "manifest.json").read_text()))
            self.assertEqual(len(list((folder / "cards").glob("*.md"))), 17)

    def check(self, about):
        self.assertEqual(about["format"], 2)
        self.assertEqual(sorted(about["shed_order"]), sorted(families.FAMILIES))
        seen = set()
        for m in about["models"]:
            for name in m["inputs"]:
                if name.startswith("z:"):
                    self.assertIn(name.split(":")[1], seen, "a stack runs after its members")
            seen.add(m.get("family"))
            self.assertEqual(len(m["golden"]["x"]), 8)
            self.assertEqual({len(y) for y in m["golden"]["y"]}, {len(m["columns"])})
            scores = sum(c.startswith("score:") for c in m["columns"])
            self.assertEqual(len(m.get("score_mean", [])), scores)
        self.assertEqual(len(about["training"]["barriers"]), sum(m["kind"] == "barrier" for m in about["models"]))


if __name__ == "__main__":
    unittest.main()
