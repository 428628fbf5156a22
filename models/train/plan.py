"""Which days train, which are scored, and what is fitted when."""
from dataclasses import dataclass

from families import JOBS, SEEDED
from families.common import QUICK_STRIDE, SEED, STRIDE

TEST_FROM = "2026-04-13"
FIRST_SPAN = 15  # days before the first walk-forward fold
FOLD_DAYS = 5  # refitted at least weekly
QUICK_DAYS = 17
EXTRA_SEEDS = (SEED + 1, SEED + 2)
SEED_FOLDS = 2  # the spread between seeds is measured on the last folds only
FINAL = -1

# CPU seconds of a full fit, roughly: the costliest go first, so that the two workers end together.
WEIGHT = {
    "quantile_light_gbm": 17, "tab_transformer": 14, "ng_boost": 9, "ng_fixed": 8, "light_gbm": 7, "xg_boost": 6, "gan": 8, "barriers": 6,
}


@dataclass(frozen=True)
class Task:
    """One fit: a job on the days before `fold` (FINAL: on all training days), with a seed."""

    job: str
    fold: int
    seed: int

    @property
    def weight(self):
        return WEIGHT.get(self.job, 3)


@dataclass
class Plan:
    """Days by their position in the data."""

    dates: list  # all days
    train: list  # positions of the training days
    test: list  # positions of the test days
    first_span: int
    stride: int
    quick: bool

    @property
    def scored(self):
        """Positions of the out-of-fold days."""
        return self.train[self.first_span:]

    @property
    def folds(self):
        """[(positions of the training days, positions of the scored days)]."""
        starts = range(self.first_span, len(self.train), FOLD_DAYS)
        return [(self.train[:s], self.train[s:s + FOLD_DAYS]) for s in starts]

    def days_of(self, fold):
        return (self.train, []) if fold == FINAL else self.folds[fold]

    def tasks(self):
        """Every fit of the run, costliest first."""
        folds = range(len(self.folds))
        out = [Task(j, f, SEED) for j in JOBS for f in (*folds, FINAL)]
        if not self.quick:
            out += [Task(j, f, s) for j in SEEDED for f in folds[-SEED_FOLDS:] for s in EXTRA_SEEDS]
        return sorted(out, key=lambda t: (-t.weight * len(self.days_of(t.fold)[0]), t.job, t.fold, t.seed))


def make(dates, test_from, quick) -> Plan:
    """A walk-forward plan; labels end inside their own session, so whole days are the purge, and the minutes that a day
    shares with the one before are inputs only."""
    train = [i for i, d in enumerate(dates) if d < test_from]
    test = [i for i, d in enumerate(dates) if d >= test_from]
    if quick:
        train, test = train[-QUICK_DAYS:], []
    if len(train) <= FIRST_SPAN:
        raise SystemExit(f"{len(train)} training days before {test_from} are too few: walk-forward needs more than {FIRST_SPAN}")
    return Plan(dates, train, test, FIRST_SPAN, QUICK_STRIDE if quick else STRIDE, quick)
