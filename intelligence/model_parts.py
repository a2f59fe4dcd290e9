"""The text encoders, VAE and second model that go with a diffusion model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..data import table
from ..data.families import Family, FilePart
from ..errors import MissingModel
from ..plan import Kind, Library, Machine, ModelFile, Priority, Reason, Request
from .named import find_named, stem

PREVIEW = "taesd"


@dataclass(frozen=True)
class Parts:
    """Files beside the diffusion model; ``vae`` ``None`` means the one baked into the checkpoint."""

    text_encoders: tuple[ModelFile, ...] = ()
    vae: ModelFile | None = None
    second: ModelFile | None = None


def find_parts(
    file: ModelFile, family: Family, library: Library, request: Request, machine: Machine
) -> tuple[Parts, tuple[Reason, ...], tuple[Reason, ...]]:
    """What ``file`` lacks, from the library, with reasons and warnings.

    Raises ``MissingModel`` naming each absent file, its folder and where it is published; its value ``parts`` holds
    them as ``FilePart``.
    """
    parts, reasons, missing = _search(file, family, library, request)
    if missing:
        files = "; ".join(f"{part.file} → models/{part.folder}{f' ({part.url})' if part.url else ''}" for part in missing)
        raise MissingModel("missing_parts", request.language, name=file.name, family=family.label, files=files, parts=missing)
    second = parts.second
    told = [Reason("text_encoders", "parts.text_encoder", {"name": stem(found.name)}) for found in parts.text_encoders]
    if second is not None:
        told.append(
            Reason("second", "parts.second", {"name": stem(second.name), "percent": round(100 * (family.second_switch or 0))})
        )
    return parts, (*told, *reasons), tuple(_doubts(file, family, parts.vae))


def absent_parts(file: ModelFile, family: Family, library: Library) -> tuple[FilePart, ...]:
    """What ``file`` would need beside it that the library does not have."""
    return _search(file, family, library, Request(""))[2]


def _search(
    file: ModelFile, family: Family, library: Library, request: Request
) -> tuple[Parts, list[Reason], tuple[FilePart, ...]]:
    missing: list[FilePart] = []
    encoders = _text_encoders(file, family, library, request, missing)
    vae, reasons = _vae(file, family, library, request, missing)
    second = _second(file, family, library, request, missing)
    return Parts(encoders, vae, second), reasons, tuple(missing)


def carries(file: ModelFile, part: str) -> bool:
    """Whether a checkpoint holds this part; one whose parts are not known is taken to hold them all."""
    return file.kind is Kind.CHECKPOINT and (not file.parts or part in file.parts)


def _text_encoders(
    file: ModelFile, family: Family, library: Library, request: Request, missing: list[FilePart]
) -> tuple[ModelFile, ...]:
    if carries(file, "clip"):
        return ()
    found = []
    for part in family.text_encoders:
        match = _local(part, library.of(Kind.TEXT_ENCODER), smallest=request.priority is Priority.LOW_VRAM)
        if match is None:
            missing.append(part)
        else:
            found.append(match)
    return tuple(found)


def _local(part: FilePart, files: tuple[ModelFile, ...], smallest: bool = False) -> ModelFile | None:
    matches = [file for file in files if _is(file, part) and file.architecture != PREVIEW]
    exact = [file for file in matches if _base(file) == part.file.lower()]
    if exact and not smallest:
        return exact[0]
    order = sorted(matches, key=lambda file: (file.size_bytes if smallest else -file.size_bytes, file.name))
    return order[0] if order else None


def _is(file: ModelFile, part: FilePart) -> bool:
    base = _base(file)
    return base == part.file.lower() or any(re.search(pattern, base) for pattern in part.match)


def _base(file: ModelFile) -> str:
    return PurePosixPath(file.name.replace("\\", "/")).name.lower()


# --------------------------------------------------------------------------- second model


def _second(file: ModelFile, family: Family, library: Library, request: Request, missing: list[FilePart]) -> ModelFile | None:
    """The other half of a two-part model (needed), or a refiner for its own base model at priority quality."""
    if not family.second_family:
        return None
    others = [other for other in library.of(file.kind) if other.family == family.second_family and other != file]
    if family.halves:
        half = next((other for other in others if family.half_of(stem(other.name)) == 1), None)
        if half is None and family.half_of(stem(file.name)) == 0:
            missing.append(FilePart(re.sub("(?i)high", "low", _base(file)), file.kind.value))
        return half
    is_base = re.search(r"(?<![a-z])base(?![a-z])", stem(file.name).lower())
    return others[0] if others and is_base and request.priority is Priority.QUALITY else None


# --------------------------------------------------------------------------- VAE


def _vae(
    file: ModelFile, family: Family, library: Library, request: Request, missing: list[FilePart]
) -> tuple[ModelFile | None, list[Reason]]:
    if request.vae is not None:
        named = find_named(library, (Kind.VAE,), request.vae, request.language, in_part=True)
        return named, [Reason("vae", "vae.named", {"name": stem(named.name)})]
    safe = _half_precision_safe(family, library)
    if carries(file, "vae"):
        if safe is not None:
            return safe, [Reason("vae", "vae.fp16_safe", {"name": stem(safe.name), "family": family.label})]
        return None, [Reason("vae", "vae.baked", {"name": stem(file.name)})]
    best = safe or _best_vae(family, library)
    if best is not None:
        return best, [Reason("vae", "vae.local", {"name": stem(best.name), "family": family.label})]
    missing.append(family.vae or FilePart(f"{family.id}_vae.safetensors", Kind.VAE.value))
    return None, []


def _half_precision_safe(family: Family, library: Library) -> ModelFile | None:
    """A local VAE repaired for half precision, where the family's own one overflows there."""
    if family.vae is None or "fp16" not in family.vae.file + family.vae.url:
        return None
    matches = [file for file in library.of(Kind.VAE) if _is(file, family.vae) and file.architecture != PREVIEW]
    return next((file for file in matches if "fp16" in _base(file)), None)


def _best_vae(family: Family, library: Library) -> ModelFile | None:
    usable = tuple(file for file in library.of(Kind.VAE) if file.architecture != PREVIEW)
    matched = _local(family.vae, usable) if family.vae else None
    fitting = [file for kind in table("settings")["vae"][family.architecture] for file in usable if file.architecture == kind]
    return matched or next(iter(fitting), None)


def _doubts(file: ModelFile, family: Family, vae: ModelFile | None) -> Iterator[Reason]:
    if vae is not None and vae.architecture == PREVIEW:
        yield Reason("vae", "warn.preview_vae", {"name": stem(vae.name)})
    elif vae is not None and vae.architecture and vae.architecture not in table("settings")["vae"][family.architecture]:
        yield Reason("vae", "warn.vae_family", {"name": stem(vae.name), "family": family.label})
    if file.kind is Kind.CHECKPOINT and not file.parts and vae is None:
        yield Reason("vae", "warn.parts_unknown", {"name": stem(file.name)})
