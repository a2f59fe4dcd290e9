"""Matrices held in int8 on hosts that have no such form: one scale per row, multiplied in when the layer runs.

A row is its int8 values followed by the four bytes of its float32 scale. With the scale in the weight itself, whatever
ComfyUI does with a weight (back it up before a LoRA, move it, put it back) takes the scale along.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .precision import is_quantised

if TYPE_CHECKING:
    import torch

SCALE_BYTES = 4
_LARGEST = 127.0
_FORMAT = {"format": "int8_tensorwise"}  # as newer hosts name it


def pack(values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """int8 (out, in) and float32 (out, 1) as one int8 (out, in + 4)."""
    import torch

    return torch.cat([values, scale.float().contiguous().view(torch.int8)], dim=1)


def unpack(packed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(values, scale) of a packed matrix in whatever type it was cast to: every int8 is exact in each of them."""
    import torch

    scale = packed[:, -SCALE_BYTES:].to(torch.int8).contiguous().view(torch.float32)
    return packed[:, :-SCALE_BYTES], scale


def quantise(weight: torch.Tensor, seed: int | None = None) -> torch.Tensor:
    """A matrix (out, in) packed, each row scaled by its largest value. With a ``seed`` it is rounded at random, so that
    what is smaller than a step (a LoRA's changes) is kept on average."""
    import torch

    weight = weight.float()
    scale = (weight.abs().amax(dim=1, keepdim=True) / _LARGEST).clamp(min=1e-30)
    steps = weight / scale
    if seed is not None:
        generator = torch.Generator(device=weight.device).manual_seed(seed)
        steps = (steps + torch.rand(steps.shape, generator=generator, device=weight.device) - 0.5).clamp(-_LARGEST, _LARGEST)
    return pack(steps.round().to(torch.int8), scale)


def dequantise(packed: torch.Tensor) -> torch.Tensor:
    """The matrix (out, in) in float32."""
    values, scale = unpack(packed)
    return values.float() * scale


def told() -> torch.Tensor:
    """The mark of a quantised layer, as newer hosts write it into a file's state: they read what is saved here."""
    import torch

    return torch.tensor(list(json.dumps(_FORMAT).encode()), dtype=torch.uint8)


def is_readable(mark: torch.Tensor) -> bool:
    """Whether these layers can hold what a file marks so: rows of int8 that are not rotated."""
    return bool(json.loads(mark.numpy().tobytes()) == _FORMAT)


def take(state_dict: dict[str, Any], prefix: str, device: Any) -> torch.Tensor | None:
    """The layer's weight, packed, and out of the state what only says how it is held; ``None`` for one that stays as it
    is."""
    weight = state_dict.get(f"{prefix}weight")
    scale = state_dict.pop(f"{prefix}weight_scale", None)
    state_dict.pop(f"{prefix}comfy_quant", None)
    if weight is None or (scale is None and not is_quantised(prefix.rstrip("."), weight.shape)):
        return None
    weight = weight.to(device)
    return quantise(weight) if scale is None else pack(weight, scale.to(device).reshape(-1, 1).expand(len(weight), 1))


def operations() -> Any:
    """ComfyUI's layers, with those matrices in int8 that ``is_quantised`` names."""
    import comfy.ops

    return type("Int8Operations", (comfy.ops.manual_cast,), {"Linear": _linear()})


def _linear() -> Any:
    import comfy.float
    import comfy.ops
    import torch

    class Int8Linear(_Packed, comfy.ops.manual_cast.Linear):  # type: ignore[misc]
        """ComfyUI's patcher calls ``convert_weight`` before a LoRA and ``set_weight`` after it."""

        def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
            packed = take(state_dict, prefix, self.weight.device)
            if packed is not None:
                self.weight = torch.nn.Parameter(packed, requires_grad=False)
                state_dict[f"{prefix}weight"] = packed
            super()._load_from_state_dict(state_dict, prefix, *rest)

        def set_weight(
            self, weight: Any, inplace_update: bool = False, seed: int | None = None, return_weight: bool = False, **_: Any
        ) -> Any:
            if return_weight:  # for one step: it is used as it is
                return weight
            kept = self.weight.dtype
            held = quantise(weight, seed) if self.is_packed else comfy.float.stochastic_rounding(weight, kept, seed=seed)
            if inplace_update:
                self.weight.data.copy_(held)
            else:
                self.weight = torch.nn.Parameter(held, requires_grad=False)
            return None

        def forward_comfy_cast_weights(self, input: Any) -> Any:
            weight, bias = comfy.ops.cast_bias_weight(self, input)
            patched = any(getattr(each, "convert_func", None) for each in self.weight_function)  # and so converted already
            if self.is_packed and not patched:
                values, scale = unpack(weight)
                weight = values * scale.to(weight.dtype)
            return torch.nn.functional.linear(input, weight, bias)

    return Int8Linear


class _Packed:
    """What a layer with a packed weight says of itself."""

    weight: Any

    @property
    def is_packed(self) -> bool:
        return str(self.weight.dtype) == "torch.int8"

    @property
    def weight_scale(self) -> Any:
        return unpack(self.weight.detach())[1]

    @property
    def comfy_quant(self) -> Any:
        return told()

    def convert_weight(self, weight: Any, inplace: bool = False, **_: Any) -> Any:
        return dequantise(weight) if self.is_packed else weight

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)  # type: ignore[misc]
        if self.is_packed:
            destination[f"{prefix}weight"] = unpack(self.weight.detach())[0]
            destination[f"{prefix}weight_scale"] = self.weight_scale
            destination[f"{prefix}comfy_quant"] = self.comfy_quant
