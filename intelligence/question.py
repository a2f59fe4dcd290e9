"""What a plan answers: everything that was asked of it, as one hash. An accepted plan holds for the question it was
accepted for, and for no other."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from ..plan import Kind, Library, Mode, Plan, Request

# How it is asked, and by whom: none of them changes what is wanted.
BESIDE_IT = ("mode", "language", "learning")
_DIGITS = 12  # so that 7 and 7.0, and what JSON makes of 0.1, are the same number


def question_hash(request: Request, family: str) -> str:
    """The SHA-256 of a question: prompt, negative prompt, everything the person fixed or limited, and the model family.
    The same in every process and on every machine; seed, taste, library and language are no part of it. What is left open
    is left out, so that later versions may let people fix more and old hashes hold."""
    text = json.dumps(
        [family, _beyond(_asked(request), _asked(Request("")))], sort_keys=True, ensure_ascii=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def family_of(plan: Plan, library: Library) -> str:
    """The family the library now knows of the plan's model: people may have told it better since."""
    models = plan.models
    named = ((Kind.CHECKPOINT, models.checkpoint), (Kind.DIFFUSION_MODEL, models.diffusion_model))
    files = [library.find(kind, name) for kind, name in named if name]
    return next((file.family for file in files if file is not None and file.family), plan.family)


def changed_inputs(before: Request, after: Request) -> tuple[str, ...]:
    """The inputs that ask for something else now, by the names Auto Pipeline gives them."""
    then, now = _asked(before), _asked(after)
    names = [name for name in then if name not in ("constraints", "fixed") and then[name] != now[name]]
    for group in ("constraints", "fixed"):
        names += [name for name in then[group] if then[group][name] != now[group][name]]
    return tuple(dict.fromkeys(_INPUTS.get(name, name) for name in names))


_INPUTS = {
    "loras": "lora_stack",
    "has_image": "image",
    "max_vram_bytes": "max_vram_gb",
    "max_pixels": "max_megapixels",
    "blocked_tags": "blocked",
    "blocked_ids": "blocked",
}


def _asked(request: Request) -> dict[str, Any]:
    stack: Any = () if request.mode is Mode.MANUAL and request.loras is None else request.loras
    plain = replace(request, checkpoint=_slashed(request.checkpoint), loras=stack)
    return {each.name: _canonical(getattr(plain, each.name)) for each in fields(plain) if each.name not in BESIDE_IT}


def _beyond(asked: dict[str, Any], nothing: dict[str, Any]) -> dict[str, Any]:
    """What of a question is not left open."""
    differing = {name: value for name, value in asked.items() if value != nothing[name]}
    return {name: _beyond(value, nothing[name]) if isinstance(value, dict) else value for name, value in differing.items()}


def _slashed(name: str | None) -> str | None:
    return name and name.replace("\\", "/")


def _canonical(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {each.name: _canonical(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_canonical(each) for each in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.{_DIGITS}g}"
    return value
