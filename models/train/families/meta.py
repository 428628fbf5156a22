"""MetaLearning: days are tasks. Reptile (Nichol et al. 2018) finds weights from which a few steps adapt; the shipped net
has taken those steps on the latest training days. The head is conditioned on context (FiLM, Perez et al. 2018)."""
import jax
import jax.numpy as jnp
import numpy as np

from data import CONTEXT, HORIZONS
from families.common import File, Fitted, moments, scores
from families.nets import apply, dense, forward, masked, squared_error
from to_onnx import Graph

FILM = ("vol_ratio", "time_of_day", *CONTEXT)
HIDDEN, HEAD = 32, 16
ROUNDS, INNER, BATCH = 300, 5, 1024
INNER_RATE, OUTER_RATE = 0.05, 0.3
LATEST_DAYS = 3


def _net(params, z):
    """z: inputs first, context columns last."""
    context = z[:, -len(FILM):]
    hidden = jax.nn.relu(apply(params["trunk"], z[:, :-len(FILM)]))
    scale, shift = jnp.split(apply(params["film"], context), 2, axis=1)
    return apply(params["out"], jax.nn.relu(apply(params["head"], hidden * (1 + scale) + shift)))


@jax.jit
def _inner(params, z, target, known):
    """INNER steps of plain gradient descent, one batch each."""
    loss = lambda p, *rows: squared_error(_net(p, rows[0]), rows[1], rows[2])
    for i in range(INNER):
        gradients = jax.grad(loss)(params, z[i], target[i], known[i])
        params = jax.tree.map(lambda p, g: p - INNER_RATE * g, params, gradients)
    return params


class MetaLearning(Fitted):
    """Twin: the same weights before the inner steps."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs] + list(CONTEXT)
        self.own = rows.inputs
        self.film = [self.inputs.index(n) for n in FILM]
        x = rows.x[:, :len(self.inputs)]
        self.mean, self.std = moments(x)
        z = self._standard(x)
        target, known = masked(rows.y)
        rng = np.random.default_rng(seed)
        params = {"trunk": dense(rng, self.own, HIDDEN), "film": dense(rng, len(FILM), 2 * HIDDEN, 0.1),
                  "head": dense(rng, HIDDEN, HEAD), "out": dense(rng, HEAD, len(HORIZONS), 0.1)}
        days = [np.flatnonzero(rows.day == d) for d in np.unique(rows.day)]

        def adapt(start, task):
            pick = rng.choice(task, (INNER, BATCH))
            return _inner(start, z[pick], target[pick], known[pick])

        for r in range(ROUNDS):
            moved = adapt(params, days[rng.integers(len(days))])
            rate = OUTER_RATE * (1 - r / ROUNDS)
            params = jax.tree.map(lambda p, m: p + np.float32(rate) * (m - p), params, moved)
        self.before = jax.tree.map(np.asarray, params)
        self.params = jax.tree.map(np.asarray, adapt(params, np.concatenate(days[-LATEST_DAYS:])))

    def _standard(self, x):
        z = ((x - self.mean) / self.std).astype(np.float32)
        return np.concatenate([z[:, :self.own], z[:, self.film]], axis=1)

    def predict(self, x):
        z = self._standard(x[:, :len(self.inputs)])
        return {"score": forward(_net, self.params, z), "twin": forward(_net, self.before, z)}

    def export(self):
        p, width = self.params, len(self.inputs)
        g = Graph(width)
        pick = np.eye(width, dtype=np.float32)
        z = g.standardise("x", self.mean, self.std)
        trunk, film = np.zeros((width, HIDDEN), np.float32), pick[:, self.film] @ p["film"]["w"]
        trunk[:self.own] = p["trunk"]["w"]
        hidden = g.op("Relu", g.affine(z, trunk, p["trunk"]["b"]))
        scale = g.affine(z, film[:, :HIDDEN], p["film"]["b"][:HIDDEN] + 1)
        shift = g.affine(z, film[:, HIDDEN:], p["film"]["b"][HIDDEN:])
        moved = g.op("Add", g.op("Mul", hidden, scale), shift)
        y = g.relu_stack(moved, [p["head"]["w"], p["out"]["w"]], [p["head"]["b"], p["out"]["b"]])
        return [File("meta_learning", scores(), self.inputs, g.model(y, len(HORIZONS)))]
