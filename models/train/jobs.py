"""Runs the fits on worker processes, one thread each, with a cache: an interrupted run goes on where it stopped.

A result is kept under the hash of the data, of the job's code (its module, `fits.py` and all that they import from here),
of the pins and of the task; change one and the fit is made again.
"""
import ast
import hashlib
import inspect
import multiprocessing
import os
import pickle
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from families import JOBS
from fits import fit
from plan import FINAL, Plan, Task

HERE = Path(__file__).resolve().parent


def data_hash(folder: Path, bars_folder: Path, dates) -> str:
    """Of every byte that training reads."""
    digest = hashlib.sha256((folder / "export.json").read_bytes())
    for d in dates:
        for path in (folder / f"{d}.rows.npy", folder / f"{d}.bars.npy", bars_folder / f"{d}.csv.gz"):
            digest.update(path.read_bytes() if path.exists() else b"absent")
    return digest.hexdigest()


def _imports(path: Path, seen: dict):
    """Local modules that a file imports, and theirs."""
    if path in seen:
        return
    text = path.read_text()
    seen[path] = text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            local = HERE / (node.module.replace(".", "/") + ".py")
            if local.exists():
                _imports(local, seen)


def key(task: Task, plan: Plan, data: str) -> str:
    """Name of the task's result in the cache."""
    seen = {}
    for path in (Path(inspect.getfile(JOBS[task.job])), HERE / "fits.py"):
        _imports(path, seen)
    days = [[plan.dates[i] for i in part] for part in plan.days_of(task.fold)]
    about = [data, (HERE / "requirements.txt").read_text(), repr(task), plan.stride, days]
    about += [seen[p] for p in sorted(seen)]
    return f"{task.job}-{task.fold}-{hashlib.sha256(repr(about).encode()).hexdigest()[:20]}.pkl"


_STATE = {}


def _end_with(parent):
    """A worker whose parent is gone has nobody to fit for."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _start(days_file, plan, digest, number, parent):
    """In each worker: one CPU, the days, the plan."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with number.get_lock():
        mine = number.value
        number.value += 1
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[mine % len(allowed)]})
    _STATE["data"] = pickle.loads(Path(days_file).read_bytes())
    _STATE["plan"], _STATE["digest"] = plan, digest


def _run(task: Task, path: str):
    result = fit(JOBS[task.job], task.seed, task.fold == FINAL, _STATE["data"], *_STATE["plan"].days_of(task.fold), _STATE["plan"].stride)
    if key(task, _STATE["plan"], _STATE["digest"]) != Path(path).name:
        raise RuntimeError("the code was edited during the run")
    part = Path(path).with_suffix(f".{os.getpid()}.part")
    part.write_bytes(pickle.dumps(result, 5))
    part.rename(path)
    return task


class Progress:
    """A bar on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, total_weight, total, log):
        self.total_weight, self.total, self.done_weight, self.done, self.log = max(total_weight, 1e-9), total, 0.0, 0, log
        self.started, self.said = time.monotonic(), 0.0
        self.live = sys.stdout.isatty()

    def step(self, weight, name):
        self.done_weight += weight
        self.done += 1
        gone = time.monotonic() - self.started
        share = self.done_weight / self.total_weight
        left = gone * (1 - share) / max(share, 1e-9)
        bar = "#" * int(30 * share) + "." * (30 - int(30 * share))
        text = f"[{bar}] {self.done}/{self.total} fits, {gone:.0f} s gone, about {left:.0f} s left, last: {name}"
        if self.live:
            print(f"\r{text:<110}", end="\n" if self.done == self.total else "", flush=True)
        elif gone - self.said > 10 or self.done == self.total:
            self.said = gone
            self.log(text)


def run_all(data, plan: Plan, cache: Path, digest: str, workers: int, log) -> dict:
    """{task: result} of every task of the plan; fits what the cache lacks, and drops what the plan no longer needs."""
    cache.mkdir(parents=True, exist_ok=True)
    tasks = plan.tasks()
    paths = {t: cache / key(t, plan, digest) for t in tasks}
    due = [t for t in tasks if not paths[t].exists()]
    log(f"{len(tasks)} fits, {len(tasks) - len(due)} of them kept from an earlier run; {workers} workers")
    if due:
        _fit_all(data, plan, digest, cache, due, paths, workers, log)
    for stale in set(cache.glob("*.pkl")) - set(paths.values()):
        stale.unlink()
    return {t: pickle.loads(p.read_bytes()) for t, p in paths.items()}


def _fit_all(data, plan, digest, cache, due, paths, workers, log):
    days_file = cache / "days.pkl"
    days_file.write_bytes(pickle.dumps(data, 5))
    context = multiprocessing.get_context("spawn")
    weight = lambda t: t.weight * len(plan.days_of(t.fold)[0])
    progress = Progress(sum(map(weight, due)), len(due), log)
    number = context.Value("i", 0)
    with ProcessPoolExecutor(workers, context, _start, (str(days_file), plan, digest, number, os.getpid())) as pool:
        running = {pool.submit(_run, t, str(paths[t])): t for t in due}
        try:
            for future in as_completed(running):
                task = running[future]
                future.result()
                progress.step(weight(task), task.job)
        except Exception as e:
            pool.shutdown(wait=False, cancel_futures=True)
            where = "the final fit" if running[future].fold == FINAL else f"fold {running[future].fold + 1}"
            raise SystemExit(f"fitting {running[future].job} on {where} failed: {e}. What was fitted is kept; run again to go on") from e
    days_file.unlink()
