"""An upscaler that doubles every pixel."""

from __future__ import annotations

import numpy as np

from .layers import conv
from .sparse import F32, Weights, Zeros


def compact_upscaler(factor: int = 2, features: int = 4) -> Weights:
    """Real-ESRGAN's SRVGGNetCompact with a residual of zero: the exact nearest neighbour."""
    layers = Weights()
    for number, (outputs, inputs) in zip(
        (0, 2, 4), ((features, 3), (features, features), (3 * factor**2, features)), strict=True
    ):
        conv(layers, f"body.{number}", outputs, inputs)
    weights = Weights({name: Zeros(tensor.shape, F32) for name, tensor in layers.items()})
    return weights.put({f"body.{number}.weight": np.zeros(features, F32) for number in (1, 3)})
