"""Names and shapes of the Stable Diffusion UNet and its ControlNet, zero but for the norms.

ComfyUI reads depth and width from the keys, so the smallest network it still recognises will do. Naming as in
CompVis' ``openaimodel.py``; what each host recognises: ``comfy/model_detection.py``, ``comfy/supported_models.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from .layers import conv, linear, norm
from .sparse import Weights

WIDTH, TIME_WIDTH = 320, 1280


@dataclass(frozen=True)
class UNetShape:
    """``depths`` and ``out_depths`` count the transformer blocks after each residual block on the way down and
    (last first) up; ``middle`` those in the middle block, ``None`` for no middle block at all."""

    levels: int
    blocks: int
    depths: tuple[int, ...]
    out_depths: tuple[int, ...]
    middle: int | None = None
    context: int = 768
    linear: bool = False
    vector: int | None = None


# Recognised as SD 1.5: 320 channels, context 768, convolutions around the transformer, no label embedding.
SD15_NANO = UNetShape(1, 2, (1, 0), (0, 0, 0))
SD15_FULL = UNetShape(1, 2, (1, 1), (1, 1, 1), middle=1)
# Recognised as KOALA 700M, the smallest of the SDXL class: transformer depths 0, 2, 5.
SDXL = UNetShape(3, 1, (0, 2, 5), (0,) * 6, context=2048, linear=True, vector=2816)


def unet_shapes(shape: UNetShape) -> Weights:
    """All tensors of the UNet."""
    weights = Weights()
    skips = _encoder(weights, shape)
    _decoder(weights, shape, skips)
    norm(weights, "out.0", WIDTH)
    conv(weights, "out.2", 4, WIDTH)
    return weights


def controlnet_shapes(shape: UNetShape) -> Weights:
    """All tensors of a ControlNet for this UNet; the hint has three channels."""
    weights = Weights()
    for number in range(_encoder(weights, shape)):
        conv(weights, f"zero_convs.{number}.0", WIDTH, WIDTH, 1)
    conv(weights, "middle_block_out.0", WIDTH, WIDTH, 1)
    widths = (3, 16, 16, 32, 32, 96, 96, 256, WIDTH)
    for number, (inputs, outputs) in enumerate(pairwise(widths)):
        conv(weights, f"input_hint_block.{2 * number}", outputs, inputs)
    return weights


def _encoder(weights: Weights, shape: UNetShape) -> int:
    """Everything down to the middle; returns the number of skip connections."""
    linear(weights, "time_embed.0", TIME_WIDTH, WIDTH)
    linear(weights, "time_embed.2", TIME_WIDTH, TIME_WIDTH)
    if shape.vector:
        linear(weights, "label_emb.0.0", TIME_WIDTH, shape.vector)
        linear(weights, "label_emb.0.2", TIME_WIDTH, TIME_WIDTH)
    conv(weights, "input_blocks.0.0", WIDTH, 4)
    block, depths = 1, iter(shape.depths)
    for level in range(shape.levels):
        for _ in range(shape.blocks):
            _residual(weights, f"input_blocks.{block}.0.", WIDTH)
            _transformer(weights, f"input_blocks.{block}.1.", next(depths), shape)
            block += 1
        if level < shape.levels - 1:
            conv(weights, f"input_blocks.{block}.0.op", WIDTH, WIDTH)
            block += 1
    if shape.middle is not None:
        _residual(weights, "middle_block.0.", WIDTH)
        _transformer(weights, "middle_block.1.", shape.middle, shape)
        _residual(weights, "middle_block.2.", WIDTH)
    return block


def _decoder(weights: Weights, shape: UNetShape, skips: int) -> None:
    per_level = shape.blocks + 1
    for block, depth in zip(range(skips), reversed(shape.out_depths), strict=True):
        name = f"output_blocks.{block}."
        _residual(weights, name + "0.", 2 * WIDTH)
        _transformer(weights, name + "1.", depth, shape)
        last_of_level = block % per_level == shape.blocks
        if last_of_level and block // per_level < shape.levels - 1:
            conv(weights, f"{name}{2 if depth else 1}.conv", WIDTH, WIDTH)


def _residual(weights: Weights, name: str, inputs: int) -> None:
    norm(weights, name + "in_layers.0", inputs)
    conv(weights, name + "in_layers.2", WIDTH, inputs)
    linear(weights, name + "emb_layers.1", WIDTH, TIME_WIDTH)
    norm(weights, name + "out_layers.0", WIDTH)
    conv(weights, name + "out_layers.3", WIDTH, WIDTH)
    if inputs != WIDTH:
        conv(weights, name + "skip_connection", WIDTH, inputs, 1)


def _transformer(weights: Weights, name: str, depth: int, shape: UNetShape) -> None:
    if not depth:
        return
    norm(weights, name + "norm", WIDTH)
    for end in ("proj_in", "proj_out"):
        if shape.linear:
            linear(weights, name + end, WIDTH, WIDTH)
        else:
            conv(weights, name + end, WIDTH, WIDTH, 1)
    for number in range(depth):
        block = f"{name}transformer_blocks.{number}."
        _attention(weights, block + "attn1.", WIDTH)
        _attention(weights, block + "attn2.", shape.context)
        linear(weights, block + "ff.net.0.proj", 8 * WIDTH, WIDTH)
        linear(weights, block + "ff.net.2", WIDTH, 4 * WIDTH)
        for part in ("norm1", "norm2", "norm3"):
            norm(weights, block + part, WIDTH)


def _attention(weights: Weights, name: str, context: int) -> None:
    for part, inputs in (("to_q", WIDTH), ("to_k", context), ("to_v", context)):
        linear(weights, name + part, WIDTH, inputs, bias=False)
    linear(weights, name + "to_out.0", WIDTH, WIDTH)
