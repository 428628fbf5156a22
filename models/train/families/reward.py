"""RewardBased: a policy trained on utility net of cost, not on error.

Position p = tanh(net); utility = p*r - cost*|p| - RISK*p^2 per horizon, r the target in sigma*sqrt(h). |p| is smooth below
SMOOTH, so that small positions keep the order of their forecasts. The score is p.
"""
import jax.numpy as jnp
import numpy as np

from data import HORIZONS
from families.common import File, Fitted, moments, scores
from families.nets import apply, dense, forward, masked, train
from families.perceptron import LAYERS
from to_onnx import Graph

COST_BPS = 1.0  # half of a round trip, per unit of position
SIGMA_BPS = 8.5  # median sigma of one minute in the training data
COST = (COST_BPS / (SIGMA_BPS * np.sqrt(HORIZONS))).astype(np.float32)
RISK = 0.5
SMOOTH = 0.1


def _policy(params, x):
    at = x
    for name in ("l0", "l1"):
        at = jnp.maximum(apply(params[name], at), 0)
    return jnp.tanh(apply(params["out"], at))


def _loss(params, x, target, known):
    p = _policy(params, x)
    size = jnp.sqrt(p * p + SMOOTH**2) - SMOOTH
    return -jnp.sum(known * (p * target - COST * size - RISK * p * p)) / jnp.maximum(known.sum(), 1)


class RewardBased(Fitted):
    """The net of the MLP with a tanh at its end and another loss: squared error is its twin."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        self.mean, self.std = moments(rows.own)
        rng = np.random.default_rng(seed)
        params = {"l0": dense(rng, rows.inputs, LAYERS[0]), "l1": dense(rng, *LAYERS), "out": dense(rng, LAYERS[1], len(HORIZONS), 0.1)}
        self.params = train(_loss, params, ((rows.own - self.mean) / self.std, *masked(rows.y)), rng)

    def predict(self, x):
        return {"score": forward(_policy, self.params, (x[:, :len(self.inputs)] - self.mean) / self.std)}

    def export(self):
        g = Graph(len(self.inputs))
        layers = [self.params[n] for n in ("l0", "l1", "out")]
        z = g.standardise("x", self.mean, self.std)
        y = g.op("Tanh", g.relu_stack(z, [p["w"] for p in layers], [p["b"] for p in layers]))
        return [File("reward_based", scores(), self.inputs, g.model(y, len(HORIZONS)))]
