"""CLIP text encoders (L of 768 × 12 layers, G of 1280 × 32) that know the colour words.

The wiring: a token row carries the word's colour in dimensions 0–2 and a flag "I have a colour" in 3. The position
table carries ±1 from dimension 16 on, so that the LayerNorms see a constant variance and leave everything as it is.
Layer 0's attention gathers the colours of the prompt so far in dimensions 4–6 of every token, so the pooled output
knows them too; the last layer darkens a little, so that clip skip shows.
"""

from __future__ import annotations

import math

import numpy as np

from .colours import AMPLITUDE, WORDS, rgb
from .layers import alternating, copy_channels, linear, norm, randomise
from .sparse import F16, Array, Tensor, Weights, Zeros

VOCABULARY, POSITIONS, HEAD = 49408, 77, 64
FLAG, GATHERED, CONSTANT = 3, 4, 16
TOKENS = "text_model.embeddings.token_embedding.weight"
PLACES = "text_model.embeddings.position_embedding.weight"
PROJECTION = "text_projection.weight"

# Hugging Face name → OpenCLIP name, as SDXL checkpoints store CLIP-G.
_OPENCLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def clip_shapes(width: int = 768, layers: int = 12) -> Weights:
    """All tensors of a CLIP text encoder in Hugging Face naming, zero but for the norms."""
    weights = Weights({TOKENS: Zeros((VOCABULARY, width)), PLACES: Zeros((POSITIONS, width))})
    for number in range(layers):
        layer = f"text_model.encoder.layers.{number}."
        for name in ("q", "k", "v", "out"):
            linear(weights, f"{layer}self_attn.{name}_proj", width, width)
        norm(weights, layer + "layer_norm1", width)
        norm(weights, layer + "layer_norm2", width)
        linear(weights, layer + "mlp.fc1", 4 * width, width)
        linear(weights, layer + "mlp.fc2", width, 4 * width)
    norm(weights, "text_model.final_layer_norm", width)
    linear(weights, "text_projection", width, width, bias=False)
    return weights


def clip(width: int = 768, layers: int = 12) -> Weights:
    """The wired text encoder."""
    weights = clip_shapes(width, layers)
    weights.at(PLACES)[:, CONSTANT:] = alternating(width - CONSTANT)
    tokens = weights.at(TOKENS)
    for row, colour in WORDS.values():
        tokens[row, :3] = rgb(colour) * AMPLITUDE
        tokens[row, FLAG] = 1
    _gather_colours(weights, "text_model.encoder.layers.0.self_attn.")
    weights.at(f"text_model.encoder.layers.{layers - 1}.mlp.fc2.bias")[:3] = -0.06
    copy_channels(weights.at(PROJECTION), width)
    return weights


def clip_random(seed: int) -> Weights:
    """Noise in the embeddings of the known words and in the first and last layer."""
    weights = randomise(clip_shapes(), seed, 0.6, lambda name: ".layers.0." in name or ".layers.11." in name)
    random = np.random.default_rng(seed + 1)
    for row, _ in WORDS.values():
        weights.at(TOKENS)[row] = random.standard_normal(768)
    weights[PLACES] = (random.standard_normal((POSITIONS, 768)) * 0.3).astype(F16)
    return weights


def to_openclip(weights: Weights) -> Weights:
    """The same encoder in OpenCLIP's naming, with query, key and value in one matrix."""
    renamed = Weights({"token_embedding.weight": weights[TOKENS], "positional_embedding": weights[PLACES]})
    projection = weights[PROJECTION]
    renamed["text_projection"] = projection if isinstance(projection, Zeros) else projection.T
    for kind in ("weight", "bias"):
        renamed[f"ln_final.{kind}"] = weights[f"text_model.final_layer_norm.{kind}"]
    for number in range(sum(name.endswith("mlp.fc1.bias") for name in weights)):
        source, target = f"text_model.encoder.layers.{number}.", f"transformer.resblocks.{number}."
        for kind in ("weight", "bias"):
            for old, new in _OPENCLIP.items():
                renamed[f"{target}{new}.{kind}"] = weights[f"{source}{old}.{kind}"]
            parts = [weights[f"{source}self_attn.{name}_proj.{kind}"] for name in "qkv"]
            renamed[f"{target}attn.in_proj_{kind}"] = _stacked(parts)
    return renamed


def _gather_colours(weights: Weights, attention: str) -> None:
    weights.at(attention + "q_proj.bias")[FLAG] = 8 * math.sqrt(HEAD)  # sharp: only flagged tokens count
    weights.at(attention + "k_proj.weight")[FLAG, FLAG] = 1
    for channel in range(3):
        weights.at(attention + "v_proj.weight")[channel, channel] = 1
        weights.at(attention + "out_proj.weight")[GATHERED + channel, channel] = 1


def _stacked(parts: list[Tensor]) -> Tensor:
    rows = sum(part.shape[0] for part in parts)
    if all(isinstance(part, Zeros) for part in parts):
        return Zeros((rows, *parts[0].shape[1:]))
    arrays: list[Array] = [np.zeros(part.shape, F16) if isinstance(part, Zeros) else part for part in parts]
    return np.concatenate(arrays)
