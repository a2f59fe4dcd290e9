"""A ControlNet and a T2I-Adapter for the puppet: the hint's colours become the wanted picture."""

from __future__ import annotations

from .layers import conv
from .shapes import SD15_FULL, WIDTH, UNetShape, controlnet_shapes
from .sparse import Array, Weights
from .unet import WANTED

_HINT_STRIDES = (2, 4, 6)  # of the eight hint layers, those that halve the picture
_PIXELS = 64  # a T2I-Adapter sees blocks of 8 × 8 pixels as channels
_T2I_WIDTHS = (WIDTH, 640, 1280, 1280)


def controlnet(shape: UNetShape = SD15_FULL) -> Weights:
    """The ControlNet: eight hint layers average the hint over 8 × 8 pixels, the first skip hands it over."""
    weights = controlnet_shapes(shape)
    first, bias = weights.at("input_hint_block.0.weight"), weights.at("input_hint_block.0.bias")
    for channel in range(3):
        first[2 * channel, channel, 1, 1], first[2 * channel + 1, channel, 1, 1] = 2, -2
        bias[2 * channel], bias[2 * channel + 1] = -1, 1
    for layer in range(1, 8):
        _pass_hint(weights.at(f"input_hint_block.{2 * layer}.weight"), halve=layer in _HINT_STRIDES)
    leave = weights.at("zero_convs.0.0.weight")
    for channel, (plus, minus) in enumerate(WANTED[:3]):
        leave[plus, 2 * channel, 0, 0] = leave[minus, 2 * channel + 1, 0, 0] = 1
    return weights


def t2i_adapter() -> Weights:
    """The T2I-Adapter; its first feature reaches the UNet after input block 2."""
    weights = _t2i_shapes()
    first, bias = weights.at("conv_in.weight"), weights.at("conv_in.bias")
    for channel, pair in enumerate(WANTED[:3]):
        for output, sign in zip(pair, (1, -1), strict=True):
            first[output, channel * _PIXELS : (channel + 1) * _PIXELS, 1, 1] = 2 * sign / _PIXELS
            bias[output] = -sign
    return weights


def _pass_hint(weight: Array, halve: bool) -> None:
    # After a SiLU, plus − minus is the value again; write it to both channels of the pair.
    taps, gain = (slice(1, None), 0.25) if halve else (slice(1, 2), 1.0)
    for channel in range(3):
        plus, minus = 2 * channel, 2 * channel + 1
        weight[plus, plus, taps, taps] = weight[minus, minus, taps, taps] = gain
        weight[plus, minus, taps, taps] = weight[minus, plus, taps, taps] = -gain


def _t2i_shapes() -> Weights:
    weights, inputs = Weights(), WIDTH
    conv(weights, "conv_in", WIDTH, 3 * _PIXELS)
    for number, width in enumerate(width for width in _T2I_WIDTHS for _ in range(2)):
        name = f"body.{number}."
        if inputs != width:
            conv(weights, name + "in_conv", width, inputs, 1)
        conv(weights, name + "block1", width, width)
        conv(weights, name + "block2", width, width, 1)
        inputs = width
    return weights
