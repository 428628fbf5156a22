"""Trains the zoo: walk-forward evidence on training days, final fits, ONNX export with parity check, manifest, cards, report.

Days from `--test-from` on are never trained on, calibrated on or used to choose anything. `--open-test-week` scores them
once per zoo and logs the look. Nothing is written to the models folder before all of it is done.
"""
import argparse
import sys
import time
import warnings
from pathlib import Path

import card
import combine
import jobs
import manifest
import measure
import plan as plans
import report
import test_week
from bars import BadBars
from data import BadExport, about_of, load

START = time.perf_counter()


def log(text):
    print(f"[{time.perf_counter() - START:6.1f} s] {text}", flush=True)


def arguments():
    args = argparse.ArgumentParser(prog="models/train")
    args.add_argument("--export", type=Path, required=True)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--out", type=Path, help="models folder; without it a quick run writes nothing")
    args.add_argument("--workers", type=int, default=2)
    args.add_argument("--test-from", default=plans.TEST_FROM)
    args.add_argument("--open-test-week", action="store_true")
    args.add_argument("--quick", action="store_true")
    return args.parse_args()


def main():
    given = arguments()
    # A row without any family's score has no mean: NaN is the answer, not a warning.
    warnings.filterwarnings("ignore", "Mean of empty slice")
    dates = about_of(given.export)["days"]
    if given.quick:
        dates = [d for d in dates if d < given.test_from][-plans.QUICK_DAYS:]
    plan = plans.make(dates, given.test_from, given.quick)
    data = load(given.export, given.data, dates)
    log(f"{len(plan.train)} training days, {sum(len(data.days[i].x) for i in plan.train)} rows, {len(data.inputs)} inputs; "
        f"{len(plan.test)} test days kept shut")
    digest = jobs.data_hash(given.export, given.data, dates)
    results = jobs.run_all(data, plan, given.export / ("cache-quick" if given.quick else "cache"), digest, given.workers, log)

    oof = combine.collect(data, plan, results)
    evidence = measure.everything(data, plan, oof, results)
    calibration = combine.calibrate(oof.days, oof.combined, evidence.ics["combined"])
    files = manifest.gather(results, plans.FINAL, oof.weights)
    costs = measure.costs(files)
    rows = next(r["rows"] for t, r in results.items() if t.fold == plans.FINAL)
    about = manifest.make(data, plan, files, oof, calibration, rows)
    size = sum(len(f["blob"]) for f in files) / 1e6
    log(f"{len(files)} files, {size:.2f} MB, exported = trained to {max(r['parity'] for t, r in results.items() if t.fold == plans.FINAL):.1e}")
    if given.out is None:
        log("nothing written: name a folder with --out")
        return
    manifest.write(given.out, files, about)
    week = test_week.look(given.out, data, [data.days[i] for i in plan.test], files, oof.stats, about["zoo"], given.open_test_week)
    card.write(given.out, data, plan, oof, evidence, about, files, costs, week)
    (given.out / "report.html").write_text(report.page(data, plan, oof, evidence, about, files, costs, week))
    log(f"wrote {given.out}: {len(files)} files, manifest, cards, report")


if __name__ == "__main__":
    try:
        main()
    except (BadBars, BadExport) as e:
        sys.exit(f"models/train: {e}")
    except KeyboardInterrupt:
        sys.exit("models/train: stopped; what was fitted is kept, run again to go on")
