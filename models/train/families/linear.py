"""Linear models: ridge (baseline and twin), regimes, change points, and follow-the-regularised-leader."""
import numpy as np

from data import CHANGE_POINT, CONTEXT, CLIP, HORIZONS
from families.common import File, Fitted, moments, ridge, scores
from to_onnx import Graph

PENALTY = 1e3
REGIMES = 3
REGIME_COLUMNS = ("vol_ratio", "time_of_day", *CONTEXT)  # volatility and state of the market
EM_ROWS, EM_ROUNDS = 40_000, 40


class Ridge(Fitted):
    """Linear, standardised: what any family must beat."""

    ships = False
    def __init__(self, rows, seed):
        self.mean, self.std = moments(rows.own)
        self.beta = ridge((rows.own - self.mean) / self.std, rows.y, PENALTY)

    def predict(self, x):
        return {"score": (x[:, :len(self.mean)] - self.mean) / self.std @ self.beta}


class GmmRegime(Fitted):
    """Posterior of a Gaussian mixture over volatility and market state; one ridge per regime, weighted by it."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs] + list(CONTEXT)
        self.own, self.state = rows.inputs, [self.inputs.index(n) for n in REGIME_COLUMNS]
        x = rows.x[:, rows.at(*self.inputs)]
        self.mean, self.std = moments(x)
        z = (x - self.mean) / self.std
        self._mixture(z[:, self.state].astype(np.float64))
        weight = self._posterior(z)
        self.betas = [ridge(z[:, :self.own], rows.y, PENALTY / REGIMES, weight[:, r]) for r in range(REGIMES)]

    def _mixture(self, s):
        """Expectation-maximisation with full covariances, started from the terciles of the volatility ratio."""
        s = s[::max(1, len(s) // EM_ROWS)]
        n, d = s.shape
        rank = np.argsort(np.argsort(s[:, 0], kind="stable"), kind="stable") * REGIMES // n
        share = np.eye(REGIMES)[rank] * 0.8 + 0.2 / REGIMES
        for _ in range(EM_ROUNDS):
            mass = share.sum(axis=0) + 1e-9
            centre = share.T @ s / mass[:, None]
            self.factor, self.offset, self.level = [], [], []
            for r in range(REGIMES):
                gap = s - centre[r]
                spread = (gap * share[:, r:r + 1]).T @ gap / mass[r] + 1e-2 * np.eye(d)
                factor = np.linalg.cholesky(np.linalg.inv(spread))
                self.factor.append(factor)
                self.offset.append(-centre[r] @ factor)
                self.level.append(np.log(mass[r] / n) + np.log(np.diag(factor)).sum())
            share = self._share(s)

    def _share(self, s):
        logs = np.column_stack([c - 0.5 * ((s @ f + o) ** 2).sum(axis=1) for f, o, c in zip(self.factor, self.offset, self.level)])
        logs -= logs.max(axis=1, keepdims=True)
        share = np.exp(logs)
        return share / share.sum(axis=1, keepdims=True)

    def _posterior(self, z):
        return self._share(z[:, self.state].astype(np.float64))

    def predict(self, x):
        z = (x[:, :len(self.inputs)] - self.mean) / self.std
        weight = self._posterior(z)
        return {"score": sum(weight[:, r:r + 1] * (z[:, :self.own] @ b) for r, b in enumerate(self.betas))}

    def export(self):
        """Posterior and regressors in one graph: squares of one product, a softmax, a weighted sum over regimes."""
        width, d, h = len(self.inputs), len(self.state), len(HORIZONS)
        g = Graph(width)
        z = g.standardise("x", self.mean, self.std)
        factor, beta = np.zeros((width, REGIMES * d)), np.zeros((width, REGIMES * h))
        for r in range(REGIMES):
            factor[self.state, r * d:(r + 1) * d] = self.factor[r]
            beta[:self.own, r * h:(r + 1) * h] = self.betas[r]
        gap = g.affine(z, factor, np.concatenate(self.offset))
        summed = np.kron(np.eye(REGIMES), -0.5 * np.ones((d, 1)))
        share = g.op("Softmax", g.affine(g.op("Mul", gap, gap), summed, np.array(self.level)), axis=1)
        wide = g.op("MatMul", share, g.const(np.kron(np.eye(REGIMES), np.ones((1, h)))))
        parts = g.op("Mul", wide, g.op("MatMul", z, g.const(beta)))
        score = g.op("MatMul", parts, g.const(np.tile(np.eye(h), (REGIMES, 1))))
        return [File("gmm_regime", scores(), self.inputs, g.model(score, h))]


class ChangePoint(Fitted):
    """Ridge over the inputs, the run-length posterior's two numbers and their products with the inputs. The columns come
    from Bayesian online change-point detection (Adams & MacKay 2007) in the features."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs] + list(CHANGE_POINT)
        self.take = rows.at(*self.inputs)
        x = rows.x[:, self.take]
        fine = np.isfinite(x).all(axis=1)
        self.mean, self.std = moments(x[fine])
        z = (x[fine] - self.mean) / self.std
        self.beta = ridge(self._wide(z), rows.y[fine], PENALTY)

    def _wide(self, z):
        own, run, change = z[:, :-2], z[:, -2:-1], z[:, -1:]
        return np.concatenate([z, own * run, own * change], axis=1)

    def predict(self, x):
        return {"score": self._wide((x[:, self.take] - self.mean) / self.std) @ self.beta}

    def export(self):
        width = len(self.inputs)
        g = Graph(width)
        z = g.standardise("x", self.mean, self.std)
        own, run, change = g.op("Split", z, g.ints(width - 2, 1, 1), outputs=3, axis=1)
        wide = g.op("Concat", z, g.op("Mul", own, run), g.op("Mul", own, change), axis=1)
        return [File("change_point", scores(), self.inputs, g.model(g.op("MatMul", wide, g.const(self.beta)), len(HORIZONS)))]


class FtrlProximal(Fitted):
    """FTRL-Proximal (McMahan et al. 2013) on squared loss, one row at a time in order of time; it learns on from each
    scored day, as the live model does from realised returns. Last coefficient: the constant 1."""

    ALPHA, BETA, L1, L2 = 0.01, 1.0, 50.0, 1000.0

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        self.mean, self.std = moments(rows.own)
        self.z, self.n = (np.zeros((len(HORIZONS), rows.inputs + 1)) for _ in range(2))
        self._learn(rows.own, rows.y)

    def _standard(self, x):
        z = (x[:, :len(self.inputs)].astype(np.float64) - self.mean) / self.std
        return np.concatenate([z, np.ones((len(z), 1))], axis=1)

    def _learn(self, x, y):
        rows, known = self._standard(x), np.isfinite(y)
        y = np.where(known, y, 0).astype(np.float64)
        for x_t, y_t, on in zip(rows, y, known):
            w = self.weights()
            g = ((w @ x_t - y_t) * on)[:, None] * x_t
            squares = self.n + g * g
            self.z += g - (np.sqrt(squares) - np.sqrt(self.n)) / self.ALPHA * w
            self.n = squares

    def weights(self):
        shrunk = self.z - np.clip(self.z, -self.L1, self.L1)
        return -shrunk / ((self.BETA + np.sqrt(self.n)) / self.ALPHA + self.L2)

    def predict(self, x):
        return {"score": self._standard(x) @ self.weights().T}

    def walk(self, days, stride):
        out = []
        for i, d in enumerate(days):
            out.append(self.predict(d.x))
            pick = d.minute % stride == i % stride
            self._learn(d.x[pick], np.clip(d.y[pick], -CLIP, CLIP))
        return out

    def export(self):
        w = self.weights()
        g = Graph(len(self.inputs))
        y = g.affine("x", w[:, :-1].T / self.std[:, None], w[:, -1] - w[:, :-1] @ (self.mean / self.std))
        state = {"kind": "ftrl_proximal", "alpha": self.ALPHA, "beta": self.BETA, "l1": self.L1, "l2": self.L2,
                 "mean": self.mean.tolist(), "std": self.std.tolist(), "z": self.z.tolist(), "n": self.n.tolist()}
        return [File("ftrl_proximal", scores(), self.inputs, g.model(y, len(HORIZONS)), {"state": state})]
