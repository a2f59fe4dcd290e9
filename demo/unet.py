"""The puppet UNet: the exact ideal denoiser of N(colour, 0.3²), wired by hand.

Everything travels on pairs of channels, +a and −a, because SiLU(a) − SiLU(−a) = a. GroupNorm works on ten
neighbouring channels; two pairs share such a group with six reference channels ±R, so it divides by R · √0.6 and
is a known gain. R follows the timestep (``schedule``): that is how the network multiplies by g(σ).

The way of a picture: the first convolution copies the noisy latent to the pairs ``NOISY``; one cross attention reads the
prompt's colour into the pairs ``WANTED``; the last residual block adds the references; the head subtracts.
"""

from __future__ import annotations

import math

import numpy as np

from ..plan import Prediction
from .layers import alternating, copy_channels
from .schedule import C_ROW, X_ROW, wire_time
from .shapes import SD15_NANO, UNetShape, unet_shapes
from .sparse import Array, Weights

Pairs = tuple[tuple[int, int], ...]

# Four latent channels each; groups of ten channels hold two pairs and six references.
NOISY: Pairs = ((0, 1), (2, 3), (10, 11), (12, 13))
WANTED: Pairs = ((20, 21), (22, 23), (30, 31), (32, 33))
_NOISY_REFERENCES = (4, 5, 6, 14, 15, 16)  # +R; the three channels after each three hold −R
_WANTED_REFERENCES = (24, 25, 26, 34, 35, 36)
_CHANNELS = 320
_REFERENCE = 50.0  # R at r = 1: large beside the signal, small beside half precision's limit
_EMBEDDING_REFERENCE = 100.0
_GROUP_SPREAD = math.sqrt(0.6)  # of ten channels, six hold ±R
_SHARPNESS = 8.0


def unet(shape: UNetShape = SD15_NANO, prediction: Prediction = Prediction.EPS) -> Weights:
    """The wired UNet."""
    weights = unet_shapes(shape)
    wire_time(weights, prediction)
    _split(weights.at("input_blocks.0.0.weight"), NOISY)
    _wire_cross_attention(weights, colour_transformer(shape), 64 if shape.linear else 40)
    _wire_samplings(weights)
    last = len(shape.out_depths) - 1
    for block in range(last):
        copy_channels(weights.at(f"output_blocks.{block}.0.skip_connection.weight"), _CHANNELS)
    _wire_last_skip(weights.at(f"output_blocks.{last}.0.skip_connection.weight"), shape)
    _wire_references(weights, f"output_blocks.{last}.0.")
    _wire_head(weights.at("out.2.weight"))
    return weights


def colour_transformer(shape: UNetShape) -> str:
    """The transformer that reads the prompt: the last of the deepest level going down, or the first there is."""
    return "input_blocks.1.1." if shape.levels == 1 else f"input_blocks.{shape.levels * (shape.blocks + 1) - 1}.1."


def _split(weight: Array, pairs: Pairs) -> None:
    for channel, (plus, minus) in enumerate(pairs):
        weight[plus, channel, 1, 1], weight[minus, channel, 1, 1] = 1, -1


def _wire_cross_attention(weights: Weights, name: str, head: int) -> None:
    """Looks at flagged tokens, reads their colour, writes it to the wanted picture."""
    block = name + "transformer_blocks.0."
    weights.at(block + "norm2.weight")[:] = 0
    weights.at(block + "norm2.bias")[0] = 1  # a query that does not depend on the picture
    weights.at(block + "attn2.to_q.weight")[3, 0] = _SHARPNESS * math.sqrt(head)
    weights.at(block + "attn2.to_k.weight")[3, 3] = 1
    values, outputs, leave = (
        weights.at(key) for key in (block + "attn2.to_v.weight", block + "attn2.to_out.0.weight", name + "proj_out.weight")
    )
    for channel, (plus, minus) in enumerate(WANTED[:3]):
        values[channel, channel] = 1
        outputs[plus, channel], outputs[minus, channel] = 1, -1
        leave[plus, plus], leave[minus, minus] = 1, 1
    for part in ("norm1", "norm3"):  # so that a LoRA on any layer has something to act on
        weights.at(f"{block}{part}.bias")[64:] = alternating(256, 0.1)


def _wire_samplings(weights: Weights) -> None:
    for name in [name for name in weights if name.endswith(("0.op.weight", ".conv.weight"))]:
        copy_channels(weights.at(name), _CHANNELS)


def _wire_last_skip(weight: Array, shape: UNetShape) -> None:
    """Adds the wanted picture of both ways in (a ControlNet writes to the skip). With one level the rest comes
    from below; with more, the noisy latent comes over the top skip, where it has full resolution."""
    wanted, noisy = np.ravel(WANTED), np.ravel(NOISY)
    if shape.levels == 1:
        copy_channels(weight, _CHANNELS)
    else:
        weight[wanted, wanted, 0, 0] = 1
        weight[noisy, _CHANNELS + noisy, 0, 0] = 1
    weight[wanted, _CHANNELS + wanted, 0, 0] = 1


def _wire_references(weights: Weights, name: str) -> None:
    """Makes the residual block add ±R_x(t) and ±R_c(t), which it reads from the time embedding."""
    read, constant = weights.at(name + "emb_layers.1.weight"), weights.at(name + "emb_layers.1.bias")
    for row in (X_ROW, C_ROW):
        read[row, row], read[row, row + 1] = 1, -1
        read[row + 1, row], read[row + 1, row + 1] = -1, 1
    constant[4:7], constant[7:10] = _EMBEDDING_REFERENCE, -_EMBEDDING_REFERENCE
    write, gain = weights.at(name + "out_layers.3.weight"), _REFERENCE * _EMBEDDING_REFERENCE * _GROUP_SPREAD
    for references, row in ((_NOISY_REFERENCES, X_ROW), (_WANTED_REFERENCES, C_ROW)):
        for plus in references:
            write[plus, row, 1, 1], write[plus, row + 1, 1, 1] = gain, -gain
            write[plus + 3, row, 1, 1], write[plus + 3, row + 1, 1, 1] = -gain, gain


def _wire_head(weight: Array) -> None:
    gain = _REFERENCE * _GROUP_SPREAD
    for channel in range(4):
        (plus, minus), (wanted_plus, wanted_minus) = NOISY[channel], WANTED[channel]
        weight[channel, plus, 1, 1], weight[channel, minus, 1, 1] = gain, -gain
        weight[channel, wanted_plus, 1, 1], weight[channel, wanted_minus, 1, 1] = -gain, gain
