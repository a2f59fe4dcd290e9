"""What to fetch when a plan cannot be made, or leaves something out, because a file is not here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..data.families import Family, FilePart, families
from ..data.starters import Starter, starters
from ..errors import BadRequest, UserError
from ..offers import Offer, Ref, RemoteFile
from ..plan import GIB, Analysis, Constraints, Kind, Library, Machine, ModelFile, Plan, Reason
from .candidates import MODEL_KINDS, family_called, runs_here
from .choose_file import known_parts, path_of
from .estimate import budget_bytes, on_gpu
from .model_parts import absent_parts
from .named import search_text, stem
from .offering import family_offered, folder_kind
from .owned import query_base_models
from .suitability import style_group

MOST_STARTERS = 3
_ADDRESS = re.compile(r"https://huggingface\.co/(?P<model>[^/]+/[^/]+)/resolve/(?P<version>[^/]+)/(?P<file>[^?]+)")


@dataclass(frozen=True)
class Wanted:
    """A published file that would mend a fault: ``ref`` is its hub reference (``Ref`` as text), or, empty, nobody
    knows where it is and ``search`` is what to search the hubs for, among ``base_models`` where they are given. With a
    ``sha256`` (lower-case hex) only a file of these bytes will do."""

    kind: Kind
    name: str
    why: Reason
    ref: str = ""
    search: str = ""
    base_models: tuple[str, ...] = ()
    size_bytes: int | None = None
    sha256: str = ""


def wanted(error: UserError, library: Library, machine: Machine, analysis: Analysis | None = None) -> tuple[Wanted, ...]:
    """What would mend the fault a plan failed with, the best first; empty for faults that no download mends."""
    answer = _ANSWERS.get(error.code)
    return tuple(answer(error, library, machine, analysis)) if answer else ()


def wanted_beside(plan: Plan) -> tuple[Wanted, ...]:
    """The LoRAs and embeddings that the prompt names and the plan had to leave out."""
    family = families().get(plan.family)
    kinds = {"warn.lora_missing": Kind.LORA, "warn.embedding_missing": Kind.EMBEDDING}
    found = [(kinds[reason.key], str(reason.values["name"])) for reason in plan.warnings if reason.key in kinds]
    return tuple(_searched(kind, name, family) for kind, name in dict.fromkeys(found))


def wanted_with(offer: Offer, file: RemoteFile, library: Library) -> tuple[Wanted, ...]:
    """What a bare diffusion model needs beside it that is not here; empty for whole models and all else."""
    family = family_offered(offer, file)
    if family is None or folder_kind(offer, file) is not Kind.DIFFUSION_MODEL:
        return ()
    name = PurePosixPath(path_of(file)).name
    model = ModelFile(Kind.DIFFUSION_MODEL, name, family=family.id)
    return tuple(_of_part(part, name) for part in absent_parts(model, family, library))


def diffusers_folder(name: str, said: Iterable[str], machine: Machine, language: str = "en") -> BadRequest:
    """The refusal of a model in the diffusers format. ``said`` are texts that may name its base model: a repository,
    ``_name_or_path`` of ``model_index.json``, the folder's name."""
    found = next((family for text in (name, *said) if text and (family := family_called(text))), None)
    rows = _ranked([row for row in starters() if found and row.family == found.id], machine, "")
    if not rows:
        return BadRequest("diffusers_folder_unknown", language, name=name)
    return BadRequest("diffusers_folder", language, name=name, instead=rows[0].ref)


def hub_ref(url: str) -> Ref | None:
    """The hub reference of a file's address on Hugging Face; ``None`` for other addresses."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return None
    version = found["version"]
    return Ref("huggingface", found["model"], "" if version == "main" else version, found["file"])


# --------------------------------------------------------------------------- answers by error


def _parts(error: UserError, library: Library, machine: Machine, analysis: Analysis | None) -> Iterator[Wanted]:
    parts = error.values.get("parts", ())
    name = str(error.values.get("name", ""))
    for part in parts if isinstance(parts, tuple) else ():
        yield _of_part(part, name)


def _of_part(part: FilePart, model: str) -> Wanted:
    ref = hub_ref(part.url)
    values = {"name": model, "part": part.file, "folder": part.folder}
    why = Reason("wanted", "wanted.part" if ref else "wanted.part_search", values)
    return Wanted(Kind(part.folder), part.file, why, str(ref or ""), "" if ref else search_text(part.file))


def _first_model(error: UserError, library: Library, machine: Machine, analysis: Analysis | None) -> Iterator[Wanted]:
    for file in library.files:
        if file.kind in MODEL_KINDS and file.problem is not None:
            why = Reason("wanted", "wanted.again", {"name": file.name})
            yield Wanted(file.kind, PurePosixPath(file.name).name, why, file.hub_id or "", search_text(file.name))
    style = style_group(analysis.style) if analysis and analysis.style != "none" else ""
    for row in _ranked(starters(), machine, style)[:MOST_STARTERS]:
        yield _of_starter(row, machine)


def _not_found(error: UserError, library: Library, machine: Machine, analysis: Analysis | None) -> Iterator[Wanted]:
    name, kinds = str(error.values.get("name", "")), error.values.get("kinds", ())
    kind = kinds[0] if isinstance(kinds, tuple) and kinds else Kind.CHECKPOINT
    family = family_called(name) if kind in MODEL_KINDS else None
    rows = _ranked([row for row in starters() if family and row.family == family.id], machine, "")
    for row in rows:
        yield _of_starter(row, machine)
    part = next((part for part in known_parts() if kind.value == part.folder and stem(part.file) == stem(name)), None)
    if part is not None:
        yield _of_part(part, name)
    elif not rows:
        yield _searched(kind, name, None)


_ANSWERS: dict[str, Callable[[UserError, Library, Machine, Analysis | None], Iterator[Wanted]]] = {
    "missing_parts": _parts,
    "no_checkpoint": _first_model,
    "none_usable": _first_model,
    "model_not_found": _not_found,
}


def _searched(kind: Kind, name: str, family: Family | None) -> Wanted:
    why = Reason("wanted", "wanted.named", {"name": name, "folder": kind.value})
    return Wanted(kind, name, why, search=search_text(name), base_models=query_base_models(family) if family else ())


# --------------------------------------------------------------------------- first models


def _of_starter(row: Starter, machine: Machine) -> Wanted:
    ref = Ref.parse(row.ref)
    key = "wanted.starter" if _fits(row, machine) is not False else "wanted.starter_slow"
    label = families()[row.family].label
    values = {"family": label, "repository": ref.model, "needed": row.min_vram_gib, "folder": row.folder.value}
    return Wanted(row.folder, PurePosixPath(ref.file).name, Reason("wanted", key, values), row.ref, size_bytes=row.size_bytes)


def _ranked(rows: Iterable[Starter], machine: Machine, style: str) -> list[Starter]:
    """The rows this ComfyUI runs. On a GPU those of the style first, then the largest that fits; where none fits, on a
    CPU and where the memory is not known, the smallest first."""
    running = [row for row in rows if runs_here(families()[row.family], machine)]
    fitting = [row for row in running if _fits(row, machine)]
    if fitting and on_gpu(machine):
        return sorted(fitting, key=lambda row: (_place(row, style), -row.min_vram_gib))
    return sorted(running, key=lambda row: row.min_vram_gib)


def _place(row: Starter, style: str) -> int:
    """How far down a style stands among what the row is good at."""
    if not style:
        return 0
    return row.styles.index(style) if style in row.styles else len(row.styles)


def _fits(row: Starter, machine: Machine) -> bool | None:
    """``None`` where the memory is not known. A card of N GiB shows a little less, so N − 1 whole ones."""
    budget = budget_bytes(machine, Constraints())
    return budget // GIB + 1 >= row.min_vram_gib if budget else None
