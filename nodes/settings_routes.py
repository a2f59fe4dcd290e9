"""REST routes of what is set and kept: settings of the hubs, keys (written, never shown), the cache of answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..errors import BadRequest
from ..hub.answers import Asked as Kept
from ..routes import LANGUAGE
from .answering import Asked, unreadable
from .desk import desk


def settings(asked: Asked) -> dict[str, Any]:
    """The settings in force, the environment's included, and which hubs there is a key for."""
    return {"options": asdict(desk().options), "tokens": desk().tokens.present()}


def change_settings(asked: Asked) -> dict[str, Any]:
    """Keep changed settings; those that the environment sets stay as it says."""
    desk().change_options({name: value for name, value in asked.given.items() if name != LANGUAGE})
    return settings(asked)


def set_token(asked: Asked) -> dict[str, Any]:
    """Keep a key, or forget it (``null``). It is never told again."""
    hub, token = asked.text("hub"), asked.given.get("token", "")
    if token is not None and (not isinstance(token, str) or not token.strip()):
        raise unreadable("token: a key or null is needed")
    desk().tokens.set(hub, token)
    return {"hub": hub, "present": desk().tokens.present()[hub]}


def cache_sizes(asked: Asked) -> dict[str, Any]:
    """What the cache of answers and previews holds, by kind, and its limits."""
    answers = desk().answers
    sizes = {kind.value: asdict(size) for kind, size in answers.sizes().items()}
    total = sum(size["bytes"] for size in sizes.values())
    return {"kinds": sizes, "bytes": total, "limit_bytes": answers.cache_bytes, "limit_days": answers.cache_days}


def clear_cache(asked: Asked) -> dict[str, Any]:
    """Let go one answer, one kind, or all. Model files are not touched."""
    kind, key = asked.text("kind", ""), asked.text("key", "")
    known = {each.value: each for each in Kept}
    if kind and kind not in known:
        raise BadRequest("not_a_choice", value=kind[:80], choices=", ".join(known))
    return {"cleared": desk().answers.clear(known.get(kind), key or None)}
