"""How full the memory is, in words: Markdown at four levels of detail, and the figures as JSON values."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from .errors import sentence
from .intelligence.explain import in_binary_units, render
from .plan import Verbosity
from .readout import CleanUp, DeviceMemory, HeldModel, Pooled, PoolState, Readout
from .values import to_json

LEVELS = tuple(Verbosity)
MOST_CLEAN_UPS = (0, 1, 5, 20)  # of each level


def report(readout: Readout, verbosity: Verbosity = Verbosity.STANDARD, language: str = "en") -> str:
    """Markdown. MINIMAL is one line; STANDARD adds the models, the pool and the last clean-up; DETAILED adds peaks, what the
    pool keeps and more clean-ups; TECHNICAL adds ComfyUI's own settings and every size in bytes."""
    level = LEVELS.index(verbosity)
    blocks = [line(readout, language)]
    if level:
        blocks += [_section(title, lines, language) for title, lines in _sections(readout, level, language)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def line(readout: Readout, language: str = "en") -> str:
    """Everything in one line: each device's memory, the RAM, and how many models are loaded."""
    parts = [_say("line_vram", language, **_share(each.used_bytes, each.total_bytes)) for each in readout.devices]
    ram = readout.ram
    parts.append(_say("line_ram", language, **_share(ram.total_bytes - ram.free_bytes, ram.total_bytes)))
    parts.append(_say("line_models", language, count=len(readout.models)))
    return " · ".join(parts)


def figures(readout: Readout, language: str = "en") -> dict[str, Any]:
    """The readout as JSON values, with the pool's hit rate, and why memory was given back in words."""
    told: dict[str, Any] = json.loads(to_json(readout))
    told["pool"]["hit_rate"] = readout.pool.hit_rate
    for shown, clean_up in zip(told["clean_ups"], readout.clean_ups, strict=True):
        shown["sentence"] = render(clean_up.reason, language)
    return told


def _sections(readout: Readout, level: int, language: str) -> Iterator[tuple[str, list[str]]]:
    yield "memory", [*_devices(readout, level, language), *_ram(readout, level, language)]
    yield "models", [_model(each, level, language) for each in readout.models] or [_say("models_none", language)]
    yield "pool", list(_pool(readout.pool, level, language))
    yield "clean_ups", [_clean_up(each, language) for each in reversed(readout.clean_ups[-MOST_CLEAN_UPS[level] :])]
    yield "host", list(_host(readout, language)) if level > 2 else []


def _section(title: str, lines: list[str], language: str) -> str:
    if not lines:
        return ""
    return f"## {_say(f'title_{title}', language)}\n\n" + "\n".join(f"- {each}" for each in lines)


# --------------------------------------------------------------------------- sections


def _devices(readout: Readout, level: int, language: str) -> Iterator[str]:
    if not readout.devices:
        yield _say("device_none", language)
    for each in readout.devices:
        values = {
            "name": plain(each.name),
            "free": in_binary_units(each.free_bytes),
            **_share(each.used_bytes, each.total_bytes),
        }
        yield _say("device", language, **values)
        if level > 1:
            yield _say(
                "device_ours", language, device=each.device, reserved=in_binary_units(each.reserved_bytes), peak=_peak(each)
            )


def _peak(device: DeviceMemory) -> str:
    return in_binary_units(device.peak_bytes) if device.peak_bytes else "–"


def _ram(readout: Readout, level: int, language: str) -> Iterator[str]:
    ram = readout.ram
    used = _share(ram.total_bytes - ram.free_bytes, ram.total_bytes)
    yield _say("ram", language, free=in_binary_units(ram.free_bytes), **used)
    if level > 1:
        yield _say("ram_ours", language, held=in_binary_units(ram.process_bytes), peak=in_binary_units(ram.peak_bytes))


def _model(model: HeldModel, level: int, language: str) -> str:
    size, loaded = (f"{each:,} B" if level > 2 else in_binary_units(each) for each in (model.size_bytes, model.loaded_bytes))
    key = "model_whole" if model.loaded_bytes >= model.size_bytes else "model_part"
    dtype = f", {model.dtype}" if model.dtype and level > 1 else ""
    return _say(key, language, name=plain(model.name), device=model.device, size=size, loaded=loaded) + dtype


def _pool(pool: PoolState, level: int, language: str) -> Iterator[str]:
    sizes = {"size": in_binary_units(pool.size_bytes), "limit": in_binary_units(pool.limit_bytes)}
    yield _say("pool", language, count=len(pool.entries), **sizes)
    if pool.hit_rate is not None:
        rate = f"{pool.hit_rate:.0%}".removesuffix("%")
        yield _say("pool_use", language, hits=pool.hits, asked=pool.hits + pool.misses, percent=rate, evictions=pool.evictions)
    if level > 1:
        yield from (_pooled(each) for each in reversed(pool.entries))


def _pooled(entry: Pooled) -> str:
    return " · ".join(
        filter(None, (plain(entry.name), in_binary_units(entry.size_bytes), entry.dtype, entry.device, entry.loader))
    )


def _clean_up(clean_up: CleanUp, language: str) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(clean_up.at))
    return _say(
        "clean_up", language, time=clock, freed=in_binary_units(clean_up.freed_bytes), why=render(clean_up.reason, language)
    )


def _host(readout: Readout, language: str) -> Iterator[str]:
    yield _say("host_state", language, state=readout.vram_state, reserve=in_binary_units(readout.reserve_bytes))
    yield _say("host_dynamic" if readout.dynamic_vram else "host_static", language)


# --------------------------------------------------------------------------- words


def _say(key: str, language: str, **values: object) -> str:
    return sentence("memory", key, language, values)


def _share(used_bytes: int, total_bytes: int) -> dict[str, str]:
    percent = round(100 * used_bytes / total_bytes) if total_bytes else 0
    return {"used": in_binary_units(used_bytes), "total": in_binary_units(total_bytes), "percent": str(percent)}


def plain(text: str) -> str:
    """One line without what Markdown would read as its own."""
    return " ".join(text.split()).translate({ord(mark): f"\\{mark}" for mark in "\\|`*_[]<>#"})
