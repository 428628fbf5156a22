"""Training of the nets that need automatic differentiation: AdamW with a cosine rate over minibatches, in JAX."""
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

BATCH = 2048
CHUNK = 4096  # rows per forward pass: one shape, so one compilation


def masked(y):
    """Targets with 0 where unknown, and the mask, float32."""
    known = np.isfinite(y)
    return np.where(known, y, 0).astype(np.float32), known.astype(np.float32)


def squared_error(forecast, target, known):
    return jnp.sum(known * (forecast - target) ** 2) / jnp.maximum(known.sum(), 1)


def dense(rng, fan_in, fan_out, gain=1.0):
    """Weights and biases of one layer."""
    w = rng.normal(0, gain * np.sqrt(2 / fan_in), (fan_in, fan_out)).astype(np.float32)
    return {"w": w, "b": np.zeros(fan_out, np.float32)}


def apply(layer, x):
    return x @ layer["w"] + layer["b"]


@lru_cache(maxsize=None)
def _step(loss, decay, momentum):
    """One AdamW step on `loss(params, *arrays)`; compiled once per loss."""

    def step(params, first, second, count, rate, *arrays):
        gradients = jax.grad(loss)(params, *arrays)
        first = jax.tree.map(lambda m, g: momentum * m + (1 - momentum) * g, first, gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)

        def move(p, m, v):
            update = (m / (1 - momentum**count)) / (jnp.sqrt(v / (1 - 0.999**count)) + 1e-8)
            return p - rate * (update + (decay * p if p.ndim > 1 else 0))

        return jax.tree.map(move, params, first, second), first, second

    return jax.jit(step)


class Adam:
    """Parameters being trained on one loss."""

    def __init__(self, loss, params, rate, steps, decay=1e-3, momentum=0.9):
        self.params, self.rate, self.steps, self.count = params, rate, max(1, steps), 0
        self.first = jax.tree.map(np.zeros_like, params)
        self.second = jax.tree.map(np.zeros_like, params)
        self.step = _step(loss, decay, momentum)

    def update(self, *arrays):
        self.count += 1
        rate = self.rate * 0.5 * (1 + np.cos(np.pi * self.count / self.steps))
        self.params, self.first, self.second = self.step(
            self.params, self.first, self.second, np.float32(self.count), np.float32(rate), *arrays)


def batches(rng, rows, epochs, batch):
    """Index sets of equal size, a new order each epoch."""
    for _ in range(epochs):
        order = rng.permutation(rows)
        for start in range(0, rows - batch + 1, batch):
            yield order[start:start + batch]


def train(loss, params, arrays, rng, epochs=4, rate=1e-3, batch=BATCH, **options):
    """Trains `params` on row-aligned `arrays`; returns plain numpy weights."""
    rows = len(arrays[0])
    batch = min(batch, rows)
    adam = Adam(loss, params, rate, epochs * (rows // batch), **options)
    for pick in batches(rng, rows, epochs, batch):
        adam.update(*(a[pick] for a in arrays))
    return jax.tree.map(np.asarray, adam.params)


@lru_cache(maxsize=None)
def _forward(net):
    return jax.jit(net)


def forward(net, params, x):
    """`net(params, x)` over all rows in chunks of one shape."""
    out = []
    for start in range(0, len(x), CHUNK):
        part = x[start:start + CHUNK].astype(np.float32)
        padded = np.zeros((CHUNK, x.shape[1]), np.float32)
        padded[:len(part)] = part
        out.append(jax.tree.map(lambda a: np.asarray(a)[:len(part)], _forward(net)(params, padded)))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *out)
