"""REST routes of what is set and kept: settings of the hubs and of prompt reading, keys (written, never shown), the cache
of answers; and all settings at once, with what the environment fixes and where things lie."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..errors import BadRequest
from ..hub.answers import Asked as Kept
from ..plan import Kind
from ..reading_options import ReadingOptions, change_options, read_options
from ..routes import LANGUAGE
from . import host, reading
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


# --------------------------------------------------------------------------- prompt reading


def reading_settings(asked: Asked) -> dict[str, Any]:
    """The address and the model that read prompts, the environment's included."""
    return {"options": _told(read_options(host.data_folder()))}


def change_reading(asked: Asked) -> dict[str, Any]:
    """Keep changed settings of prompt reading; those that the environment sets stay as it says."""
    change_options(host.data_folder(), {name: value for name, value in asked.given.items() if name != LANGUAGE})
    return reading_settings(asked)


def try_reading(asked: Asked) -> dict[str, Any]:
    """Ask the server in force which of its models can read prompts, whatever it answered before."""
    from ..intelligence.explain import render
    from ..intelligence.guide import say
    from ..intelligence.ollama import Failed

    options = read_options(host.data_folder())
    try:
        models = reading.reader_of(options.url, options.model).models()
    except Failed as failure:
        return {"answers": False, "models": [], "said": render(failure.reason, asked.language)}
    names = {name.removesuffix(":latest") for name in models}
    lacks = options.model and options.model.removesuffix(":latest") not in names
    key = "reader.lacks" if lacks else "reader.found"
    said = say(key, asked.language, url=options.shown_url, model=options.model, models=", ".join(models))
    return {"answers": True, "models": list(models), "said": said}


def _told(options: ReadingOptions) -> dict[str, Any]:
    return {"url": options.shown_url, "model": options.model}


# --------------------------------------------------------------------------- all at once


def everything(asked: Asked) -> dict[str, Any]:
    """All settings as they are in force, by section, and in ``fixed`` what of them the environment says otherwise."""
    from . import feedback_routes, memory_routes

    sections = {
        "reading": reading_settings(asked),
        "hub": settings(asked),
        "learning": feedback_routes.settings(asked),
        "memory": memory_routes.settings(asked),
    }
    return {**sections, "fixed": _fixed(), "places": _places(asked.language)}


def _fixed() -> dict[str, list[str]]:
    from ..hub import options as hub
    from ..learning import options as learning
    from ..memory import options as memory

    folder = host.data_folder()
    pairs: dict[str, tuple[Any, Any]] = {
        "reading": (read_options(folder), read_options(folder, {})),
        "hub": (hub.read_options(folder), hub.read_options(folder, {})),
        "learning": (learning.read_options(folder), learning.read_options(folder, {})),
        "memory": (memory.read_options(folder), memory.read_options(folder, {})),
    }
    return {name: _different(asdict(in_force), asdict(own)) for name, (in_force, own) in pairs.items()}


def _different(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name for name, value in one.items() if value != other[name]]


def _places(language: str) -> list[dict[str, str]]:
    """Where things lie on this computer's disk."""
    from ..intelligence.guide import say
    from .recall import history

    folders = host.model_folders()
    shown = (Kind.CHECKPOINT, Kind.DIFFUSION_MODEL, Kind.LORA)
    found = [("data", str(host.data_folder())), ("database", history().address)]
    found += [(kind.value, str(path)) for kind in shown for path in folders.get(kind, [])]
    return [{"label": say(f"place.{key}", language), "path": path} for key, path in found]
