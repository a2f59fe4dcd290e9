"""The REST route of the guide: what was found on this machine, what is missing, what to do first."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..intelligence.explain import render
from ..intelligence.guide import Around, counts, families_found, starters, steps
from . import reading
from .answering import Asked
from .desk import desk, machine
from .planning import wanted_told
from .shelf import shelf


def guide(asked: Asked) -> dict[str, Any]:
    """What is here and what to do about it, in sentences; the first model to get where none is here."""
    library, here = shelf().library(), machine()
    around, language = _around(asked.language), asked.language
    found = families_found(library)
    missing = () if found or around.offline or not library.complete else starters(here)
    return {
        "complete": library.complete,
        "counts": counts(library),
        "families": [{"family": family.id, "label": family.label, "count": count} for family, count in found],
        "steps": [asdict(step) for step in steps(library, here, around, language)],
        "wanted": [wanted_told(each, language) for each in missing],
    }


def _around(language: str) -> Around:
    from ..intelligence.ollama import Failed

    options, reader = desk().options, reading.ollama()
    try:
        models, silence = reader.models(), ""
    except Failed as failure:
        models, silence = (), render(failure.reason, language)
    chosen = (reader.model,) if models and reader.model else models
    return Around(options.offline, options.recognise, chosen, silence)
