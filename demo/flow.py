"""Rectified-flow puppets: a Stable Diffusion 3 and a Flux of one or two blocks.

Both answer the velocity v = 2 x − 2.3 c, with c from the pooled text embedding (dimensions 4–6, see ``clip``). The
patch embedding copies the latent to 64 channels, its negative to the next 64 and adds ±50 to all but the first, so that
the last LayerNorm finds no mean and is a known division; the modulation of that layer subtracts c.
"""

from __future__ import annotations

import math

from .clip import GATHERED
from .layers import alternating, conv, copy_channels, linear, randomise, scale
from .sparse import Array, Weights, Zeros

CHANNELS, TEXT_WIDTH, POOLED_WIDTH = 16, 4096, 2048
_PATCH = 4 * CHANNELS  # 2 × 2 latent pixels
_REFERENCE = 50.0
_NOISY_GAIN, _WANTED_GAIN = 2.0, 2.3
_NOISE_SEED, _NOISE_GAIN = 5, 0.05


def sd3(depth: int = 2) -> Weights:
    """A wired SD3; its width is 64 · ``depth``, so two blocks are five megabytes. The other layers hold noise,
    so that they take part."""
    weights, width = randomise(sd3_shapes(depth), _NOISE_SEED, _NOISE_GAIN), 64 * depth
    _wire_patches(weights.at("x_embedder.proj.weight").reshape(width, _PATCH))
    weights.at("pos_embed")[..., _PATCH:] = alternating(width - _PATCH, _REFERENCE)
    _wire_pooled(weights, "y_embedder.mlp.0.weight", "y_embedder.mlp.2.weight")
    # SD3 unpatches with the channel last, the patch embedding has it first.
    _wire_head(weights, width, [number % 4 * CHANNELS + number // 4 for number in range(_PATCH)], 1.0)
    return weights


def flux(width: int = 128, double: int = 1, single: int = 1, noise: bool = True) -> Weights:
    """A wired Flux.1 dev; ``width`` a multiple of 128. Old hosts know 3072 only."""
    weights = flux_shapes(width, double, single)
    if noise:
        randomise(weights, _NOISE_SEED, _NOISE_GAIN)
    _wire_patches(weights.at("img_in.weight"))
    weights.at("img_in.bias")[_PATCH:] = alternating(width - _PATCH, _REFERENCE)
    _wire_pooled(weights, "vector_in.in_layer.weight", "vector_in.out_layer.weight")
    _wire_head(weights, width, list(range(_PATCH)), 4.0)  # Flux runs at cfg 1: words give their full colour there
    return weights


def sd3_shapes(depth: int) -> Weights:
    """All tensors of an SD3.5 (``comfy/ldm/modules/diffusionmodules/mmdit.py``), latents up to 128 × 128."""
    width, weights = 64 * depth, Weights()
    weights["pos_embed"] = Zeros((1, 64 * 64, width))
    conv(weights, "x_embedder.proj", width, CHANNELS, 2)
    linear(weights, "context_embedder", width, TEXT_WIDTH)
    for name, inputs in (("t_embedder", 256), ("y_embedder", POOLED_WIDTH)):
        linear(weights, name + ".mlp.0", width, inputs)
        linear(weights, name + ".mlp.2", width, width)
    for block in range(depth):
        _sd3_block(weights, f"joint_blocks.{block}.x_block.", width)
        _sd3_block(weights, f"joint_blocks.{block}.context_block.", width, last=block == depth - 1)
    _final_layer(weights, width)
    return weights


def flux_shapes(width: int, double: int, single: int) -> Weights:
    """All tensors of a Flux.1 dev (``comfy/ldm/flux/model.py``)."""
    weights = Weights()
    linear(weights, "img_in", width, _PATCH)
    linear(weights, "txt_in", width, TEXT_WIDTH)
    for name, inputs in (("time_in", 256), ("vector_in", POOLED_WIDTH), ("guidance_in", 256)):
        linear(weights, name + ".in_layer", width, inputs)
        linear(weights, name + ".out_layer", width, width)
    for block in range(double):
        _flux_stream(weights, f"double_blocks.{block}.img_", width)
        _flux_stream(weights, f"double_blocks.{block}.txt_", width)
    for block in range(single):
        _flux_single(weights, f"single_blocks.{block}.", width)
    _final_layer(weights, width)
    return weights


def _sd3_block(weights: Weights, name: str, width: int, last: bool = False) -> None:
    linear(weights, name + "attn.qkv", 3 * width, width)
    scale(weights, name + "attn.ln_q.weight", 64)
    scale(weights, name + "attn.ln_k.weight", 64)
    linear(weights, name + "adaLN_modulation.1", (2 if last else 6) * width, width)
    if not last:
        linear(weights, name + "attn.proj", width, width)
        linear(weights, name + "mlp.fc1", 4 * width, width)
        linear(weights, name + "mlp.fc2", width, 4 * width)


def _flux_stream(weights: Weights, name: str, width: int) -> None:
    linear(weights, name + "mod.lin", 6 * width, width)
    linear(weights, name + "attn.qkv", 3 * width, width)
    linear(weights, name + "attn.proj", width, width)
    scale(weights, name + "attn.norm.query_norm.scale", 128)
    scale(weights, name + "attn.norm.key_norm.scale", 128)
    linear(weights, name + "mlp.0", 4 * width, width)
    linear(weights, name + "mlp.2", width, 4 * width)


def _flux_single(weights: Weights, name: str, width: int) -> None:
    linear(weights, name + "linear1", 7 * width, width)
    linear(weights, name + "linear2", width, 5 * width)
    linear(weights, name + "modulation.lin", 3 * width, width)
    scale(weights, name + "norm.query_norm.scale", 128)
    scale(weights, name + "norm.key_norm.scale", 128)


def _final_layer(weights: Weights, width: int) -> None:
    linear(weights, "final_layer.linear", _PATCH, width)
    linear(weights, "final_layer.adaLN_modulation.1", 2 * width, width)


def _wire_patches(weight: Array) -> None:
    weight[:] = 0
    copy_channels(weight, _PATCH)
    weight[_PATCH : 2 * _PATCH] = -weight[:_PATCH]


def _wire_pooled(weights: Weights, first: str, second: str) -> None:
    """The first six conditioning channels become +c, −c of red, green and blue, to survive the SiLUs."""
    read, write = weights.at(first), weights.at(second)
    read[:6], write[:6] = 0, 0
    for channel in range(3):
        plus, minus = 2 * channel, 2 * channel + 1
        read[plus, GATHERED + channel], read[minus, GATHERED + channel] = 1, -1
        write[plus, plus], write[plus, minus] = 1, -1
        write[minus, plus], write[minus, minus] = -1, 1


def _wire_head(weights: Weights, width: int, outputs: list[int], amplitude: float) -> None:
    spread = _REFERENCE * math.sqrt((width - _PATCH) / width)
    shift, project = weights.at("final_layer.adaLN_modulation.1.weight"), weights.at("final_layer.linear.weight")
    shift[:], project[:] = 0, 0
    project[outputs, range(_PATCH)] = _NOISY_GAIN * spread
    wanted = amplitude * _WANTED_GAIN / _NOISY_GAIN / spread
    for number in range(4 * 3):  # four pixels of the three colour channels
        plus = number // 4 * 2
        shift[number, plus], shift[number, plus + 1] = -wanted, wanted
