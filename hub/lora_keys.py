"""Which base model a LoRA was made for, from its key names and the widths they patch.

Every spelling counts: kohya (``lora_unet_…``), diffusers and PEFT (``….lora_A.weight``), LyCORIS (LoHa
``hada_``, LoKr ``lokr_``, full ``diff``), DoRA.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from ..data import table
from .headers import shape_of

Tensors = Mapping[str, Mapping[str, Any]]

_MARKS = (
    ".lora_down",
    ".lora_up",
    ".lora_A.",
    ".lora_B.",
    ".hada_w",
    ".lokr_w",
    "_lora.up",
    ".lora.up",
    "lora_linear_layer",
    ".oft_",
    ".diff\n",
    ".diff_b\n",
)
_DOWN = (
    ".lora_down.weight",
    ".lora_A.weight",
    ".lora_A.default.weight",
    "_lora.down.weight",
    ".lora.down.weight",
    ".lora_linear_layer.down.weight",
    ".hada_w1_b",
    ".diff",
)
_UP = (
    ".lora_up.weight",
    ".lora_B.weight",
    ".lora_B.default.weight",
    "_lora.up.weight",
    ".lora.up.weight",
    ".lora_linear_layer.up.weight",
    ".hada_w1_a",
    ".diff",
)
_TEXT_ENCODERS = ("lora_te", "text_encoder", "te_", "lora_prior_te")
_MODULE = re.compile(r"(_lora\.|\.(lora[_.]|lora_linear_layer|hada_|lokr_|oft_|diff|alpha|dora_scale|w_norm|b_norm)).*$")


def is_lora(tensors: Tensors) -> bool:
    """Whether these keys patch another model; the first and the last few names tell."""
    names = list(tensors)
    text = "\n".join(names[:12] + names[-12:]) + "\n"
    return any(mark in text for mark in _MARKS)


def lora_architecture(tensors: Tensors) -> str | None:
    """The architecture whose modules these keys patch."""
    every = _Keys(tensors, list(tensors))
    return every.first("lora_unet") or every.without_text_encoder().first("lora") or every.first("lora_text")


class _Keys:
    """Key names as one text: finding a word in it is far quicker than asking every key."""

    def __init__(self, tensors: Tensors, names: Sequence[str]) -> None:
        self.tensors, self.names = tensors, names
        self.keys = "\n" + "\n".join(names) + "\n"
        self.words = self.keys.replace(".", "_")
        self.found: dict[str, int] = {}

    def without_text_encoder(self) -> _Keys:
        names = [name for name in self.names if not name.startswith(_TEXT_ENCODERS)]
        return self if len(names) == len(self.names) else _Keys(self.tensors, names)

    def first(self, rules: str) -> str | None:
        return next((str(rule["architecture"]) for rule in _rules(rules) if self.fits(rule)), None)

    def fits(self, rule: Mapping[str, Any]) -> bool:
        return (
            all(self.at(word) >= 0 for word in rule.get("all", ()))
            and all(self.width(word, False) in sides for word, sides in rule.get("width", {}).items())
            and all(self.width(word, True) in sides for word, sides in rule.get("out", {}).items())
            and not any(self.at(word) >= 0 for word in rule.get("none", ()))
        )

    def at(self, word: str) -> int:
        if word not in self.found:
            self.found[word] = self.words.find(word)
        return self.found[word]

    def width(self, word: str, out: bool) -> int | None:
        at = self.at(word)
        if at < 0:
            return None
        key = self.keys[self.keys.rfind("\n", 0, at) + 1 : self.keys.find("\n", at)]
        return module_width(self.tensors, _MODULE.sub("", key), out)


def lora_modules(tensors: Iterable[str]) -> frozenset[str]:
    """The modules of a model that a LoRA file has weights for, as the file spells them."""
    return frozenset(_MODULE.sub("", name) for name in tensors if any(mark in name for mark in _MARKS))


@cache
def _rules(name: str) -> Sequence[Mapping[str, Any]]:
    rules: Sequence[Mapping[str, Any]] = table("architectures")[name]
    return rules


def module_width(tensors: Tensors, module: str, out: bool = False) -> int | None:
    """How many numbers the patched module reads (or, with ``out``, writes)."""
    side = 0 if out else 1
    for suffix in _UP if out else _DOWN:
        tensor = tensors.get(module + suffix)
        if tensor is not None:
            return _side(tensor, side)
    first, second = (_kron_side(tensors, f"{module}.lokr_{part}", side) for part in ("w1", "w2"))
    return first * second if first and second else None


def _kron_side(tensors: Tensors, name: str, side: int) -> int | None:
    tensor = tensors.get(name) or tensors.get(name + ("_b" if side else "_a"))
    return _side(tensor, side) if tensor is not None else None


def _side(tensor: Mapping[str, Any], side: int) -> int | None:
    shape = shape_of(tensor)
    return shape[side] if len(shape) > side else None
