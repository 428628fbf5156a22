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


def main() -> int:
    args = argparse.ArgumentParser(prog="models/train", description=__doc__.splitlines()[0])
    args.add_argument("--data", type=Path, help="folder of YYYY-MM-DD.csv.gz one-minute bars")
    args.add_argument("--export", type=Path, default=ROOT / ".runtime" / "train", help="where exported rows go")
    args.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "ibkr-trader")
    args.add_argument("--keep-export", action="store_true", help="use the rows of an earlier run")
    args.add_argument("--open-test-week", action="store_true", help="score the test week too; the look is logged")
    given = args.parse_args()
    if sys.version_info < (3, 11):
        print("models/train needs Python 3.11 or newer", file=sys.stderr)
        return 1
    if not given.keep_export:
        if given.data is None or not given.data.is_dir():
            print(f"no bars at {given.data}: name a folder of YYYY-MM-DD.csv.gz files with --data", file=sys.stderr)
            return 1
        if not given.binary.exists():
            print(f"{given.binary} is missing: run `make build` first", file=sys.stderr)
            return 1
        export = [str(given.binary), "train-export", "--data", str(given.data), "--out", str(given.export)]
        subprocess.run(export, check=True)
    elif not (given.export / "export.json").exists():
        print(f"{given.export} holds no earlier export: leave --keep-export out", file=sys.stderr)
        return 1
    zoo = [str(environment()), str(HERE / "zoo.py"), "--export", str(given.export)]
    if given.open_test_week:
        zoo.append("--open-test-week")
    # One thread: sums of gradients depend on the count, and the shipped files should be reproducible.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(zoo, env={**os.environ, **threads}).returncode


if __name__ == "__main__":
    sys.exit(main())
