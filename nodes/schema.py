"""Node schemas: the words come from ``locales/en/nodeDefs.json`` (the frontend takes the other languages from
the same files), and what an older host does not know is left out."""

from __future__ import annotations

import dataclasses
import json
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from comfy_api.latest import io

from ..choices import Verbosity

CATEGORY = "Intelligent Generation"

PlanType = io.Custom("IIG_PLAN")
AnalysisType = io.Custom("IIG_ANALYSIS")
LoraStackType = io.Custom("LORA_STACK")  # the type other packs use: [(name, strength_model, strength_clip), …]


@cache
def _words() -> dict[str, Any]:
    path = Path(__file__).parent.parent / "locales" / "en" / "nodeDefs.json"
    words: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return words


def schema(node_id: str, inputs: list[Any], outputs: list[Any], **options: Any) -> io.Schema:
    """A schema of this pack; inputs and outputs get their names and tooltips from the words file."""
    words = _words()[node_id]
    for socket in inputs:
        _name(socket, words["inputs"][socket.id])
    for index, socket in enumerate(outputs):
        _name(socket, words["outputs"][str(index)])
    wanted = {"category": CATEGORY, "display_name": words["display_name"], "description": words["description"], **options}
    known = {field.name for field in dataclasses.fields(io.Schema)}
    return io.Schema(
        node_id=node_id, inputs=inputs, outputs=outputs, **{key: value for key, value in wanted.items() if key in known}
    )


def _name(socket: Any, words: dict[str, str]) -> None:
    socket.display_name = words["name"]
    socket.tooltip = words.get("tooltip")


def each_time() -> str:
    """A fingerprint for nodes that run each time. Never NaN: ComfyUI keeps it in its history, and browsers read no NaN."""
    return uuid.uuid4().hex


def advanced(widget: Any) -> Any:
    """A widget that newer frontends fold away; older ones ignore the mark."""
    widget.extra_dict["advanced"] = True
    return widget


def raw_link(socket_type: Any, name: str) -> Any:
    """An optional input that receives the link instead of the value, to hand it on to children: links keep the
    host's cache, objects defeat it."""
    return socket_type.Input(name, optional=True, extra_dict={"rawLink": True})


def speech() -> list[Any]:
    """The two widgets of everything that explains: language and level of detail."""
    levels = [member.value for member in Verbosity]
    return [
        io.Combo.Input("language", options=["auto", "en", "es"], default="auto"),
        io.Combo.Input("verbosity", options=levels, default=Verbosity.STANDARD.value),
    ]
