"""Which local files may draw a picture, and why the others may not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ..data.families import Family, families, family_of_base
from ..errors import MissingModel, sentence
from ..plan import Constraints, Kind, Library, Machine, ModelFile
from .named import compact, stem

UNKNOWN_HOST = Machine().host_version
MODEL_KINDS = (Kind.CHECKPOINT, Kind.DIFFUSION_MODEL)
NAMES_SHOWN = 3


def candidates(library: Library, machine: Machine, limits: Constraints, only: Family | None = None) -> list[ModelFile]:
    """The files the planner may choose from, of one family where ``only`` is given."""
    files = (file for file in _models(library) if only is None or file.family == only.id)
    return [file for file in files if _fault(file, machine, limits) is None]


def family_of(file: ModelFile) -> Family | None:
    """The family row of a file; by its measured architecture where the family itself is not known."""
    rows = families()
    if file.family in rows:
        return rows[file.family]
    return next((row for row in rows.values() if file.architecture and row.architecture == file.architecture), None)


def family_called(name: str) -> Family | None:
    """The family a person means by its id, its label or a hub's name for it ("sdxl", "Flux.1 dev")."""
    wanted = compact(name)
    rows = families().values()
    return next((row for row in rows if wanted in (compact(row.id), compact(row.label))), None) or family_of_base(name)


def runs_here(family: Family, machine: Machine) -> bool:
    return machine.host_version == UNKNOWN_HOST or family.runs_on(machine.host_version)


def nothing_usable(library: Library, machine: Machine, limits: Constraints, language: str, only: Family | None) -> MissingModel:
    """The error for a library without candidates: why each file falls and what would help."""
    if not library.complete:
        return MissingModel("no_checkpoint_yet", language)
    files = [file for file in _models(library) if only is None or file.family == only.id]
    if not files:
        return MissingModel("no_checkpoint", language)
    groups: dict[str, list[ModelFile]] = {}
    for file in files:
        groups.setdefault(_fault(file, machine, limits) or "", []).append(file)
    why = " ".join(_told(fault, group, machine, language) for fault, group in groups.items())
    return MissingModel("none_usable", language, why=why)


def _models(library: Library) -> Iterator[ModelFile]:
    return (file for kind in MODEL_KINDS for file in library.files if file.kind is kind)


def _fault(file: ModelFile, machine: Machine, limits: Constraints) -> str | None:
    """Why this file cannot be chosen: a key of ``locales/*/errors.json``; ``None`` when it can."""
    family = families().get(file.family or "")
    if file.problem is not None:
        return "fallen_pickle" if file.problem == "file_pickle" else file.problem
    if family is None:
        return "fallen_special" if family_of(file) else "fallen_family"
    if family.id in only_second() or family.half_of(stem(file.name)) == 1:
        return "fallen_second"
    if not runs_here(family, machine):
        return "fallen_host"
    if _blocked(file, limits):
        return "fallen_blocked"
    whole = file.kind is Kind.CHECKPOINT or family.text_encoders
    return None if whole and (not file.parts or "unet" in file.parts) else "fallen_part"


def _blocked(file: ModelFile, limits: Constraints) -> bool:
    tags = {tag.casefold() for tag in file.tags}
    return bool(tags & {tag.casefold() for tag in limits.blocked_tags} or {file.name, file.hub_id} & set(limits.blocked_ids))


@cache
def only_second() -> frozenset[str]:
    """Families that only ever take over from another one: refiners."""
    return frozenset(row.second_family for row in families().values() if row.second_family not in ("", row.id))


def _told(fault: str, files: list[ModelFile], machine: Machine, language: str) -> str:
    names = [stem(file.name) if fault.startswith("fallen_") else file.name for file in files]
    shown = ", ".join(names[:NAMES_SHOWN]) + (f" … ({len(names)})" if len(names) > NAMES_SHOWN else "")
    family = families().get(files[0].family or "")
    host = family.min_host if family else ""
    return sentence("errors", fault, language, {"name": shown, "host": host, "here": machine.host_version})
