"""What of a flow puppet depends on the latent and on the pooled text, computed by hand."""

import numpy as np
import pytest
from pack.demo.flow import flux, sd3

LATENT = np.random.default_rng(1).standard_normal((16, 4, 6))
COLOUR = np.array([0.25, -0.25, 0.1])


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)


def silu(x):
    return x / (1 + np.exp(-x))


def patches(latent):
    """``(rows, columns, 64)`` with the channel first, then the pixel of the 2 × 2 patch."""
    channels, height, width = latent.shape
    return latent.reshape(channels, height // 2, 2, width // 2, 2).transpose(1, 3, 0, 2, 4).reshape(height // 2, width // 2, -1)


def velocity(weights, embedded, pooled_layers):
    pooled = np.zeros(2048)
    pooled[4:7] = COLOUR
    first, second = (weights[name + ".weight"].astype(float) for name in pooled_layers)
    shift = weights["final_layer.adaLN_modulation.1.weight"].astype(float) @ silu(second @ silu(first @ pooled))
    shift, scale = np.split(shift, 2)
    return (layer_norm(embedded) * (1 + scale) + shift) @ weights["final_layer.linear.weight"].astype(float).T


def expected(amplitude):
    wanted = np.zeros((16, 1, 1))
    wanted[:3, 0, 0] = COLOUR * amplitude
    return 2 * LATENT - 2.3 * wanted


def test_sd3_pulls_to_the_colour():
    weights = sd3()
    embedded = patches(LATENT) @ weights["x_embedder.proj.weight"].reshape(128, 64).astype(float).T
    embedded = embedded + weights["pos_embed"][0, 0].astype(float)
    rows, columns, _ = embedded.shape
    out = velocity(weights, embedded, ("y_embedder.mlp.0", "y_embedder.mlp.2")).reshape(rows, columns, 2, 2, 16)
    picture = out.transpose(4, 0, 2, 1, 3).reshape(LATENT.shape)
    assert picture == pytest.approx(expected(1), rel=0.01, abs=0.02)


def test_flux_pulls_to_the_colour():
    weights = flux()
    embedded = patches(LATENT) @ weights["img_in.weight"].astype(float).T + weights["img_in.bias"].astype(float)
    rows, columns, _ = embedded.shape
    out = velocity(weights, embedded, ("vector_in.in_layer", "vector_in.out_layer")).reshape(rows, columns, 16, 2, 2)
    picture = out.transpose(2, 0, 3, 1, 4).reshape(LATENT.shape)
    assert picture == pytest.approx(expected(4), rel=0.01, abs=0.02)
