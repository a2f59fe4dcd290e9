"""An Auto Pipeline's widgets as a browser tells them, checked against the node's own inputs: the request they make."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LANGUAGES, BadRequest
from . import asking
from .answering import unreadable

if TYPE_CHECKING:
    from ..plan import Request

# Inputs that no plan depends on, whether their value is known or not.
BESIDE = frozenset({"seed", "mode", "language", "verbosity", "accepted_plan", "run_anyway", "image"})
UNASKED = BESIDE - {"mode", "language"}  # no part of a request: whatever they hold
MOST_TEXT = 100_000  # letters


def request_of(widgets: Mapping[str, Any], linked: Iterable[str], language: str) -> Request:
    """The request that the widgets make; absent ones have their defaults. Raises ``BadRequest`` for values that do not fit
    and where an input that a plan depends on comes by a link: its value is known only while the graph runs."""
    come = sorted(set(linked) & (_defaults().keys() | {"lora_stack", "plan"}) - BESIDE)
    if come:
        raise BadRequest("inputs_linked", language, names=named_inputs(come, language))
    return known_request(widgets, linked, language)


def known_request(widgets: Mapping[str, Any], linked: Iterable[str], language: str) -> Request:
    """As ``request_of``, what comes by a link left at its default."""
    told = [name for name in _defaults() if name in widgets and name not in {*linked, *UNASKED}]
    known = {name: _checked(name, widgets[name]) for name in told}
    image = True if "image" in set(linked) else None
    return asking.request_from({**_defaults(), **known, "language": language, "image": image})


def taken_over(request: Request, linked: Iterable[str], before: Request) -> Request:
    """``request`` with what comes by a link as it was asked ``before``: the run itself will tell."""
    names = {asking_name for name in linked for asking_name in _FIELDS.get(name, (name,))}
    whole = {each.name: getattr(before, each.name) for each in fields(before) if each.name in names}
    limits = {each.name: getattr(before.constraints, each.name) for each in fields(before.constraints) if each.name in names}
    fixed = {each.name: getattr(before.fixed, each.name) for each in fields(before.fixed) if each.name in names}
    return replace(request, **whole, constraints=replace(request.constraints, **limits), fixed=replace(request.fixed, **fixed))


_FIELDS = {
    "lora_stack": ("loras",),
    "max_vram_gb": ("max_vram_bytes",),
    "max_megapixels": ("max_pixels",),
    "blocked": ("blocked_tags", "blocked_ids"),
}


def named_inputs(names: Iterable[str], language: str) -> str:
    """Inputs of Auto Pipeline as the canvas calls them."""
    words = _words(language)["IIG_AutoPipeline"]["inputs"]
    return ", ".join(str(words[name]["name"]) if name in words else name for name in names)


@cache
def _words(language: str) -> dict[str, Any]:
    path = Path(__file__).parent.parent / "locales" / (language if language in LANGUAGES else "en") / "nodeDefs.json"
    words: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return words


@cache
def _defaults() -> dict[str, Any]:
    return {each.id: each.default for each in _widgets().values()}


@cache
def _widgets() -> dict[str, Any]:
    from .auto import widget_inputs

    return {each.id: each for each in widget_inputs()}


def _checked(name: str, value: Any) -> Any:
    """The value, where it is of its widget's type and in its range; names of the canvas for it are the node's."""
    widget = _widgets()[name]
    default = widget.default
    if isinstance(default, (bool, str)):
        is_fit = isinstance(value, type(default)) and len(str(value)) <= MOST_TEXT
    else:
        is_fit = isinstance(value, (int, float)) and not isinstance(value, bool)
        is_fit = is_fit and widget.min <= value <= widget.max and (isinstance(default, float) or value == int(value))
    if not is_fit:
        raise unreadable(f"{name}: {str(value)[:40]}")
    return type(default)(value)
