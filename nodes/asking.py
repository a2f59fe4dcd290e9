"""From widgets to a ``Request``: empty and zero mean "you choose"."""

from __future__ import annotations

import os
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from ..choices import Mode, Offload, Priority
from ..errors import BadRequest
from ..values import clean
from .host import language

if TYPE_CHECKING:
    from ..plan import Constraints, Fixed, LoraUse, Request

E = TypeVar("E", bound=Enum)
MEGAPIXEL = 1_000_000


def request_from(widgets: dict[str, Any]) -> Request:
    """The request that an Auto Pipeline's widgets make. Raises ``BadRequest`` with every fault of a group."""
    from ..plan import Request

    mode = choice(Mode, widgets["mode"])
    return Request(
        prompt=clean(widgets["prompt"]),
        negative=clean(widgets.get("negative") or "") or None,
        mode=mode,
        priority=choice(Priority, widgets["priority"]),
        constraints=_constraints(widgets),
        fixed=_fixed(widgets),
        checkpoint=_file_name(widgets.get("checkpoint")),
        loras=stack(widgets.get("lora_stack"), () if mode is Mode.MANUAL else None),
        has_image=widgets.get("image") is not None,
        language=language(widgets.get("language", "auto")),
        memory=None if (memory := widgets.get("memory", "auto")) == "auto" else choice(Offload, memory),
    )


def choice(kind: type[E], value: str) -> E:
    """The member ``value`` of an enum; older hosts let any text through a drop-down."""
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(str(member.value) for member in kind)
        raise BadRequest("not_a_choice", value=value, choices=choices) from None


def stack(entries: Any, absent: tuple[LoraUse, ...] | None) -> tuple[LoraUse, ...] | None:
    """A ``LORA_STACK`` of any pack, ``[(name, strength_model, strength_clip), …]``, as our own value."""
    from ..plan import LoraUse

    if entries is None:
        return absent
    try:
        return tuple(
            LoraUse(str(name), float(model), float(clip)) for name, model, clip in entries if name not in (None, "None")
        )
    except (TypeError, ValueError) as fault:
        raise BadRequest("not_a_lora_stack", problem=str(fault)) from fault


def words_of(text: str) -> tuple[str, ...]:
    """A comma- or line-separated widget as its entries."""
    return tuple(entry.strip() for entry in text.replace("\n", ",").split(",") if entry.strip())


def _constraints(widgets: dict[str, Any]) -> Constraints:
    from ..plan import GIB, Constraints

    blocked = words_of(widgets.get("blocked", ""))
    ids = tuple(entry for entry in blocked if ":" in entry)
    return Constraints(
        max_vram_bytes=int(widgets.get("max_vram_gb", 0) * GIB) or None,
        max_seconds=widgets.get("max_seconds") or None,
        max_loras=widgets.get("max_loras", 4),
        max_pixels=int(widgets.get("max_megapixels", 0) * MEGAPIXEL) or None,
        max_steps=widgets.get("max_steps") or None,
        blocked_tags=tuple(entry for entry in blocked if entry not in ids),
        blocked_ids=ids,
        allow_nsfw=widgets.get("allow_nsfw", False),
    )


def _fixed(widgets: dict[str, Any]) -> Fixed:
    from ..plan import Fixed

    numbers = ("steps", "cfg", "guidance", "shift", "clip_skip", "width", "height", "batch", "denoise")
    values = {name: widgets.get(name) or None for name in numbers}
    texts = {name: None if widgets.get(name, "auto") in ("auto", "") else widgets[name] for name in ("sampler", "scheduler")}
    return Fixed(**values, **texts)


def _file_name(text: str | None) -> str | None:
    """A model name as typed or pasted: quotes and blanks off, either slash."""
    name = (text or "").strip().strip("\"'").replace("\\", "/")
    return name.replace("/", os.sep) or None
