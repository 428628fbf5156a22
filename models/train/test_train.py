"""Tests of the training code that need no data: `.venv-train/bin/python -m unittest discover -s models/train`."""
import gzip
import itertools
import tempfile
import unittest
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import families
import jobs
import plan as plans
from bars import BadBars, highs_and_lows
from data import BARRIERS, CHANGE_POINT, CONTEXT, HORIZONS, BadExport, barrier_labels, blocks_of, load
from evidence import day_ics, holm, sign_flip_p
from families import ensemble, linear, trees
from families.barriers import platt
from families.common import Rows
from families.sequence import TOKENS, sequence_map, side_columns
from to_onnx import down_to_f32, run_onnx

# Enough to exercise the code; what the steps are worth is measured in the cards.
families.generative.GAN_STEPS, families.meta.ROUNDS = 60, 40

INPUTS = [n for group in TOKENS for n in group]
COLUMNS = INPUTS + list(CONTEXT + CHANGE_POINT)


def rows(n=3000, seed=1, days=6):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(COLUMNS))).astype(np.float32)
    x[:, COLUMNS.index("time_of_day")] = rng.random(n)
    y = (0.3 * x[:, :5] + rng.normal(size=(n, 5))).clip(-3, 3).astype(np.float32)
    y[rng.random((n, 5)) < 0.1] = np.nan
    barrier = (rng.random((n, 4)) < 0.2).astype(np.float32)
    return Rows(x, y, barrier, np.sort(rng.integers(0, days, n)), COLUMNS, len(INPUTS), 4)


class Exports(unittest.TestCase):
    """Every job's files say what its model says, and its outputs are real forecasts."""

    def test_parity(self):
        fit_on, sample = rows(), rows(400, seed=2).x
        for name, job in families.JOBS.items():
            with self.subTest(job=name):
                model = job(fit_on, 7)
                native = model.predict(sample)
                for key, values in native.items():
                    self.assertTrue(np.isfinite(values.astype(float)).all(), key)
                if not model.ships:
                    continue
                for file in model.export():
                    got = run_onnx(file.model.SerializeToString(), sample[:, [COLUMNS.index(n) for n in file.inputs]])
                    self.assertEqual(got.shape, (len(sample), len(file.columns)))
                    for i, column in enumerate(file.columns):
                        kind, _, tail = column.partition(":")
                        due = native[column] if column in native else native[kind][:, HORIZONS.index(int(tail))] if tail else native[kind]
                        np.testing.assert_allclose(got[:, i], due, atol=2e-4, rtol=2e-4, err_msg=column)

    def test_same_seed_same_model_other_seed_another(self):
        for name in families.SEEDED:
            with self.subTest(job=name):
                score = [families.JOBS[name](rows(), s).predict(rows().x)["score"] for s in (7, 7, 8)]
                self.assertTrue(np.array_equal(score[0], score[1]))
                self.assertFalse(np.array_equal(score[0], score[2]))

    def test_twins_are_jobs_or_outputs(self):
        known = set(families.JOBS) | {f"{j}:twin" for j in ("vae", "meta_learning")} | {"equal_weight"}
        self.assertEqual(set(families.TWINS), set(families.FAMILIES))
        self.assertLessEqual({t for t, _ in families.TWINS.values()}, known)


class Labels(unittest.TestCase):
    def test_barriers_against_a_plain_loop(self):
        rng = np.random.default_rng(3)
        path = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, (4, 390)), axis=1))
        highs, lows = path * np.exp(rng.random((4, 390)) * 1e-3), path * np.exp(-rng.random((4, 390)) * 1e-3)
        gone = rng.random((4, 390)) < 0.1
        highs[gone] = lows[gone] = np.nan
        entry = np.roll(path, -2, axis=1)
        symbol, minute = (a.ravel() for a in np.meshgrid(np.arange(4), np.arange(390), indexing="ij"))
        sigma = np.full(len(symbol), 6e-4)
        got = barrier_labels(symbol, minute, sigma, entry, highs, lows)
        for i, (s, m) in enumerate(zip(symbol, minute)):
            np.testing.assert_array_equal(got[i], self.naive(s, m, sigma[i], entry, highs, lows), f"symbol {s} minute {m}")
        self.assertTrue((np.nanmean(got, axis=0) > 0.02).all())

    @staticmethod
    def naive(s, m, sigma, entry, highs, lows):
        if m + 1 > 390 - 5 - 5:
            return np.full(4, np.nan)
        bars = [(highs[s, m + 2 + i], lows[s, m + 2 + i]) for i in range(5)]
        if sum(np.isnan(h) for h, _ in bars) > 1:
            return np.full(4, np.nan)
        unit = sigma * np.sqrt(5)

        def first(up, down):
            for high, low in bars:
                above, below = high >= entry[s, m] * np.exp(up * unit), low <= entry[s, m] * np.exp(-down * unit)
                if above or below:
                    return None if above and below else "up" if above else "down"
            return None

        wide_up, wide_down = first(1.5, 1.0), first(1.0, 1.5)
        event = {"will_peak_5m": wide_up == "down", "will_valley_5m": wide_down == "up",
                 "y_will_peak_5m": wide_down == "down", "y_will_valley_5m": wide_up == "up"}
        return np.array([float(event[b]) for b in BARRIERS])

    def test_blocks_split_at_holes(self):
        self.assertEqual(list(blocks_of(["2025-01-30", "2025-02-03", "2026-03-09"]).values()), ["2025-01", "2025-01", "2026-03"])

    def test_bad_bars_name_the_line(self):
        head, good = "ts,symbol,open,high,low,close,volume\n", "2026-04-09T13:30:00Z,A,1,2,1,1,5\n"
        cases = {"ts,symbol\n": "line 1", head + good + "2026-04-09T13:31:00Z,A,1,2\n": "line 3", head + "yesterday,A,1,2,1,1,5\n": "line 2",
                 head + "2026-04-09T13:30:00Z,A,1,nan,1,1,5\n": "line 2", head + "2026-04-09T13:30:00Z,A,1,1,2,1,5\n": "line 2"}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "2026-04-09.csv.gz"
            with self.assertRaisesRegex(BadBars, "missing"):
                highs_and_lows(path, {"A": 0}, 0, 390)
            for text, where in cases.items():
                path.write_bytes(gzip.compress(text.encode()))
                with self.assertRaisesRegex(BadBars, where):
                    highs_and_lows(path, {"A": 0}, 1_775_741_400_000_000_000, 390)
            path.write_bytes(gzip.compress((head + good).encode())[:-6])
            with self.assertRaisesRegex(BadBars, "can't be read"):
                highs_and_lows(path, {"A": 0}, 1_775_741_400_000_000_000, 390)
            path.write_bytes(gzip.compress((head + good).encode()))
            highs, lows = highs_and_lows(path, {"A": 0}, 1_775_741_400_000_000_000, 390)
            self.assertEqual((highs[0, 0], lows[0, 0], np.isfinite(highs).sum()), (2.0, 1.0, 1))

    def test_export_of_another_schema_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(BadExport, "no export"):
                load(Path(folder), Path(folder))
            (Path(folder) / "export.json").write_text('{"columns": [{"name": "ret_1", "source": "bar"}], "days": [], "symbols": [], "version": 1, "hash": ""}')
            with self.assertRaisesRegex(BadExport, "run_length"):
                load(Path(folder), Path(folder))


class Statistics(unittest.TestCase):
    def test_sign_flip_is_exact(self):
        d = np.array([3.0, -1, 2, 5, -2, 4])
        sums = [abs(sum(s * abs(v) for s, v in zip(signs, d))) for signs in itertools.product((-1, 1), repeat=len(d))]
        self.assertAlmostEqual(sign_flip_p(d), np.mean([s >= abs(d.sum()) for s in sums]), places=3)

    def test_holm(self):
        np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])

    def test_daily_ic_is_the_mean_spearman(self):
        rng = np.random.default_rng(5)
        minute = np.repeat([0, 1, 2], 30)
        score, target = np.round(rng.normal(size=(90, 2)), 1), rng.normal(size=90)
        score[3, 1] = np.nan
        due = []
        for c in range(2):
            fine = np.isfinite(score[:, c])
            due.append(np.mean([spearmanr(score[(minute == m) & fine, c], target[(minute == m) & fine])[0] for m in (0, 2)]))
        np.testing.assert_allclose(day_ics(minute, score, target), due, atol=1e-12)


class Fits(unittest.TestCase):
    def test_thresholds_go_down(self):
        for value in (0.1, -0.1, 1 / 3, 1e-30, 5.0):
            self.assertLessEqual(down_to_f32(value), value)
            self.assertGreater(float(np.nextafter(np.float32(down_to_f32(value)), np.float32(np.inf))), value)

    def test_natural_gradient_is_the_gradient_of_the_likelihood(self):
        class Labels:
            def get_label(self):
                return np.array([0.3, -1.2])

        now = np.array([[0.1, 0.2], [-0.4, -0.3]])
        loss = lambda v, y: v[1] + 0.5 * ((y - v[0]) / np.exp(v[1])) ** 2
        model = trees.NgBoost.__new__(trees.NgBoost)
        got, information = model._gradients(now, Labels())
        for i, y in enumerate(Labels().get_label()):
            for k in range(2):
                up, down = now[i].copy(), now[i].copy()
                up[k] += 1e-6
                down[k] -= 1e-6
                self.assertAlmostEqual(got[i, k], (loss(up, y) - loss(down, y)) / 2e-6, places=6)
        np.testing.assert_allclose(information[:, 1], 2.0)

    def test_ftrl_against_plain_loops(self):
        model = linear.FtrlProximal(rows(1500), 0)
        standard, y = model._standard(rows(1500).own), rows(1500).y
        self.assertTrue((model.weights() != 0).any() and (model.weights() == 0).any())
        for h in range(5):
            z, n = np.zeros(standard.shape[1]), np.zeros(standard.shape[1])
            for x_t, y_t in zip(standard, y[:, h]):
                if not np.isfinite(y_t):
                    continue
                w = np.array([0.0 if abs(zi) <= model.L1 else -(zi - np.sign(zi) * model.L1) / ((model.BETA + np.sqrt(ni)) / model.ALPHA + model.L2) for zi, ni in zip(z, n)])
                g = (w @ x_t - y_t) * x_t
                sigma = (np.sqrt(n + g * g) - np.sqrt(n)) / model.ALPHA
                z, n = z + g - sigma * w, n + g * g
            np.testing.assert_allclose(model.z[h], z, atol=1e-8)
            np.testing.assert_allclose(model.n[h], n, atol=1e-9)

    def test_stack_is_equal_where_members_are_and_never_negative(self):
        rng = np.random.default_rng(4)
        one = rng.normal(size=(500, 5))
        np.testing.assert_allclose(np.ptp(ensemble.fit(np.stack([one] * 3), one), axis=0), 0, atol=1e-9)
        self.assertTrue((ensemble.fit(rng.normal(size=(4, 500, 5)), -one) >= 0).all())
        np.testing.assert_allclose(ensemble.fit(np.stack([one] * 4), -one), 0.25)

    def test_platt_finds_slope_and_offset(self):
        rng = np.random.default_rng(6)
        score = rng.normal(size=200_000)
        event = rng.random(200_000) < 1 / (1 + np.exp(-(0.7 * score - 1.1)))
        np.testing.assert_allclose(platt(score, event.astype(float)), (0.7, -1.1), atol=0.03)

    def test_sequence_is_the_disjoint_returns(self):
        walk = np.cumsum(np.random.default_rng(8).normal(size=61))
        x = np.zeros(len(INPUTS))
        for k in (1, 5, 10, 15, 30, 60):
            for stem in ("ret_", "residual_ret_"):
                x[INPUTS.index(f"{stem}{k}")] = (walk[60] - walk[60 - k]) / np.sqrt(k)
        spans = [(walk[60 - new] - walk[60 - old]) / np.sqrt(old - new) for old, new in zip((60, 30, 15, 10, 5, 1), (30, 15, 10, 5, 1, 0))]
        np.testing.assert_allclose(x @ sequence_map(INPUTS), np.repeat(spans, 2), rtol=1e-5, atol=1e-5)
        self.assertEqual(len(side_columns(INPUTS)), len(INPUTS) - 12)


class Plans(unittest.TestCase):
    DATES = [f"2026-{m:02}-{d:02}" for m in (3, 4) for d in range(1, 29)]

    def test_no_day_is_trained_on_and_scored(self):
        plan = plans.make(self.DATES, "2026-04-20", quick=False)
        for fit, scored in plan.folds:
            self.assertLess(max(fit), min(scored))
        self.assertEqual([d for _, s in plan.folds for d in s], plan.scored)
        self.assertTrue(all(plan.dates[i] < "2026-04-20" for i in plan.train))
        self.assertEqual(len(plan.train) + len(plan.test), len(self.DATES))

    def test_too_few_days(self):
        with self.assertRaisesRegex(SystemExit, "too few"):
            plans.make(self.DATES[:10], "2026-04-20", quick=False)

    def test_cache_key_holds_data_days_and_code(self):
        plan = plans.make(self.DATES, "2026-04-20", quick=False)
        task = plans.Task("gan", 0, 1)
        base = jobs.key(task, plan, "a")
        later = plans.make(self.DATES[1:], "2026-04-20", quick=False)
        self.assertNotIn(base, {jobs.key(task, plan, "b"), jobs.key(task, later, "a"), jobs.key(plans.Task("gan", 0, 2), plan, "a")})
        seen = {}
        jobs._imports(Path(families.generative.__file__), seen)
        self.assertLessEqual({"generative.py", "nets.py", "perceptron.py", "common.py", "data.py", "to_onnx.py", "bars.py"}, {p.name for p in seen})


if __name__ == "__main__":
    unittest.main()
