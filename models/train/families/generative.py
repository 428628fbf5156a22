"""VAE and GAN: what the inputs look like, and forecasts that lean on it."""
import jax
import jax.numpy as jnp
import numpy as np

from data import CLIP, HORIZONS
from families.common import File, Fitted, moments, scores
from families.nets import Adam, apply, dense, forward, train
from families.perceptron import Dense
from to_onnx import Graph

LATENT = 8
HEAD_LAYERS = (16,)
KL_WEIGHT = 0.1
VAE_EPOCHS, VAE_BATCH, VAE_RATE = 6, 1024, 3e-3


def _encode(params, z):
    return apply(params["mean"], jnp.tanh(apply(params["enc"], z)))


def _decode(params, latent):
    return apply(params["out"], jnp.tanh(apply(params["dec"], latent)))


def _vae_loss(params, z, noise):
    hidden = jnp.tanh(apply(params["enc"], z))
    mean, log_var = apply(params["mean"], hidden), jnp.clip(apply(params["var"], hidden), -8, 4)
    back = _decode(params, mean + noise * jnp.exp(0.5 * log_var))
    divergence = 0.5 * (mean**2 + jnp.exp(log_var) - log_var - 1).sum(axis=1)
    return (0.5 * ((z - back) ** 2).sum(axis=1) + KL_WEIGHT * divergence).mean()


def _vae(params, z):
    latent = _encode(params, z)
    return latent, ((z - _decode(params, latent)) ** 2).mean(axis=1)


class _Noise:
    """Fresh normal noise whatever rows are picked."""

    def __init__(self, rng, width):
        self.rng, self.width = rng, width

    def __getitem__(self, pick):
        return self.rng.standard_normal((len(pick), self.width), np.float32)


class Vae(Fitted):
    """Encoder means of a variational autoencoder (trained without labels) and a small head on them; anomaly = squared
    reconstruction error over its mean in training (1 = ordinary). Twin: as many principal components, same head."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        self.mean, self.std = moments(rows.own)
        z = ((rows.own - self.mean) / self.std).astype(np.float32)
        rng = np.random.default_rng(seed)
        width = z.shape[1]
        params = {"enc": dense(rng, width, 32), "mean": dense(rng, 32, LATENT), "var": dense(rng, 32, LATENT, 0.1),
                  "dec": dense(rng, LATENT, 32), "out": dense(rng, 32, width)}
        self.params = train(_vae_loss, params, (z, _Noise(rng, LATENT)), rng, VAE_EPOCHS, VAE_RATE, VAE_BATCH)
        latent, error = forward(_vae, self.params, z)
        self.ordinary = float(error.mean())
        self.head = Dense(latent, rows.y, seed, HEAD_LAYERS)
        _, _, axes = np.linalg.svd(np.cov(z.T.astype(np.float64)))
        self.axes = axes[:LATENT].T.astype(np.float32)
        self.twin = Dense(z @ self.axes, rows.y, seed, HEAD_LAYERS)

    def predict(self, x):
        z = ((x[:, :len(self.inputs)] - self.mean) / self.std).astype(np.float32)
        latent, error = forward(_vae, self.params, z)
        return {"score": self.head(latent), "anomaly": error / self.ordinary, "twin": self.twin(z @ self.axes)}

    def export(self):
        p, g = self.params, Graph(len(self.inputs))
        z = g.standardise("x", self.mean, self.std)
        latent = g.affine(g.op("Tanh", g.affine(z, p["enc"]["w"], p["enc"]["b"])), p["mean"]["w"], p["mean"]["b"])
        back = g.affine(g.op("Tanh", g.affine(latent, p["dec"]["w"], p["dec"]["b"])), p["out"]["w"], p["out"]["b"])
        gap = g.op("Sub", z, back)
        anomaly = g.op("MatMul", g.op("Mul", gap, gap), g.const(np.full((len(self.inputs), 1), 1 / len(self.inputs) / self.ordinary)))
        y = g.op("Concat", self.head.graph(g, latent), anomaly, axis=1)
        return [File("vae", scores() + ["anomaly"], self.inputs, g.model(y, len(HORIZONS) + 1))]


SEEDS = 32  # width of the generator's noise
GENERATED = 0.25  # of the real rows
GAN_RATE, GAN_STEPS, GAN_BATCH = 2e-3, 1200, 512
MATCH = 2.0  # weight of the moments in the generator's loss
INSTANCE_NOISE = 0.2  # on what the critic sees in training: real and generated rows overlap, so it always has a slope


def _generate(params, noise):
    return apply(params["out"], jax.nn.relu(apply(params["g2"], jax.nn.relu(apply(params["g1"], noise)))))


def _critic(params, rows):
    at = rows
    for name in ("d1", "d2"):
        at = jax.nn.leaky_relu(apply(params[name], at), 0.2)
    return apply(params["real"], at)[:, 0]


def _joint(z, y, shown):
    """Inputs, labels where shown, and the flag: so the critic can also judge inputs alone."""
    return jnp.concatenate([z, y * shown, shown], axis=1)


def _critic_loss(params, real, made, shown):
    width = made.shape[1] - len(HORIZONS)
    true = _critic(params, _joint(real[:, :width], real[:, width:], shown))
    false = _critic(params, _joint(made[:, :width], made[:, width:], shown))
    return (0.9 * jax.nn.softplus(-true) + 0.1 * jax.nn.softplus(true)).mean() + jax.nn.softplus(false).mean()


def _moment_gap(made, real):
    """Feature matching (Salimans et al. 2016) on means and covariances: keeps a small generator from drifting off."""
    first = made.mean(axis=0) - real.mean(axis=0)
    a, b = made - made.mean(axis=0), real - real.mean(axis=0)
    second = (a.T @ a - b.T @ b) / len(real)
    return (first**2).mean() + (second**2).mean()


def _generator_loss(params, critic, noise, shown, real):
    made = _generate(params, noise)
    width = made.shape[1] - len(HORIZONS)
    doubt = jax.nn.softplus(-_critic(critic, _joint(made[:, :width], made[:, width:], shown))).mean()
    return doubt + MATCH * _moment_gap(made, real)


def _realism(params, z):
    rows = jnp.concatenate([z, jnp.zeros((z.shape[0], len(HORIZONS) + 1))], axis=1)
    return jax.nn.sigmoid(_critic(params, rows))


_made = jax.jit(_generate)


class Gan(Fitted):
    """A generator of rows with their labels and a critic that sees the labels of half of the rows; realism = the critic on
    the inputs alone. The head is the MLP trained on real and generated rows: without those it is the MLP, its twin."""

    def __init__(self, rows, seed):
        self.inputs = rows.columns[:rows.inputs]
        full = np.isfinite(rows.y).all(axis=1)
        self.mean, self.std = moments(rows.own)
        self.spread = rows.y[full].std(axis=0)
        real = np.concatenate([(rows.own[full] - self.mean) / self.std, rows.y[full] / self.spread], axis=1).astype(np.float32)
        rng = np.random.default_rng(seed)
        generator = self._contest(real, rng)
        noise = rng.standard_normal((int(GENERATED * len(rows.x)), SEEDS), np.float32)
        made = forward(_generate, generator, noise)
        x = np.concatenate([rows.own, made[:, :rows.inputs] * self.std + self.mean]).astype(np.float32)
        y = np.concatenate([rows.y, np.clip(made[:, rows.inputs:] * self.spread, -CLIP, CLIP)]).astype(np.float32)
        self.head = Dense(x, y, seed)

    def _contest(self, real, rng):
        width = real.shape[1]
        generator = {"g1": dense(rng, SEEDS, 64), "g2": dense(rng, 64, 64), "out": dense(rng, 64, width, 0.7)}
        critic = {"d1": dense(rng, width + 1, 48), "d2": dense(rng, 48, 24), "real": dense(rng, 24, 1, 0.5)}
        batch = min(GAN_BATCH, len(real))
        g = Adam(_generator_loss, generator, GAN_RATE, GAN_STEPS, decay=0.0, momentum=0.5)
        d = Adam(_critic_loss, critic, GAN_RATE, GAN_STEPS, decay=0.0, momentum=0.5)
        blur = lambda rows: rows + np.float32(INSTANCE_NOISE) * rng.standard_normal(rows.shape, np.float32)
        for _ in range(GAN_STEPS):
            rows = real[rng.integers(len(real), size=batch)]
            noise = rng.standard_normal((batch, SEEDS), np.float32)
            shown = (rng.random((batch, 1)) < 0.5).astype(np.float32)
            d.update(blur(rows), blur(np.asarray(_made(g.params, noise))), shown)
            g.update(d.params, noise, shown, rows)
        self.critic = jax.tree.map(np.asarray, d.params)
        return g.params

    def predict(self, x):
        own = x[:, :len(self.inputs)]
        return {"score": self.head(own), "realism": forward(_realism, self.critic, (own - self.mean) / self.std)}

    def export(self):
        width, c, g = len(self.inputs), self.critic, Graph(len(self.inputs))
        at = g.standardise("x", self.mean, self.std)
        at = g.op("LeakyRelu", g.affine(at, c["d1"]["w"][:width], c["d1"]["b"]), alpha=0.2)
        at = g.op("LeakyRelu", g.affine(at, c["d2"]["w"], c["d2"]["b"]), alpha=0.2)
        realism = g.op("Sigmoid", g.affine(at, c["real"]["w"], c["real"]["b"]))
        y = g.op("Concat", self.head.graph(g, "x"), realism, axis=1)
        return [File("gan", scores() + ["realism"], self.inputs, g.model(y, len(HORIZONS) + 1))]
