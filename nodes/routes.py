"""REST routes under ``/intelligent_generation``: what the canvas and the command line ask outside a run."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest, UserError
from ..plan import Kind, Request
from ..routes import FAMILY_PATH, GUARD_HEADER, MODELS_PATH, PLAN_PATH
from ..values import clean, from_json, to_json
from . import host

if TYPE_CHECKING:
    from aiohttp.web import Request as HttpRequest
    from aiohttp.web import Response

MAX_FOUND = 50


def add_routes() -> None:
    """Register the routes; each is also reachable under ``/api``."""
    from server import PromptServer

    routes = PromptServer.instance.routes
    routes.post(PLAN_PATH)(plan)
    routes.get(MODELS_PATH)(models)
    routes.post(FAMILY_PATH)(family)


async def plan(http: HttpRequest) -> Response:
    """``POST {Request as JSON}`` → the plan, nothing queued."""
    from aiohttp import web

    from .planning import plan_for

    spoken = host.language("auto")
    try:
        _refuse_strangers(http)
        request = from_json(Request, await http.read())
        spoken = host.language(request.language)
        made = await asyncio.to_thread(plan_for, replace(request, prompt=clean(request.prompt), language=spoken))
    except UserError as error:
        return _refusal(error, spoken)
    return web.Response(text=to_json(made), content_type="application/json")


async def models(http: HttpRequest) -> Response:
    """``GET ?kind=loras&search=words`` → names of local files that hold every word, at most 50."""
    from aiohttp import web

    from .shelf import shelf

    kind = http.query.get("kind", Kind.CHECKPOINT.value)
    if kind not in {known.value for known in Kind}:
        return _refusal(
            BadRequest("not_a_choice", value=kind, choices=", ".join(known.value for known in Kind)), host.language("auto")
        )
    words = http.query.get("search", "").casefold().split()
    try:
        library = await asyncio.to_thread(shelf().library)
    except UserError as error:
        return _refusal(error, host.language("auto"))
    found = [file for file in library.of(Kind(kind)) if all(word in f"{file.name} {file.title}".casefold() for word in words)]
    rows = [{"name": file.name, "title": file.title, "family": file.family} for file in found[:MAX_FOUND]]
    return web.json_response({"models": rows, "total": len(found), "complete": library.complete}, dumps=_dumps)


async def family(http: HttpRequest) -> Response:
    """``POST {"kind": "loras", "name": "a.safetensors", "family": "pony"}``: what the person knows better than the
    header; ``"family": null`` takes it back."""
    from aiohttp import web

    from .shelf import shelf

    try:
        _refuse_strangers(http)
        told = await http.json()
        kind, name, chosen = Kind(told["kind"]), str(told["name"]), told["family"]
        if shelf().registry.library().find(kind, name) is None:
            raise BadRequest("file_not_listed", name=name)
        await asyncio.to_thread(shelf().registry.override, kind, name, chosen)
    except (KeyError, TypeError, ValueError) as fault:
        return _refusal(BadRequest("not_readable", noun="family", where="", problem=str(fault)), host.language("auto"))
    except UserError as error:
        return _refusal(error, host.language("auto"))
    return web.json_response({"name": name, "family": chosen})


def _refusal(error: UserError, language: str) -> Response:
    from aiohttp import web

    return web.json_response({"error": error.code, "message": str(error.in_language(language))}, status=400)


def _refuse_strangers(http: HttpRequest) -> None:
    if http.content_type != "application/json" or GUARD_HEADER not in http.headers:
        raise BadRequest("not_our_request", header=GUARD_HEADER)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
