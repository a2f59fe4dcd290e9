"""An honest little autoencoder in TAESD's format, which ComfyUI takes for a VAE (a KL VAE cannot be shrunk).

Encoding averages 8 × 8 pixels (latent = 2 · rgb − 1), decoding interpolates smoothly, so pictures survive the
round trip and latent colours are picture colours. Channel 3 of four is the brightness; channels 3–15 of sixteen are 0.
"""

from __future__ import annotations

import math

import numpy as np

from .layers import conv
from .sparse import F32, Array, Weights

ENCODER, DECODER = "taesd_encoder.", "taesd_decoder."
WIDTH = 64
_DOWN, _UP = (2, 6, 10), (7, 12, 17)
_ENCODER_BLOCKS, _DECODER_BLOCKS = (1, 3, 4, 5, 7, 8, 9, 11, 12, 13), (3, 4, 5, 8, 9, 10, 13, 14, 15, 18)
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def vae_shapes(channels: int = 4) -> Weights:
    """All tensors of a TAESD with ``channels`` latent channels."""
    weights = Weights()
    conv(weights, ENCODER + "0", WIDTH, 3)
    conv(weights, ENCODER + "14", channels, WIDTH)
    conv(weights, DECODER + "1", WIDTH, channels)
    conv(weights, DECODER + "19", 3, WIDTH)
    for part, blocks, samplings in ((ENCODER, _ENCODER_BLOCKS, _DOWN), (DECODER, _DECODER_BLOCKS, _UP)):
        for number in samplings:
            conv(weights, f"{part}{number}", WIDTH, WIDTH, bias=False)
        for number in blocks:
            for layer in (0, 2, 4):
                conv(weights, f"{part}{number}.conv.{layer}", WIDTH, WIDTH)
    return weights


def vae(channels: int = 4, scale: float = 0.18215, shift: float = 0.0) -> Weights:
    """The wired autoencoder; ``scale`` and ``shift`` are those of the family's latent format."""
    weights = vae_shapes(channels)
    _wire_encoder(weights, channels)
    _wire_decoder(weights)
    return set_scale(weights, scale, shift)


def set_scale(weights: Weights, scale: float = 1.0, shift: float = 0.0) -> Weights:
    """Says how the diffusion model's latents relate to this autoencoder's."""
    weights["vae_scale"], weights["vae_shift"] = np.array(scale, F32), np.array(shift, F32)
    return weights


def box_average(weight: Array, channels: int) -> None:
    """Makes a convolution of stride 2 and padding 1 the exact mean of 2 × 2 pixels."""
    for channel in range(channels):
        weight[channel, channel, 1:, 1:] = 0.25


def _wire_encoder(weights: Weights, channels: int) -> None:
    first, last, bias = (weights.at(ENCODER + name) for name in ("0.weight", "14.weight", "14.bias"))
    for number in _DOWN:
        box_average(weights.at(f"{ENCODER}{number}.weight"), 3)
    for channel in range(3):
        first[channel, channel, 1, 1] = 1
        last[channel, channel, 1, 1] = 2
    bias[:3] = -1
    if channels == 4:
        last[3, :3, 1, 1] = 2 * np.array(_LUMA)
        bias[3] = -1


def _wire_decoder(weights: Weights) -> None:
    first, last = weights.at(DECODER + "1.weight"), weights.at(DECODER + "19.weight")
    gain = 0.5 / (3 * math.tanh(1 / 3))  # undoes the decoder's 3·tanh(x/3) clamp at ±1
    for channel in range(3):
        plus, minus = 2 * channel, 2 * channel + 1  # two halves, because ReLUs pass only what is positive
        first[plus, channel, 1, 1], first[minus, channel, 1, 1] = 1, -1
        last[channel, plus, 1, 1], last[channel, minus, 1, 1] = gain, -gain
    weights.at(DECODER + "19.bias")[:3] = 0.5
    smooth = np.outer((0.25, 0.5, 0.25), (0.25, 0.5, 0.25))
    for number in _UP:
        weights.at(f"{DECODER}{number}.weight")[range(6), range(6)] = smooth
