"""A trunk of dense layers with five heads, in plain numpy; also the head of GAN and VAE and the twin of the sequence nets."""
import numpy as np

from families.common import File, Fitted, moments, scores
from to_onnx import Graph

LAYERS = (32, 16)
WIDE = (48, 24)  # about as many weights as the sequence nets


class Dense:
    """Standardised inputs, ReLU layers, AdamW on the squared error of the known labels, cosine rate."""

    def __init__(self, x, y, seed, layers=LAYERS, epochs=4, batch=2048, rate=1e-3, decay=1e-3):
        rng = np.random.default_rng(seed)
        mean, std = moments(x)
        known = np.isfinite(y)
        target = np.where(known, y, 0).astype(np.float32)
        z = ((x - mean) / std).astype(np.float32)
        sizes = (x.shape[1], *layers, y.shape[1])
        weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in zip(sizes, sizes[1:])]
        weights[-1] *= 0.1
        biases = [np.zeros(b, np.float32) for b in sizes[1:]]
        batch = min(batch, len(z))
        means = [[np.zeros_like(p), np.zeros_like(p)] for p in weights + biases]
        step, steps = 0, epochs * (len(z) // batch)
        for _ in range(epochs):
            order = rng.permutation(len(z))
            for start in range(0, len(z) - batch + 1, batch):
                rows = order[start:start + batch]
                step += 1
                gradients = _gradients(z[rows], target[rows], known[rows], weights, biases)
                now = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
                _adamw(weights + biases, gradients, means, step, now, decay, len(weights))
        # Inputs are standardised inside the network: fold mean and std into the first layer.
        weights[0] = (weights[0] / std[:, None]).astype(np.float32)
        biases[0] = (biases[0] - mean @ weights[0]).astype(np.float32)
        self.weights, self.biases = weights, biases

    def __call__(self, x):
        a = x.astype(np.float32)
        for i, (w, b) in enumerate(zip(self.weights, self.biases)):
            a = a @ w + b
            if i + 1 < len(self.weights):
                a = np.maximum(a, 0)
        return a

    def graph(self, graph, at):
        return graph.relu_stack(at, self.weights, self.biases)


def _gradients(x, target, known, weights, biases):
    layers = [x]
    for i, (w, b) in enumerate(zip(weights, biases)):
        a = layers[-1] @ w + b
        layers.append(np.maximum(a, 0) if i + 1 < len(weights) else a)
    delta = (layers[-1] - target) * known * np.float32(2 / max(known.sum(), 1))
    gw, gb = [], []
    for i in reversed(range(len(weights))):
        gw.insert(0, layers[i].T @ delta)
        gb.insert(0, delta.sum(axis=0))
        if i:
            delta = (delta @ weights[i].T) * (layers[i] > 0)
    return gw + gb


def _adamw(params, gradients, means, step, rate, decay, decayed):
    for i, (p, g, m) in enumerate(zip(params, gradients, means)):
        m[0] += 0.1 * (g - m[0])
        m[1] += 0.001 * (g * g - m[1])
        update = (m[0] / (1 - 0.9**step)) / (np.sqrt(m[1] / (1 - 0.999**step)) + 1e-8)
        p -= (rate * (update + (decay * p if i < decayed else 0))).astype(np.float32)


class Mlp(Fitted):
    """The family: 32 and 16 wide."""

    layers = LAYERS

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        self.net = Dense(rows.own, rows.y, seed, self.layers)

    def predict(self, x):
        return {"score": self.net(x[:, :len(self.inputs)])}

    def export(self):
        graph = Graph(len(self.inputs))
        return [File("mlp", scores(), self.inputs, graph.model(self.net.graph(graph, "x"), len(scores())))]


class MlpWide(Mlp):
    """The twin of CNN, LSTM and transformer."""

    ships = False
    layers = WIDE
