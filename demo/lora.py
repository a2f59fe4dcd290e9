"""LoRAs of noise in every format people have on their disks, to see that each is recognised and acts.

Naming: kohya's (``lora_unet_down_blocks_0_…``), diffusers' with PEFT (``unet.….lora_A.weight``) and before it
(``….processor.to_q_lora.down.weight``). Algorithms: LoRA, LoRA for convolutions too (LoCon), LoHa, LoKr
(https://github.com/KohakuBlueleaf/LyCORIS) and DoRA.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from .clip import clip
from .shapes import SD15_FULL, WIDTH, UNetShape
from .sparse import F16, F32, Array, Tensor, Weights, Zeros
from .unet import unet

RANK, ALPHA = 2, 1.0
_PLACE = re.compile(r"(down|mid|up)_blocks?.*\.attentions\.(\d+)\.(.+)")


@dataclass(frozen=True)
class Target:
    """A layer that a LoRA changes: its diffusers path, and the shape of its weight."""

    path: str
    shape: tuple[int, ...]

    @property
    def in_unet(self) -> bool:
        return not self.path.startswith("text_model.")

    def rows(self) -> tuple[int, ...]:
        """Shape of one number per output."""
        return (self.shape[0], *(1 for _ in self.shape[1:]))


Noise: TypeAlias = Callable[..., Array]
Names: TypeAlias = Callable[[Target], "tuple[str, str, str] | None"]


def targets(shape: UNetShape) -> list[Target]:
    """The layers of the UNet's transformers, as diffusers calls them."""
    found, levels, per_level = [], shape.levels, shape.blocks + 1
    for number, depth in enumerate(shape.depths):
        found += _transformer(f"down_blocks.{number // shape.blocks}.attentions.{number % shape.blocks}", depth, shape)
    found += _transformer("mid_block.attentions.0", shape.middle or 0, shape)
    for number, depth in zip(range(levels * per_level), reversed(shape.out_depths), strict=True):
        found += _transformer(f"up_blocks.{number // per_level}.attentions.{number % per_level}", depth, shape)
    return found


def text_targets(width: int = 768, layers: int = 12) -> list[Target]:
    """The layers of a CLIP text encoder."""
    found = []
    for number in range(layers):
        layer = f"text_model.encoder.layers.{number}."
        found += [Target(f"{layer}self_attn.{name}_proj", (width, width)) for name in ("q", "k", "v", "out")]
        found += [Target(layer + "mlp.fc1", (4 * width, width)), Target(layer + "mlp.fc2", (width, 4 * width))]
    return found


CONVOLUTIONS = [Target("down_blocks.0.resnets.0.conv1", (WIDTH, WIDTH, 3, 3)), Target("conv_in", (WIDTH, 4, 3, 3))]


# --------------------------------------------------------------------------- naming: (stem, up, down)


def kohya(text_prefix: str = "lora_te_") -> Names:
    """kohya's names; SDXL has the prefixes ``lora_te1_`` and ``lora_te2_``."""

    def names(target: Target) -> tuple[str, str, str]:
        stem = ("lora_unet_" if target.in_unet else text_prefix) + target.path.replace(".", "_")
        return stem, stem + ".lora_up.weight", stem + ".lora_down.weight"

    return names


def peft(target: Target) -> tuple[str, str, str]:
    """diffusers' names today."""
    stem = ("unet." if target.in_unet else "text_encoder.") + target.path
    return stem, stem + ".lora_B.weight", stem + ".lora_A.weight"


def attention_processor(target: Target) -> tuple[str, str, str] | None:
    """diffusers' first names, which exist for the UNet's attention only."""
    if not target.in_unet or ".to_" not in target.path:
        return None
    stem = "unet." + target.path.replace(".to_", ".processor.to_").replace("to_out.0", "to_out")
    return stem, stem + "_lora.up.weight", stem + "_lora.down.weight"


# --------------------------------------------------------------------------- algorithms


def low_rank(layers: list[Target], names: Names, noise: Noise, with_alpha: bool = True) -> Weights:
    """LoRA: W + up · down."""
    weights = Weights()
    for target, (stem, up, down) in _named(layers, names):
        weights[up] = noise(target.shape[0], RANK, *target.rows()[2:])
        weights[down] = noise(RANK, *target.shape[1:])
        if with_alpha:
            weights[stem + ".alpha"] = np.array(ALPHA, F32)
    return weights


def hadamard(layers: list[Target], names: Names, noise: Noise) -> Weights:
    """LoHa: W + (a₁ b₁) ∘ (a₂ b₂)."""
    weights = Weights()
    for target, (stem, _, _) in _named(layers, names):
        for part in ("w1", "w2"):
            weights[f"{stem}.hada_{part}_a"] = noise(target.shape[0], RANK)
            weights[f"{stem}.hada_{part}_b"] = noise(RANK, int(np.prod(target.shape[1:])))
        weights[stem + ".alpha"] = np.array(ALPHA, F32)
    return weights


def kronecker(layers: list[Target], names: Names, noise: Noise) -> Weights:
    """LoKr: W + w₁ ⊗ w₂."""
    weights = Weights()
    for target, (stem, _, _) in _named(layers, names):
        weights[stem + ".lokr_w1"] = noise(2, 2)
        weights[stem + ".lokr_w2"] = noise(target.shape[0] // 2, target.shape[1] // 2, *target.shape[2:])
        weights[stem + ".alpha"] = np.array(ALPHA, F32)
    return weights


def dora(layers: list[Target], names: Names, noise: Noise) -> Weights:
    """DoRA: a LoRA with the length of each row of W. Any other length than the base's own would blow up the
    rows that are zero in the base, as ComfyUI divides by their length."""
    weights, base = low_rank(layers, names, noise), _base_weights()
    for target, (stem, _, _) in _named(layers, names):
        weights[stem + ".dora_scale"] = _row_lengths(base[target.path]).reshape(target.rows())
    return weights


def noise(seed: int, size: float = 0.06) -> Noise:
    """A source of half-precision noise with standard deviation ``size``."""
    random = np.random.default_rng(seed)
    return lambda *shape: (random.standard_normal(shape, dtype=np.float32) * F32.type(size)).astype(F16)


def _named(layers: list[Target], names: Names) -> Iterator[tuple[Target, tuple[str, str, str]]]:
    for target in layers:
        if named := names(target):
            yield target, named


def _transformer(name: str, depth: int, shape: UNetShape) -> list[Target]:
    if not depth:
        return []
    ends = (WIDTH, WIDTH) if shape.linear else (WIDTH, WIDTH, 1, 1)
    found = [Target(name + ".proj_in", ends), Target(name + ".proj_out", ends)]
    for number in range(depth):
        block = f"{name}.transformer_blocks.{number}."
        for attention, context in (("attn1", WIDTH), ("attn2", shape.context)):
            inputs = {"to_q": WIDTH, "to_k": context, "to_v": context, "to_out.0": WIDTH}
            found += [Target(f"{block}{attention}.{part}", (WIDTH, width)) for part, width in inputs.items()]
        found += [Target(block + "ff.net.0.proj", (8 * WIDTH, WIDTH)), Target(block + "ff.net.2", (WIDTH, 4 * WIDTH))]
    return found


def _base_weights() -> dict[str, Tensor]:
    """The layers of the full SD 1.5 puppet by diffusers path."""
    network, text = unet(SD15_FULL), clip()
    paths = {target.path: network[_checkpoint_name(target.path)] for target in targets(SD15_FULL)}
    return paths | {target.path: text[target.path + ".weight"] for target in text_targets()}


def _checkpoint_name(path: str) -> str:
    """The name in a UNet of one level."""
    place, number, layer = _PLACE.findall(path)[0]
    block = {"down": f"input_blocks.{int(number) + 1}.1", "mid": "middle_block.1", "up": f"output_blocks.{number}.1"}[place]
    return f"{block}.{layer}.weight"


def _row_lengths(tensor: Tensor) -> Array:
    if isinstance(tensor, Zeros):
        return np.zeros(tensor.shape[0], F16)
    return np.asarray(np.linalg.norm(tensor.reshape(tensor.shape[0], -1).astype(np.float32), axis=1), F16)
