"""From an HTTP request to the function that answers it, and back: guarded, read, answered off the event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BadRequest, UserError
from ..routes import LANGUAGE, OPENAPI_PATH, Route
from . import host

if TYPE_CHECKING:
    from aiohttp.web import Request as HttpRequest
    from aiohttp.web import Response

THREADS = 8  # of our own: hubs may take a minute to answer, and ComfyUI's threads serve its files
MOST_NUMBER = 1_000_000
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Raw(NamedTuple):
    """An answer that is no JSON of ours."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Asked:
    """What a request asks. ``given`` holds the query's lists of texts, or the body's JSON values; ``raw`` the body;
    ``id`` the part of the path that names something. What ``given`` holds is checked as it is read: every method
    raises ``BadRequest``."""

    language: str
    given: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes = b""
    id: str = ""

    def text(self, name: str, otherwise: str | None = None) -> str:
        """A text; it must be there where there is no ``otherwise``."""
        value = self._one(name)
        if value is None and otherwise is not None:
            return otherwise
        if not isinstance(value, str) or (otherwise is None and not value.strip()):
            raise unreadable(f"{name}: text is needed")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A text that may be given many times."""
        found = self.given.get(name, [])
        return tuple(each for each in found if each.strip())

    def flag(self, name: str, otherwise: bool = False) -> bool:
        """``true`` or ``false``: in a body as JSON has them, never as text."""
        value = self._one(name)
        if value is None:
            return otherwise
        if isinstance(self.given[name], list) and value in _FLAGS:
            return _FLAGS[value]
        if isinstance(value, bool):
            return value
        raise unreadable(f"{name}: true or false is needed")

    def number(self, name: str, otherwise: int, low: int, high: int = MOST_NUMBER) -> int:
        """A whole number from the query."""
        text = self.text(name, str(otherwise))
        if not (text.isascii() and text.isdigit() and len(text) < 9 and low <= int(text) <= high):
            raise BadRequest("out_of_range", faults=f"{name} {text[:20]} ({low}–{high})")
        return int(text)

    def confirmed(self) -> None:
        """Raises unless the person's own word came along."""
        if self.given.get("confirmed") is not True:
            raise BadRequest("request_not_confirmed")

    def _one(self, name: str) -> Any:
        value = self.given.get(name)
        if isinstance(value, list):
            return value[-1] if value else None
        return value


def unreadable(problem: str) -> BadRequest:
    return BadRequest("request_unreadable", problem=problem, path=OPENAPI_PATH)


Act = Callable[[Asked], "dict[str, Any] | Raw"]


def answering(route: Route) -> Callable[[HttpRequest], Awaitable[Response]]:
    """What serves ``route``. Its function is found at the first request, so that ComfyUI's start does not pay."""

    async def answer(http: HttpRequest) -> Response:
        language = _spoken(http.query.get(LANGUAGE, ""))
        try:
            asked = await _asked(http, route, language)
            language = asked.language
            told = await asyncio.get_running_loop().run_in_executor(_threads(), _told, route, asked)
        except UserError as fault:
            return _refusal(fault.in_language(language))
        return _answer(told)

    return answer


def _told(route: Route, asked: Asked) -> dict[str, Any] | Raw:
    module, name = route.act.split(".")
    act: Act = getattr(import_module(f".{module}", __package__), name)
    return act(asked)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "iig-route")


# --------------------------------------------------------------------------- asked


async def _asked(http: HttpRequest, route: Route, language: str) -> Asked:
    from ..guard import MAX_BODY_BYTES, MAX_SENT_BYTES, Visitor, refuse_strangers

    visitor = Visitor(http.remote, http.content_type, http.headers)
    remote_clients = route.access.here and not visitor.is_here and await asyncio.to_thread(_remote_clients)
    refuse_strangers(visitor, route.access, remote_clients)
    if not route.access.sends:
        query = {name: http.query.getall(name) for name in http.query if name != LANGUAGE}
        _refuse_unknown(query, route.takes or ())
        return Asked(language, query)
    raw = await _body(http, MAX_BODY_BYTES if route.access.here else MAX_SENT_BYTES)
    given = _object(raw) if route.access.here else _object_if_any(raw)
    if isinstance(given.get(LANGUAGE), str):
        language = _spoken(given[LANGUAGE])
    if route.takes is not None:
        given.pop(LANGUAGE, None)
        _refuse_unknown(given, route.takes)
    return Asked(language, given, raw, http.match_info.get("id", ""))


def _remote_clients() -> bool:
    from .desk import desk

    return desk().options.remote_clients


def _refuse_unknown(given: Mapping[str, Any], takes: tuple[str, ...]) -> None:
    if unknown := sorted(given.keys() - set(takes)):
        raise unreadable(f"{', '.join(unknown)[:80]}: not known here")


async def _body(http: HttpRequest, most: int) -> bytes:
    raw = bytearray()
    async for piece in http.content.iter_chunked(8192):
        raw += piece
        if len(raw) > most:
            raise BadRequest("request_too_large", most=most)
    return bytes(raw)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        held = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as fault:
        raise unreadable(f"JSON: {type(fault).__name__}") from fault
    if not isinstance(held, dict):
        raise unreadable("JSON: an object is needed")
    return held


def _object_if_any(raw: bytes) -> dict[str, Any]:
    """For functions that read the body by themselves and say what is wrong with it."""
    try:
        return _object(raw)
    except BadRequest:
        return {}


def _spoken(language: str) -> str:
    return host.language(language or "auto")


# --------------------------------------------------------------------------- answered


def _answer(told: dict[str, Any] | Raw) -> Response:
    from aiohttp import web

    if isinstance(told, Raw):
        return web.Response(body=told.body, content_type=told.content_type, headers=told.headers)
    return web.json_response(told, dumps=_dumps)


def _refusal(error: UserError) -> Response:
    from aiohttp import web

    from ..guard import retry_after_s, status_of

    wait_s = retry_after_s(error)
    headers = {"Retry-After": str(wait_s)} if wait_s is not None else {}
    return web.json_response(told_error(error), status=status_of(error), headers=headers, dumps=_dumps)


def told_error(error: UserError) -> dict[str, str]:
    """An error as answers hold it, in the language it speaks."""
    return {"error": error.code, "message": str(error)}


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
