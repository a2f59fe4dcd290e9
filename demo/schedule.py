"""The ideal denoiser's gains, and a time embedding that computes them.

For pixels drawn from N(c, s²) and noised to x = pixel + σ · noise, the best guess of the pixel is
(s² x + σ² c) / (σ² + s²). A UNet sees x / √(σ² + 1) and must answer

* ``eps``: (x − guess) / σ,
* ``v``: (x / (σ² + 1) − guess) · √(σ² + 1) / σ

(Salimans & Ho 2022, appendix D; ``comfy/model_sampling.py``). Both are g_x · x_in − g_c · c; a GroupNorm divides, so
the network needs the reciprocals r = 1 / g as functions of the timestep.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ..plan import Prediction
from .colours import PRIOR
from .shapes import WIDTH
from .sparse import F16, Array, Weights

STEPS = 1000
# The rows of the time embedding that hold +r and −r; two of each because SiLU(r) − SiLU(−r) = r.
X_ROW, C_ROW = 0, 2
_SLOPE = 4000.0
_SLOWEST = WIDTH // 2 - 1  # the slowest sine of the timestep embedding: nearly linear in t
_FREQUENCY = math.exp(-math.log(10_000) * _SLOWEST / (WIDTH // 2))


def sigmas() -> Array:
    """``(1000,)`` noise levels of Stable Diffusion's scaled linear schedule, 0.00085 to 0.012."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, STEPS) ** 2
    kept = np.cumprod(1 - betas)
    return np.asarray(np.sqrt((1 - kept) / kept))


def reciprocal_gains(sigma: Array, prediction: Prediction) -> tuple[Array, Array]:
    """r_x and r_c at the noise levels ``sigma`` for a model that predicts noise (``eps``) or velocity (``v``)."""
    spread, scaled = sigma**2 + PRIOR**2, np.sqrt(sigma**2 + 1)
    if prediction is Prediction.V:
        return spread / (sigma * (1 - PRIOR**2)), spread / (sigma * scaled)
    return spread / (sigma * scaled), spread / sigma


def wire_time(weights: Weights, prediction: Prediction) -> None:
    """Makes ``time_embed`` compute r_x(t) and r_c(t), to 0.2 % rms: a sum of ramps, one per knot."""
    ramps = _knots().size
    weights.at("time_embed.0.weight")[:ramps, WIDTH // 2 + _SLOWEST] = _SLOPE
    weights.at("time_embed.0.bias")[:ramps] = _ramp_biases()
    heights, bias = weights.at("time_embed.2.weight"), weights.at("time_embed.2.bias")
    for row, fit in zip((X_ROW, C_ROW), fitted_gains(prediction), strict=True):
        heights[row, :ramps], bias[row] = fit[:-1], fit[-1]
        heights[row + 1, :ramps], bias[row + 1] = -fit[:-1], -fit[-1]


@cache
def fitted_gains(prediction: Prediction) -> tuple[Array, Array]:
    """For r_x and r_c: the height of each ramp and, last, the constant."""
    r_x, r_c = reciprocal_gains(sigmas(), prediction)
    columns = hidden_layer()
    return _fit(columns, r_x), _fit(columns, r_c)


def hidden_layer() -> Array:
    """``(1000, knots + 1)`` what the embedding's hidden layer gives at each timestep, and a column of ones."""
    phase = _SLOPE * np.sin(np.arange(STEPS) * _FREQUENCY)
    ramps = phase[:, None] + _ramp_biases().astype(np.float64)
    silu = ramps / (1 + np.exp(-np.clip(ramps, -60, 60)))
    return np.concatenate([silu, np.ones((STEPS, 1))], axis=1)


def _knots() -> Array:
    return np.unique(np.concatenate([np.linspace(-20, 60, 24), np.linspace(62, 1000, 60)]))


def _ramp_biases() -> Array:
    return np.asarray(-_SLOPE * np.sin(_knots() * _FREQUENCY), F16)


def _fit(columns: Array, target: Array) -> Array:
    """Least squares of the relative error in half precision: the largest coefficient is rounded, the others
    are fitted again to what is left, and so on, so that rounding errors do not add up."""
    relative = columns / target[:, None]
    sizes = np.sqrt((relative**2).mean(axis=0))
    relative /= sizes
    rounded, free, rest = np.zeros(sizes.size, F16), list(range(sizes.size)), np.ones(STEPS)
    while free:
        basis = relative[:, free]
        best = np.linalg.solve(basis.T @ basis / STEPS + 1e-12 * np.eye(len(free)), basis.T @ rest / STEPS)
        largest = int(np.abs(best).argmax())
        index = free.pop(largest)
        rounded[index] = best[largest] / sizes[index]
        rest = rest - relative[:, index] * sizes[index] * float(rounded[index])
    return rounded
