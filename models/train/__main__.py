"""One command from bars to a shipped zoo: `python3 models/train --data FOLDER_OF_BARS`.

Standard library only. Makes the pinned environment (.venv-train), runs `ibkr-trader train-export` (the live features
stage over the bars) and starts `zoo.py` inside that environment. Without data it says so and changes nothing.
"""
import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENV = ROOT / ".venv-train"


def environment() -> Path:
    """The environment's interpreter; built again when the pins change."""
    pins = hashlib.sha256((HERE / "requirements.txt").read_bytes()).hexdigest()
    stamp = VENV / "pins.sha256"
    python = VENV / "bin" / "python"
    if not (python.exists() and stamp.exists() and stamp.read_text() == pins):
        print("making .venv-train with the pinned packages ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(HERE / "requirements.txt")], check=True)
        stamp.write_text(pins)
    return python


def arguments():
    args = argparse.ArgumentParser(prog="models/train", description=__doc__.splitlines()[0])
    args.add_argument("--data", type=Path, required=True, help="folder of YYYY-MM-DD.csv.gz one-minute bars")
    args.add_argument("--export", type=Path, default=ROOT / ".runtime" / "train", help="where exported rows and the cache of fits go")
    args.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "ibkr-trader")
    args.add_argument("--keep-export", action="store_true", help="use the rows of an earlier run")
    args.add_argument("--out", type=Path, help="folder of the zoo; models/ unless --quick")
    args.add_argument("--workers", type=int, default=2, help="fits at a time, one CPU each")
    args.add_argument("--test-from", help="first day that nothing is trained on (default: the shipped zoo's)")
    args.add_argument("--open-test-week", action="store_true", help="score the test days too; the look is logged")
    args.add_argument("--quick", action="store_true", help="all models on few days and rows, to test the pipeline; no evidence")
    return args.parse_args()


def problem(given):
    """Why this can't start, or None."""
    if sys.version_info < (3, 11):
        return "Python 3.11 or newer is needed"
    if not given.data.is_dir() or not any(given.data.glob("*.csv.gz")):
        return f"no bars at {given.data}: name a folder of YYYY-MM-DD.csv.gz files with --data"
    if given.workers < 1:
        return "--workers must be 1 or more"
    if given.keep_export and not (given.export / "export.json").exists():
        return f"{given.export} holds no earlier export: leave --keep-export out"
    if not given.keep_export and not given.binary.exists():
        return f"{given.binary} is missing: run `make build` first"
    return None


def main() -> int:
    given = arguments()
    why = problem(given)
    if why:
        print(f"models/train: {why}", file=sys.stderr)
        return 1
    if not given.keep_export:
        print("exporting features ...", flush=True)
        export = [str(given.binary), "train-export", "--data", str(given.data), "--out", str(given.export)]
        done = subprocess.run(export)
        if done.returncode:
            return done.returncode
    zoo = [str(environment()), str(HERE / "zoo.py"), "--export", str(given.export), "--data", str(given.data), "--workers", str(given.workers)]
    out = given.out or (None if given.quick else ROOT / "models")
    zoo += ["--out", str(out)] if out else []
    zoo += ["--test-from", given.test_from] if given.test_from else []
    zoo += [f"--{flag}" for flag, on in (("open-test-week", given.open_test_week), ("quick", given.quick)) if on]
    # One thread per worker: sums of gradients depend on the count, and the shipped files should be reproducible.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu",
               "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    return subprocess.run(zoo, env={**os.environ, **threads}).returncode


if __name__ == "__main__":
    sys.exit(main())
