"""The REST routes of plans and local models, and the registration of all: what the canvas and the command line ask
outside a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..choices import Kind
from ..errors import BadRequest
from ..routes import ROUTES
from ..values import clean, from_json, to_json
from . import host
from .answering import Asked, Raw, answering

MAX_FOUND = 50


def add_routes() -> None:
    """Register the routes; each is also reachable under ``/api``."""
    from server import PromptServer

    for route in ROUTES:
        PromptServer.instance.routes.route(route.method, route.path)(answering(route))


def ask_anew_for_scripts() -> None:
    """Have browsers ask on every load whether a late-loaded script changed: ComfyUI says so of ``.js`` alone, and a new
    ``.js`` beside modules of an older version would be no panel at all."""
    from server import PromptServer

    scripts = f"/extensions/{Path(__file__).parent.parent.name}/"

    async def watch(request: Any, response: Any) -> None:
        if request.path.startswith(scripts) and request.path.endswith(".mjs"):
            response.headers.setdefault("Cache-Control", "no-cache")

    PromptServer.instance.app.on_response_prepare.append(watch)


def plan(asked: Asked) -> Raw:
    """``{Request as JSON}`` → the plan, nothing queued."""
    from ..plan import Request
    from .planning import plan_for

    request = from_json(Request, asked.raw)
    spoken = host.language(request.language)
    made = plan_for(replace(request, prompt=clean(request.prompt), language=spoken))
    return Raw(to_json(made).encode("utf-8"), "application/json")


def models(asked: Asked) -> dict[str, Any]:
    """``?kind=loras&search=words`` → names of local files that hold every word, at most 50."""
    from .shelf import shelf

    kind = kind_asked(asked.text("kind", Kind.CHECKPOINT.value))
    words = asked.text("search", "").casefold().split()
    library = shelf().library()
    found = [file for file in library.of(kind) if all(word in f"{file.name} {file.title}".casefold() for word in words)]
    rows = [{"name": file.name, "title": file.title, "family": file.family} for file in found[:MAX_FOUND]]
    return {"models": rows, "total": len(found), "complete": library.complete}


def family(asked: Asked) -> dict[str, Any]:
    """``{"kind": "loras", "name": "a.safetensors", "family": "pony"}``: what the person knows better than the
    header; ``"family": null`` takes it back."""
    from .shelf import shelf

    kind, name = kind_asked(asked.text("kind")), asked.text("name")
    chosen = asked.text("family") if asked.given.get("family") is not None else None
    if "family" not in asked.given:
        raise BadRequest("not_readable", noun="family", where="", problem="family")
    if shelf().registry.library().find(kind, name) is None:
        raise BadRequest("file_not_listed", name=name)
    shelf().registry.override(kind, name, chosen)
    return {"name": name, "family": chosen}


def openapi(asked: Asked) -> Raw:
    """The description of all these routes."""
    return Raw((Path(__file__).parent.parent / "openapi.json").read_bytes(), "application/json")


def kind_asked(text: str) -> Kind:
    """A kind by ComfyUI's folder name. Raises ``BadRequest``."""
    if text not in {known.value for known in Kind}:
        raise BadRequest("not_a_choice", value=text[:80], choices=", ".join(known.value for known in Kind))
    return Kind(text)
