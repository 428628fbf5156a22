"""Nets that read a row as a sequence or as tokens: convolution, LSTM, attention. One trunk, five heads each.

The sequence: returns over the disjoint spans 60-30, 30-15, 15-10, 10-5, 5-1 and 1-0 minutes ago, oldest first, own and
residual, each over the root of its length; a fixed linear map makes them from the columns. All other inputs go in
beside it.
"""
import jax
import jax.numpy as jnp
import numpy as np

from families.common import File, Fitted, moments, scores
from families.nets import apply, dense, forward, masked, squared_error, train
from to_onnx import Graph

SPANS = (60, 30, 15, 10, 5, 1, 0)
STEPS, CHANNELS = len(SPANS) - 1, 2
WIDTH = 16  # filters, LSTM units, token width
HEADS, HEAD = 2, 8
HIDDEN = 24
OUT = 5

TOKENS = (
    ("ret_1", "ret_2", "ret_3", "ret_5"),
    ("ret_10", "ret_15", "ret_30", "ret_60"),
    ("residual_ret_1", "residual_ret_5", "residual_ret_10"),
    ("residual_ret_15", "residual_ret_30", "residual_ret_60"),
    ("rank_ret_5", "rank_ret_30", "relative_sigma", "vol_ratio"),
    ("range_position_60", "bollinger_z", "efficiency", "rsi"),
    ("day_position", "day_ret", "twap_deviation", "time_of_day"),
)


def sequence_map(inputs):
    """F x (STEPS * CHANNELS): columns to the sequence, step-major. Column k-minute return = sum / root k."""
    out = np.zeros((len(inputs), STEPS * CHANNELS), np.float32)
    for s, (old, new) in enumerate(zip(SPANS, SPANS[1:])):
        for c, stem in enumerate(("ret_", "residual_ret_")):
            scale = np.sqrt(old - new)
            out[inputs.index(f"{stem}{old}"), s * CHANNELS + c] = np.sqrt(old) / scale
            if new:
                out[inputs.index(f"{stem}{new}"), s * CHANNELS + c] = -np.sqrt(new) / scale
    return out


def side_columns(inputs):
    used = {f"{stem}{k}" for stem in ("ret_", "residual_ret_") for k in SPANS}
    return [i for i, n in enumerate(inputs) if n not in used]


class _Sequence(Fitted):
    """What CNN and LSTM share: the map to (sequence, side), standardised, and the dense part behind the trunk."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        side = side_columns(self.inputs)
        self.map = np.concatenate([sequence_map(self.inputs), np.eye(len(self.inputs), dtype=np.float32)[:, side]], axis=1)
        wide = rows.own @ self.map
        self.mean, self.std = moments(wide)
        rng = np.random.default_rng(seed)
        params = self.start(rng, len(side))
        self.params = train(type(self).loss, params, ((wide - self.mean) / self.std, *masked(rows.y)), rng)

    def predict(self, x):
        wide = (x[:, :len(self.inputs)] @ self.map - self.mean) / self.std
        return {"score": forward(type(self).net, self.params, wide)}

    def export(self):
        g = Graph(len(self.inputs))
        wide = g.affine("x", self.map / self.std, -self.mean / self.std)
        cut = STEPS * CHANNELS
        flat, side = g.op("Split", wide, g.ints(cut, self.map.shape[1] - cut), outputs=2, axis=1)
        steps = g.op("Reshape", flat, g.ints(-1, STEPS, CHANNELS))
        joined = g.op("Concat", self.trunk(g, steps), side, axis=1)
        hidden = g.op("Relu", g.affine(joined, self.params["mix"]["w"], self.params["mix"]["b"]))
        y = g.affine(hidden, self.params["out"]["w"], self.params["out"]["b"])
        return [File(self.stem, scores(), self.inputs, g.model(y, OUT))]


def _split(wide):
    cut = STEPS * CHANNELS
    return wide[:, :cut].reshape(-1, STEPS, CHANNELS), wide[:, cut:]


def _behind(params, trunk, side):
    return apply(params["out"], jax.nn.relu(apply(params["mix"], jnp.concatenate([trunk, side], axis=1))))


def _cnn(params, wide):
    steps, side = _split(wide)
    for name in ("conv1", "conv2"):
        padded = jnp.pad(steps, ((0, 0), (1, 1), (0, 0)))
        windows = jnp.concatenate([padded[:, i:i + STEPS] for i in range(3)], axis=2)
        steps = jax.nn.relu(apply(params[name], windows))
    return _behind(params, steps.reshape(-1, STEPS * WIDTH), side)


def _cnn_loss(params, wide, target, known):
    return squared_error(_cnn(params, wide), target, known)


class TabCnn(_Sequence):
    """Two convolutions of three steps and 16 filters over the sequence."""

    stem, net, loss = "tab_cnn", staticmethod(_cnn), staticmethod(_cnn_loss)

    @staticmethod
    def start(rng, side):
        return {"conv1": dense(rng, 3 * CHANNELS, WIDTH), "conv2": dense(rng, 3 * WIDTH, WIDTH),
                "mix": dense(rng, STEPS * WIDTH + side, WIDTH), "out": dense(rng, WIDTH, OUT, 0.1)}

    def trunk(self, g, steps):
        at = g.op("Transpose", steps, perm=[0, 2, 1])
        for name in ("conv1", "conv2"):
            w = self.params[name]["w"]  # (step, channel) x filter -> filter x channel x step
            kernel = w.reshape(3, -1, WIDTH).transpose(2, 1, 0)
            at = g.op("Relu", g.op("Conv", at, g.const(kernel), g.const(self.params[name]["b"]), kernel_shape=[3], pads=[1, 1]))
        return g.op("Reshape", g.op("Transpose", at, perm=[0, 2, 1]), g.ints(-1, STEPS * WIDTH))


def _lstm(params, wide):
    steps, side = _split(wide)
    h = c = jnp.zeros((steps.shape[0], WIDTH))
    for s in range(STEPS):
        gates = apply(params["input"], steps[:, s]) + h @ params["again"]
        i, o, f, u = jnp.split(gates, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return _behind(params, h, side)


def _lstm_loss(params, wide, target, known):
    return squared_error(_lstm(params, wide), target, known)


class TabLstm(_Sequence):
    """An LSTM of 16 units over the sequence, oldest span first; its last state is the trunk."""

    stem, net, loss = "tab_lstm", staticmethod(_lstm), staticmethod(_lstm_loss)

    @staticmethod
    def start(rng, side):
        gates = dense(rng, CHANNELS, 4 * WIDTH, 0.7)
        gates["b"][2 * WIDTH:3 * WIDTH] = 1.0  # remember at first
        again = rng.normal(0, 1 / np.sqrt(WIDTH), (WIDTH, 4 * WIDTH)).astype(np.float32)
        return {"input": gates, "again": again, "mix": dense(rng, WIDTH + side, HIDDEN), "out": dense(rng, HIDDEN, OUT, 0.1)}

    def trunk(self, g, steps):
        p = self.params
        bias = np.concatenate([p["input"]["b"], np.zeros(4 * WIDTH)])
        in_time = g.op("Transpose", steps, perm=[1, 0, 2])
        _, last = g.op("LSTM", in_time, g.const(p["input"]["w"].T[None]), g.const(p["again"].T[None]), g.const(bias[None]),
                       outputs=2, hidden_size=WIDTH)
        return g.op("Squeeze", last, g.ints(0))


def _norm(x, layer):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * layer["w"][0] + layer["b"]


def _transformer(params, wide):
    n, t = wide.shape[0], len(TOKENS)
    x = apply(params["embed"], wide).reshape(n, t, WIDTH)
    q, k, v = (apply(params[p], _norm(x, params["norm1"])).reshape(n, t, HEADS, HEAD).transpose(0, 2, 1, 3) for p in "qkv")
    share = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(HEAD), axis=-1)
    x = x + apply(params["join"], (share @ v).transpose(0, 2, 1, 3).reshape(n, t, WIDTH))
    x = x + apply(params["ff2"], jax.nn.relu(apply(params["ff1"], _norm(x, params["norm2"]))))
    return apply(params["out"], _norm(x.mean(axis=1), params["norm3"]))


def _transformer_loss(params, wide, mask, target, known):
    masked_embed = {**params, "embed": {"w": params["embed"]["w"] * mask, "b": params["embed"]["b"]}}
    return squared_error(_transformer(masked_embed, wide), target, known)


class TabTransformer(Fitted):
    """Seven tokens, one per group of columns, 16 wide; one layer of two heads; mean over tokens."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        self.mean, self.std = moments(rows.own)
        rng = np.random.default_rng(seed)
        mask = np.zeros((rows.inputs, len(TOKENS) * WIDTH), np.float32)
        for t, names in enumerate(TOKENS):
            mask[[self.inputs.index(n) for n in names], t * WIDTH:(t + 1) * WIDTH] = 1
        embed = dense(rng, 4, mask.size // 4)["w"].reshape(mask.shape) * mask
        norm = lambda: {"w": np.ones((1, WIDTH), np.float32), "b": np.zeros(WIDTH, np.float32)}
        token = rng.normal(0, 0.3, mask.shape[1]).astype(np.float32)
        params = {"embed": {"w": embed, "b": token}, "norm1": norm(), "norm2": norm(), "norm3": norm(), "out": dense(rng, WIDTH, OUT, 0.1),
                  **{p: dense(rng, WIDTH, WIDTH, 0.7) for p in ("q", "k", "v", "join")},
                  "ff1": dense(rng, WIDTH, 2 * WIDTH), "ff2": dense(rng, 2 * WIDTH, WIDTH, 0.5)}
        z = (rows.own - self.mean) / self.std
        self.params = train(_transformer_loss, params, (z, _Constant(mask), *masked(rows.y)), rng)
        self.params["embed"]["w"] = self.params["embed"]["w"] * mask

    def predict(self, x):
        return {"score": forward(_transformer, self.params, (x[:, :len(self.inputs)] - self.mean) / self.std)}

    def export(self):
        p, t = self.params, len(TOKENS)
        g = Graph(len(self.inputs))
        norm = lambda at, name: g.op("LayerNormalization", at, g.const(p[name]["w"][0]), g.const(p[name]["b"]), epsilon=1e-5, axis=-1)
        layer = lambda at, name: g.op("Add", g.op("MatMul", at, g.const(p[name]["w"])), g.const(p[name]["b"]))
        split = lambda at, perm: g.op("Transpose", g.op("Reshape", at, g.ints(-1, t, HEADS, HEAD)), perm=perm)
        x = g.op("Reshape", g.affine(g.standardise("x", self.mean, self.std), p["embed"]["w"], p["embed"]["b"]), g.ints(-1, t, WIDTH))
        first = norm(x, "norm1")
        q, k, v = (split(layer(first, n), [0, 2, 3, 1] if n == "k" else [0, 2, 1, 3]) for n in "qkv")
        share = g.op("Softmax", g.op("Mul", g.op("MatMul", q, k), g.const(1 / np.sqrt(HEAD))), axis=-1)
        mixed = g.op("Reshape", g.op("Transpose", g.op("MatMul", share, v), perm=[0, 2, 1, 3]), g.ints(-1, t, WIDTH))
        x = g.op("Add", x, layer(mixed, "join"))
        x = g.op("Add", x, layer(g.op("Relu", layer(norm(x, "norm2"), "ff1")), "ff2"))
        pooled = g.op("ReduceMean", x, axes=[1], keepdims=0)
        y = g.affine(norm(pooled, "norm3"), p["out"]["w"], p["out"]["b"])
        return [File("tab_transformer", scores(), self.inputs, g.model(y, OUT))]


class _Constant:
    """The same array whatever rows are picked: for an argument of a loss that no row owns."""

    def __init__(self, value):
        self.value = value

    def __getitem__(self, _):
        return self.value
