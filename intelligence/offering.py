"""Whether an offered file fits this person: their model families, disk, memory and ComfyUI, with the reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import PurePosixPath

from ..data import table
from ..data.families import Family, families, family_of_base
from ..data.starters import starters
from ..offers import Offer, Ref, RemoteFile
from ..plan import GIB, Constraints, Kind, Library, Machine, ModelFile, Priority, Reason, Settings
from .candidates import MODEL_KINDS, UNKNOWN_HOST, family_called, runs_here
from .choose_file import is_pickle, is_shard, kind_of, path_of, precision_of, weights_bytes
from .estimate import Load, budget_bytes, estimate, load_of, on_gpu
from .model_parts import absent_parts
from .named import search_text
from .owned import families_owned, loads, of_model

DISK_RESERVE_BYTES = GIB  # what a download leaves free, so that ComfyUI can still write
NAMES_SHOWN = 3
LOOKS_RIGHT = 0.6  # from this factor of ``lora_parents`` on the difference is seldom seen
ADAPTER_KINDS = (Kind.LORA, Kind.CONTROLNET, Kind.EMBEDDING)


class Verdict(str, Enum):
    """The whole answer in a word."""

    FITS = "fits"
    WITH_CARE = "fits_with_care"
    DOES_NOT_FIT = "does_not_fit"
    HAVE_IT = "have_it"
    UNKNOWN = "unknown"


# What one reason of this kind makes of the whole, the strongest first.
_ORDER = (Verdict.HAVE_IT, Verdict.DOES_NOT_FIT, Verdict.UNKNOWN, Verdict.WITH_CARE, Verdict.FITS)
Judgement = tuple[Verdict, Reason]


@dataclass(frozen=True)
class Fit:
    """Whether a file fits, and why: every reason is a sentence ``fit.…`` of ``locales/*/explain.json``. ``have`` is
    the local file with the same bytes, as ComfyUI lists it; ``needed_bytes`` the memory a picture takes with it
    (``None`` where it cannot be told or hardly matters)."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    have: str = ""
    needed_bytes: int | None = None


def fit(offer: Offer, file: RemoteFile, library: Library, machine: Machine, disk_free_bytes: int | None) -> Fit:
    """Whether ``file`` of ``offer`` is of use here. ``disk_free_bytes`` is what is free where it would lie, ``None``
    where that is not known."""
    case = _Case(offer, file, library, machine, disk_free_bytes)
    own = case.own
    if own is not None:
        reason = Reason("fit", "fit.have", {"name": own.name, "folder": own.kind.value})
        return Fit(Verdict.HAVE_IT, (reason,), own.name)
    judged = [judgement for check in _CHECKS for judgement in check(case)]
    verdict = next(verdict for verdict in _ORDER if verdict is Verdict.FITS or any(found is verdict for found, _ in judged))
    cost = case.cost
    return Fit(verdict, tuple(reason for _, reason in judged), needed_bytes=cost[0] if cost else None)


def family_offered(offer: Offer, file: RemoteFile) -> Family | None:
    """The family a file is of, or was made for: by the hub's base model. Repositories of base models themselves name
    none, so models go by the repository's and the file's name as well."""
    named = family_of_base(offer.base_model)
    if named is not None or kind_of(file, offer) not in MODEL_KINDS:
        return named
    first = next((row.family for row in starters() if Ref.parse(row.ref).of_model == offer.ref.of_model), "")
    texts = (offer.ref.model, search_text(path_of(file)))
    return families().get(first) or next((found for text in texts if (found := family_called(text))), None)


def folder_kind(offer: Offer, file: RemoteFile) -> Kind | None:
    """The kind whose folder the file belongs in. Hubs call bare diffusion models checkpoints, too; those are told by
    their size, which is that of the family's diffusion model alone."""
    kind = kind_of(file, offer)
    if kind is not Kind.CHECKPOINT or not file.size_bytes:
        return kind
    near = float(table("offering")["diffusion"]["bare_share"])
    family = family_offered(offer, file)
    sizes = _diffusion_bytes(file, family) if family and family.text_encoders else ()
    return Kind.DIFFUSION_MODEL if any(abs(file.size_bytes / size - 1) < near for size in sizes) else kind


def _diffusion_bytes(file: RemoteFile, family: Family | None) -> tuple[int, ...]:
    """The sizes the diffusion models of a family's architecture have in the file's precision."""
    counts = table("offering")["diffusion"]["weights_b"].get(family.architecture, ()) if family else ()
    return tuple(int(billions * 1e9 * precision_of(file).bits / 8) for billions in counts)


@dataclass(frozen=True)
class _Case:
    """What is judged, with what several checks ask."""

    offer: Offer
    file: RemoteFile
    library: Library
    machine: Machine
    disk_free_bytes: int | None

    @cached_property
    def kind(self) -> Kind | None:
        return folder_kind(self.offer, self.file)

    @cached_property
    def family(self) -> Family | None:
        return family_offered(self.offer, self.file)

    @cached_property
    def of_model(self) -> list[tuple[ModelFile, Ref]]:
        return of_model(self.offer.ref, self.library)

    @cached_property
    def of_version(self) -> tuple[ModelFile, ...]:
        """The local files of the offered version."""
        return tuple(file for file, own in self.of_model if own.version == self.offer.ref.version)

    @cached_property
    def own(self) -> ModelFile | None:
        """The local file that is this one: by its hash, else by version and name where one of the hashes is unknown."""
        wanted = self.file.sha256
        same = (file for file in self.library.files if wanted and file.sha256 and file.sha256.lower() == wanted)
        found = next(same, None)
        if found is not None:
            return found
        alike = (file for file in self.of_version if not (wanted and file.sha256))
        return next((file for file in alike if _base(file.name) == _base(path_of(self.file))), None)

    @cached_property
    def local_view(self) -> ModelFile:
        """The file as the library would hold it: what is known of it before it is here."""
        size, kind = self.file.size_bytes or 0, self.kind or Kind.CHECKPOINT
        bits = precision_of(self.file).bits
        dtype = {32: "fp32", 8: "fp8_e4m3fn"}.get(bits, "fp16")
        parts = self._part_bytes(size) if kind is Kind.CHECKPOINT else {}
        name = PurePosixPath(path_of(self.file)).name
        return ModelFile(kind, name, size, family=self.family.id if self.family else None, dtype=dtype, part_bytes=parts)

    def _part_bytes(self, size: int) -> dict[str, int]:
        counted = [weights for weights in _diffusion_bytes(self.file, self.family) if weights <= size]
        return {"unet": max(counted), "clip": size - max(counted)} if counted else {}

    @cached_property
    def cost(self) -> tuple[int, int] | None:
        """(Bytes a picture of native size takes at its peak, bytes of all weights); ``None`` where the size is not
        known, or for files that hardly matter beside a model."""
        if not self.file.size_bytes or self.kind not in MODEL_KINDS:
            return None
        if self.family is None:
            weights = weights_bytes(self.file, self.machine)
            return weights + int(table("settings")["vram"]["reserve_bytes"]), weights
        load = self._load()
        found = estimate(self.family, _native(self.family), load, self.machine, Constraints())
        return found.vram_bytes, found.weights_bytes

    def _load(self) -> Load:
        view = self.local_view
        load = load_of(view, self.machine)
        if precision_of(self.file).bits == 4:  # ``estimate`` has no dtype below 8 bits: the size on disk is the size in memory
            return Load(view.size_bytes, load.encoder_bytes, load.vae_bytes)
        return load


def _native(family: Family) -> Settings:
    """The settings whose cost is told: one picture of native size, decoded in tiles as a plan would where it must."""
    width, height = family.buckets[0]
    sampler, scheduler = family.samplers[Priority.BALANCED]
    cfg = 1.0 if family.guidance else max(family.cfg["default"])
    return Settings(family.steps[Priority.BALANCED], cfg, sampler, scheduler, width, height, tiled_decode=True)


# --------------------------------------------------------------------------- checks


def _versions(case: _Case) -> Iterator[Judgement]:
    """Other local files of the model. A repository with folders holds many models: there only the same name counts."""
    many = path_of(case.file) == case.file.id
    alike = [file for file, _ in case.of_model if file.kind is case.kind]
    alike = [file for file in alike if not many or _base(file.name) == _base(case.file.id)]
    if alike:
        key = "fit.have_other_version" if many or alike[0] not in case.of_version else "fit.have_other_file"
        yield Verdict.WITH_CARE, Reason("fit", key, {"name": alike[0].name, "folder": alike[0].kind.value})


def _format(case: _Case) -> Iterator[Judgement]:
    precision, here = precision_of(case.file), case.machine.host_version
    values = {"name": _base(path_of(case.file)), "format": precision.name.upper()}
    if not precision.openable:
        yield Verdict.DOES_NOT_FIT, Reason("fit", "fit.format", values)
    elif not precision.runs_on(here):
        yield Verdict.DOES_NOT_FIT, Reason("fit", "fit.format_host", {**values, "host": precision.min_host, "here": here})
    if is_shard(case.file):
        yield Verdict.DOES_NOT_FIT, Reason("fit", "fit.shard", values)
    if is_pickle(case.file):
        yield Verdict.WITH_CARE, Reason("fit", "fit.pickle", values)


def _access(case: _Case) -> Iterator[Judgement]:
    for key, true in {"gated": case.offer.gated, "early_access": case.offer.early_access, "nsfw": case.offer.nsfw}.items():
        if true:
            yield Verdict.WITH_CARE, Reason("fit", f"fit.{key}", {"page": case.offer.page_url or str(case.offer.ref)})


def _host(case: _Case) -> Iterator[Judgement]:
    family, here = case.family, case.machine.host_version
    if family is None or here == UNKNOWN_HOST or runs_here(family, case.machine):
        return
    yield Verdict.DOES_NOT_FIT, Reason("fit", "fit.host", {"family": family.label, "host": family.min_host, "here": here})


def _disk(case: _Case) -> Iterator[Judgement]:
    size, free = case.file.size_bytes, case.disk_free_bytes
    if size is None:
        yield Verdict.UNKNOWN, Reason("fit", "fit.size_unknown", {"page": case.offer.page_url or str(case.offer.ref)})
    elif free is None:
        yield Verdict.UNKNOWN, Reason("fit", "fit.disk_unknown", {"size_bytes": size})
    elif size + DISK_RESERVE_BYTES > free:
        missing = size + DISK_RESERVE_BYTES - free
        values = {"size_bytes": size, "free_bytes": free, "reserve_bytes": DISK_RESERVE_BYTES, "missing_bytes": missing}
        yield Verdict.DOES_NOT_FIT, Reason("fit", "fit.disk_short", values)
    else:
        yield Verdict.FITS, Reason("fit", "fit.disk", {"size_bytes": size, "free_bytes": free})


def _families(case: _Case) -> Iterator[Judgement]:
    """Whether an adapter has a model to load on; for models whether the pack knows what they are."""
    base = case.offer.base_model
    if case.kind in MODEL_KINDS and case.family is None:
        yield Verdict.UNKNOWN, Reason("fit", "fit.model_family_unknown" if base else "fit.model_family_unsaid", {"base": base})
    if case.kind not in ADAPTER_KINDS:
        return
    if case.family is None:
        yield Verdict.UNKNOWN, Reason("fit", "fit.family_unknown" if base else "fit.family_unsaid", {"base": base})
        return
    yield _loads_on(case, case.family)


def _loads_on(case: _Case, family: Family) -> Judgement:
    owned = families_owned(case.library)
    values = {"family": family.label, "owned": _listed([row.label for row in owned])}
    best = max((loads(family, row) for row in owned), default=0.0)
    if best:
        on = [row.label for row in owned if loads(family, row) == best]
        key = "fit.family" if best == 1 else "fit.family_related" if best >= LOOKS_RIGHT else "fit.family_distant"
        verdict = Verdict.FITS if best >= LOOKS_RIGHT else Verdict.WITH_CARE
        return verdict, Reason("fit", key, {"family": family.label, "on": _listed(on)})
    if not case.library.complete:
        return Verdict.UNKNOWN, Reason("fit", "fit.library_incomplete", {"family": family.label})
    return Verdict.DOES_NOT_FIT, Reason("fit", "fit.family_other" if owned else "fit.family_none", values)


def _memory(case: _Case) -> Iterator[Judgement]:
    if case.cost is None:
        return
    needed, weights = case.cost
    machine, budget = case.machine, budget_bytes(case.machine, Constraints())
    where = "vram" if on_gpu(machine) else "ram"
    values = {"needed_bytes": needed, "budget_bytes": budget}
    if not budget:
        yield Verdict.UNKNOWN, Reason("fit", "fit.memory_unknown", values)
    elif needed <= budget:
        yield Verdict.FITS, Reason("fit", f"fit.{where}", values)
    elif where == "ram" or (machine.ram_bytes and weights > budget + machine.ram_bytes):
        both = budget + (machine.ram_bytes if where == "vram" else 0)
        yield (
            Verdict.DOES_NOT_FIT,
            Reason("fit", f"fit.{where}_short", {**values, "weights_bytes": weights, "both_bytes": both}),
        )
    else:
        yield Verdict.WITH_CARE, Reason("fit", "fit.vram_streams", values)


def _parts(case: _Case) -> Iterator[Judgement]:
    """What a bare diffusion model needs beside it that is not here."""
    if case.kind is not Kind.DIFFUSION_MODEL or case.family is None:
        return
    absent = [part.file for part in absent_parts(case.local_view, case.family, case.library)]
    if absent:
        yield Verdict.WITH_CARE, Reason("fit", "fit.parts", {"files": ", ".join(absent)})


_CHECKS: tuple[Callable[[_Case], Iterator[Judgement]], ...] = (
    _versions,
    _format,
    _host,
    _families,
    _memory,
    _disk,
    _parts,
    _access,
)


def _base(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name.lower()


def _listed(names: list[str]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) + (f" … ({len(names)})" if len(names) > NAMES_SHOWN else "")
