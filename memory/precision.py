"""Which form weights are held in: what a machine can hold, which layers stay as they are, and what "auto" comes to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..choices import Precision
from ..plan import Reason

EIGHT_BIT = (Precision.INT8, Precision.FP8)
AUTO = "auto"

# Metal has no 8-bit floats; DirectML ("privateuseone") has neither them nor ComfyUI's casts for int8.
_NO_FP8, _NO_EIGHT_BIT = ("mps",), ("privateuseone",)
# ComfyUI's own 8-bit files quantise the matrices of the repeated blocks and leave what feeds them and what reads them.
_IN_A_BLOCK = re.compile(r"\.\d+\..*[a-z_]", re.IGNORECASE)
_STAYS = re.compile(r"norm|embed|emb_layers|router|final_layer", re.IGNORECASE)
_SMALLEST_SIDE = 64  # features; smaller matrices save nothing and lose most
_EIGHT_BIT_MARKS = (".comfy_quant", ".scale_weight", "scaled_fp8")
_EIGHT_BIT_TYPES = ("float8", "int8", "uint8")


@dataclass(frozen=True)
class Weights:
    """The weights of one part of a file: how many bytes they take as ComfyUI loads them, and the name of the 8-bit form
    they are in already ("" = none)."""

    loaded_bytes: int
    form: str = ""


def available(device: str, torch_has_fp8: bool = True) -> tuple[Precision, ...]:
    """The 8-bit forms that weights can be held in on a device ("cuda", "cpu", "mps" …), best first. Every ComfyUI of
    ours can hold int8: newer ones by themselves, older ones by layers of this pack. int8 loses least
    (``bench/precision.py``: less than half of what fp8 loses), so that a GPU that computes in fp8 changes nothing."""
    if device in _NO_EIGHT_BIT:
        return ()
    return EIGHT_BIT if torch_has_fp8 and device not in _NO_FP8 else (Precision.INT8,)


def is_quantised(layer: str, shape: Sequence[int]) -> bool:
    """Whether a matrix (out, in features) of this name is held in 8 bits: those within a model's repeated blocks."""
    large = len(shape) == 2 and min(shape) >= _SMALLEST_SIDE
    return large and bool(_IN_A_BLOCK.search(f".{layer}")) and not _STAYS.search(layer)


def eight_bit_form(keys: Iterable[str], types: Collection[str]) -> str:
    """The 8-bit form a file's weights are in already, from their keys and the names of their types; "" for none."""
    if any(key.endswith(_EIGHT_BIT_MARKS) for key in keys):
        return next((name for name in types if name.startswith(_EIGHT_BIT_TYPES)), "8 bits")
    return next((name for name in types if name.startswith("float8")), "")


def settle(part: str, wanted: str, weights: Weights, free_bytes: int, forms: Sequence[Precision]) -> tuple[Precision, Reason]:
    """The form a part ("weight_dtype", "encoder_dtype") is loaded in, and why. "auto" keeps ComfyUI's own where that fits
    the free memory, else takes 8 bits; what is in 8 bits already stays so; a form this machine cannot hold gives way to
    the best one that it can."""
    if weights.form:
        return Precision.DEFAULT, Reason(part, "load.already", {"form": weights.form})
    if wanted == AUTO:
        return _automatic(part, weights, free_bytes, forms)
    asked = Precision(wanted)
    if asked in EIGHT_BIT and asked not in forms:
        other = forms[0] if forms else Precision.DEFAULT
        return other, Reason(part, "load.instead", {"asked": asked.value, "value": other.value})
    return asked, Reason(part, "load.default" if asked is Precision.DEFAULT else "load.asked", {"value": asked.value})


def _automatic(part: str, weights: Weights, free_bytes: int, forms: Sequence[Precision]) -> tuple[Precision, Reason]:
    sizes = {"needed_bytes": weights.loaded_bytes, "free_bytes": max(0, free_bytes)}
    if weights.loaded_bytes <= free_bytes:
        return Precision.DEFAULT, Reason(part, "load.fits", sizes)
    if forms:
        return forms[0], Reason(part, "load.to_fit", {**sizes, "value": forms[0].value})
    return Precision.DEFAULT, Reason(part, "load.no_form", sizes)
