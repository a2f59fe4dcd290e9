"""What a person who just installed the pack needs to know: what is here, what is missing, and the one thing to do about
each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..data.families import Family
from ..errors import MissingModel, sentence
from ..plan import Kind, Library, Machine
from .candidates import MODEL_KINDS, family_of
from .explain import in_binary_units
from .owned import families_owned, query_base_models
from .wanted import Wanted, wanted

GOOD, TODO, NOTE = "good", "todo", "note"
MOST_NAMED = 4  # families in a sentence
RECOGNISED = (*MODEL_KINDS, Kind.LORA)  # what hubs know


@dataclass(frozen=True)
class Around:
    """What the library does not say: whether hubs may be asked and new files are looked up, and what the language model
    reads with (``models``), or why it does not (``silence``, a sentence)."""

    offline: bool = False
    recognises: bool = False
    models: tuple[str, ...] = ()
    silence: str = ""


@dataclass(frozen=True)
class Step:
    """One line of the guide. ``state`` is good, todo or note; ``do`` names what its button does (empty = no button) and
    ``about`` what that needs to know."""

    key: str
    state: str
    said: str
    do: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


def steps(library: Library, machine: Machine, around: Around, language: str) -> tuple[Step, ...]:
    """The guide's lines, in the order to read them."""
    parts = (_disk, _models, _loras, _unusable, _unknown)
    found = [step for part in parts for step in part(library, machine, around, language)]
    return (*found, *_hubs(around, language), *_reader(around, language))


def starters(machine: Machine) -> tuple[Wanted, ...]:
    """First models for this machine, the one to take first."""
    return wanted(MissingModel("no_checkpoint"), Library(), machine)


def counts(library: Library) -> dict[str, int]:
    """How many usable files of each kind there are."""
    return {kind.value: len(library.of(kind)) for kind in Kind if library.of(kind)}


def families_found(library: Library) -> list[tuple[Family, int]]:
    """The families of the models that can draw, with how many there are of each."""
    known = Counter(file.family for kind in MODEL_KINDS for file in library.of(kind))
    return [(family, known[family.id]) for family in families_owned(library)]


# --------------------------------------------------------------------------- lines


def _disk(library: Library, machine: Machine, around: Around, language: str) -> Iterator[Step]:
    if not library.complete:
        yield Step("disk", NOTE, say("disk.reading", language), "again")


def _models(library: Library, machine: Machine, around: Around, language: str) -> Iterator[Step]:
    found = families_found(library)
    memory = in_binary_units(machine.vram_bytes) if machine.device != "cpu" and machine.vram_bytes else ""
    if found:
        count, named = sum(number for _, number in found), ", ".join(family.label for family, _ in found[:MOST_NAMED])
        more = len(found) - MOST_NAMED
        named += say("models.more", language, count=more) if more > 0 else ""
        yield Step(
            "models", GOOD, say("models.found", language, count=count, families=named), "library", {"kind": "checkpoints"}
        )
    elif library.complete:
        key = "models.none_gpu" if memory else "models.none_cpu"
        text = say(key, language, memory=memory)
        if around.offline:
            yield Step("models", TODO, f"{text} {say('models.offline', language)}", "settings")
        else:
            yield Step("models", TODO, text, "download")


def _loras(library: Library, machine: Machine, around: Around, language: str) -> Iterator[Step]:
    count, owned = len(library.of(Kind.LORA)), families_owned(library)
    if count:
        fitting = sum(file.family is not None and _loads_on(file.family, owned) for file in library.of(Kind.LORA))
        yield Step("loras", GOOD, say("loras.found", language, count=count, fitting=fitting), "library", {"kind": "loras"})
    elif owned and library.complete:
        about = {"kind": "loras", "base_model": next(iter(query_base_models(owned[0])), "")}
        yield Step("loras", TODO, say("loras.none", language, family=owned[0].label), "" if around.offline else "search", about)


def _loads_on(family: str, owned: tuple[Family, ...]) -> bool:
    return any(family == each.id or family in each.lora_parents for each in owned)


def _unusable(library: Library, machine: Machine, around: Around, language: str) -> Iterator[Step]:
    spoilt = [file for file in library.files if not file.usable]
    if spoilt:
        first = spoilt[0]
        why = sentence("errors", str(first.problem), language, {"name": first.name})
        said = say("unusable", language, count=len(spoilt), why=why)
        yield Step("unusable", TODO, said, "library", {"kind": first.kind.value, "only": "unusable"})


def _unknown(library: Library, machine: Machine, around: Around, language: str) -> Iterator[Step]:
    files = [file for kind in RECOGNISED for file in library.of(kind)]
    unknown = sum(not file.hub_id for file in files)
    nameless = sum(family_of(file) is None for file in files)
    if not unknown:
        return
    said = say("unknown.nameless" if nameless else "unknown", language, count=unknown, nameless=nameless)
    if around.offline:
        yield Step("unknown", NOTE, said)
    else:
        yield Step("unknown", NOTE if around.recognises else TODO, said, "recognise")


def _hubs(around: Around, language: str) -> Iterator[Step]:
    key = "hubs.offline" if around.offline else "hubs.online"
    yield Step("hubs", NOTE if around.offline else GOOD, say(key, language), "settings" if around.offline else "")


def _reader(around: Around, language: str) -> Iterator[Step]:
    if around.models:
        named = ", ".join(around.models[:MOST_NAMED])
        yield Step("reader", GOOD, say("reader.answers", language, models=named), "settings")
    else:
        yield Step("reader", NOTE, f"{around.silence} {say('reader.silent', language)}".strip(), "settings")


def say(key: str, language: str, **values: object) -> str:
    return sentence("guide", key, language, values)
