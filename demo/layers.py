"""The layers that all architectures are made of, as named zero tensors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .sparse import F16, F32, Array, Weights, Zeros


def norm(weights: Weights, name: str, width: int) -> None:
    """A LayerNorm or GroupNorm that changes nothing."""
    weights[name + ".weight"] = np.ones(width, F16)
    weights[name + ".bias"] = Zeros((width,))


def scale(weights: Weights, name: str, width: int) -> None:
    """An RMSNorm's one weight, at 1."""
    weights[name] = np.ones(width, F16)


def linear(weights: Weights, name: str, outputs: int, inputs: int, bias: bool = True) -> None:
    """A linear layer of zeros, ``(outputs, inputs)``."""
    weights[name + ".weight"] = Zeros((outputs, inputs))
    if bias:
        weights[name + ".bias"] = Zeros((outputs,))


def conv(weights: Weights, name: str, outputs: int, inputs: int, kernel: int = 3, bias: bool = True) -> None:
    """A 2D convolution of zeros, ``(outputs, inputs, kernel, kernel)``."""
    weights[name + ".weight"] = Zeros((outputs, inputs, kernel, kernel))
    if bias:
        weights[name + ".bias"] = Zeros((outputs,))


def copy_channels(weight: Array, channels: int, first_input: int = 0) -> None:
    """Makes a linear layer or convolution pass ``channels`` inputs on as its first outputs."""
    index = np.arange(channels)
    middle = tuple(side // 2 for side in weight.shape[2:])
    weight[(index, index + first_input, *middle)] = 1


def alternating(count: int, size: float = 1.0) -> Array:
    """−size, +size, −size, …: zero mean and known variance, which is what normalisation layers look at."""
    return np.where(np.arange(count) % 2, size, -size)


def randomise(weights: Weights, seed: int, gain: float = 1.0, where: Callable[[str], bool] = lambda name: True) -> Weights:
    """Replaces every matrix of zeros by normal noise of variance ``gain²`` per input."""
    random = np.random.default_rng(seed)
    for name in sorted(weights):
        tensor = weights[name]
        if isinstance(tensor, Zeros) and len(tensor.shape) > 1 and where(name):
            inputs = math.prod(tensor.shape[1:])
            noise = random.standard_normal(tensor.shape, dtype=np.float32)
            weights[name] = (noise * F32.type(gain / math.sqrt(inputs))).astype(F16)
    return weights
