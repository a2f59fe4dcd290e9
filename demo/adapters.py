"""Adapters whose effect is known: LoRAs that shift the colour, and embeddings that are a colour.

Each LoRA is rank 1 and sits on the value projection of the cross attention that reads the prompt (``unet``).
"""

from __future__ import annotations

import numpy as np

from .clip import CONSTANT, FLAG
from .colours import AMPLITUDE, rgb
from .shapes import SDXL, UNetShape
from .sparse import F16, F32, Array, Weights

_BLOCK = "transformer_blocks_0_attn2_to_v"


def colour_shift(shape: UNetShape, shift: tuple[float, float, float]) -> Weights:
    """At strength 1 every picture moves by ``shift`` (red, green, blue; 2 is from black to white), whatever the
    prompt and cfg, as every token has 1 in this dimension."""
    return _shift(shape, shift, CONSTANT + 1, 1.0)


def colour_word_shift(shape: UNetShape, shift: tuple[float, float, float]) -> Weights:
    """Like another colour word at strength 1: acts on prompts with a colour only, and grows with cfg."""
    return _shift(shape, shift, FLAG, AMPLITUDE)


def embedding_sd15(colour: str, vectors: int = 2) -> Weights:
    """A textual inversion for SD 1.5 that stands for a colour."""
    return Weights({"emb_params": _colour_tokens(768, colour, vectors)})


def embedding_sdxl(colour: str, vectors: int = 2) -> Weights:
    """The same for SDXL, with vectors for both text encoders."""
    return Weights({"clip_l": _colour_tokens(768, colour, vectors), "clip_g": _colour_tokens(1280, colour, vectors)})


def _shift(shape: UNetShape, shift: tuple[float, float, float], dimension: int, gain: float) -> Weights:
    # Trainers name SDXL's layers as the checkpoint does, SD 1.5's as diffusers does.
    place = "input_blocks_5_1" if shape == SDXL else "down_blocks_0_attentions_0"
    name = f"lora_unet_{place}_{_BLOCK}"
    up, down = np.zeros((320, 1), F16), np.zeros((1, shape.context), F16)
    up[:3, 0], down[0, dimension] = shift, gain
    return Weights({name + ".lora_up.weight": up, name + ".lora_down.weight": down, name + ".alpha": np.array(1, F32)})


def _colour_tokens(width: int, colour: str, vectors: int) -> Array:
    tokens = np.zeros((vectors, width), F32)
    tokens[:, :3], tokens[:, FLAG] = rgb(colour) * AMPLITUDE, 1
    return tokens
