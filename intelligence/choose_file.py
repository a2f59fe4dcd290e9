"""Which of a hub's files a person wants: safe to open, fit for this machine, and the model itself rather than
its variants or parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..data import table
from ..data.families import FilePart, families, plain
from ..offers import Offer, Ref, RemoteFile
from ..plan import Constraints, Kind, Machine
from .candidates import MODEL_KINDS, UNKNOWN_HOST
from .estimate import budget_bytes, on_gpu
from .named import MODEL_ENDINGS, stem

PICKLE_ENDINGS = (".ckpt", ".pt", ".pth", ".bin")
_SHARD = re.compile(r"-\d{5}-of-\d{5}\b")


@dataclass(frozen=True)
class Precision:
    """How a file's weights are stored. ``bits`` a weight; ``rank`` which copy to prefer where all fit (0 first)."""

    name: str
    bits: int
    rank: int
    min_host: str = ""
    openable: bool = True

    def runs_on(self, host_version: str) -> bool:
        """Whether the own loaders of a ComfyUI of this version ("0.33.0"; "0.0.0" = unknown) open it."""
        known = host_version != UNKNOWN_HOST and self.min_host
        return self.openable and (not known or _version(host_version) >= _version(self.min_host))


def choose_file(offer: Offer, machine: Machine, kind: Kind | None = None, ref: Ref | None = None) -> RemoteFile | None:
    """The file of ``offer`` to get on this machine: the one that ``ref`` or the offer's own reference names, else
    the best of ``kind`` (of the offer's main kind where none is given). ``None`` where none can be opened here."""
    named = (ref.file if ref else "") or offer.ref.file
    if named:
        return offer.file(named)
    files = [file for file in offer.files if _usable(file, machine) and _of_kind(file, offer, kind)]
    if kind is None:
        files = [file for file in files if not part_of(file)]
    return min(files, key=lambda file: _order(file, offer, machine), default=None)


def only_diffusers(offer: Offer) -> bool:
    """Whether the offer is nothing but a diffusers layout (``unet/…``, ``vae/…``), which no loader of ComfyUI opens
    as one model."""
    whole = [file for file in offer.files if _is_model(file) and not part_of(file)]
    beside = (Kind.VAE, Kind.TEXT_ENCODER, Kind.CLIP_VISION)
    if any(kind_of(file, offer) not in beside for file in whole):
        return False
    said = not offer.files and "diffusers" in offer.tags and offer.kind in (None, *MODEL_KINDS)
    return said or any(part_of(file) for file in offer.files)


# --------------------------------------------------------------------------- what a file is


def precision_of(file: RemoteFile) -> Precision:
    """How the file is stored, by its ending, by what the hub says, else by its name."""
    rows = table("offering")["precision"]
    for text in (PurePosixPath(path_of(file)).suffix, plain(file.precision or ""), plain(path_of(file))):
        for name, row in rows.items():
            if row["match"] and text and re.search(row["match"], text):
                return _precision(name)
    return _precision("unsaid")


def kind_of(file: RemoteFile, offer: Offer) -> Kind | None:
    """The kind of a file: as the hub says, else by its place in a diffusers layout, by a family's row that needs a
    file of this name, by words of its name, else the offer's kind."""
    part = part_of(file)
    if file.kind is not None or part:
        return file.kind or (None if part == "other" else Kind(part))
    return _beside_kind(file) or offer.kind


def part_of(file: RemoteFile) -> str:
    """What part of a diffusers layout the file is: the folder it belongs in, "other", or "" for files that stand
    alone."""
    path = PurePosixPath(path_of(file))
    rows = table("offering")["diffusers"]
    if len(path.parts) < 2 or not re.search(rows["file"], plain(path.name)):
        return ""
    folder = plain(path.parts[-2])
    return next((name for name, pattern in rows["folder"].items() if re.search(pattern, folder)), "")


def is_pickle(file: RemoteFile) -> bool:
    """Whether opening the file can run code."""
    return file.pickle or path_of(file).lower().endswith(PICKLE_ENDINGS)


def is_shard(file: RemoteFile) -> bool:
    """Whether the file is one piece of a model cut in pieces, which ComfyUI does not put together."""
    return bool(_SHARD.search(path_of(file)))


def path_of(file: RemoteFile) -> str:
    """The file's path in its repository, or its name where the hub has no folders."""
    return file.id if file.id.lower().endswith(MODEL_ENDINGS) else file.name


def known_parts() -> Iterator[FilePart]:
    """The text encoders and VAEs that families need."""
    for family in families().values():
        yield from family.text_encoders
        if family.vae is not None:
            yield family.vae


def _beside_kind(file: RemoteFile) -> Kind | None:
    base = PurePosixPath(path_of(file)).name.lower()
    part = next((part for part in known_parts() if part.file.lower() == base), None)
    if part is not None:
        return Kind(part.folder)
    words = plain(stem(base))
    return next((Kind(name) for name, pattern in table("offering")["kind"].items() if re.search(pattern, words)), None)


def _precision(name: str) -> Precision:
    row = table("offering")["precision"][name]
    return Precision(name, row["bits"], row["rank"], row.get("min_host", ""), row.get("openable", True))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


# --------------------------------------------------------------------------- which file is best


def _is_model(file: RemoteFile) -> bool:
    return path_of(file).lower().endswith(MODEL_ENDINGS)


def _usable(file: RemoteFile, machine: Machine) -> bool:
    return _is_model(file) and not is_shard(file) and precision_of(file).runs_on(machine.host_version)


def _of_kind(file: RemoteFile, offer: Offer, kind: Kind | None) -> bool:
    found = kind_of(file, offer)
    if kind is not None:
        return found is kind
    if offer.kind is None or offer.kind in MODEL_KINDS:
        return found is None or found in MODEL_KINDS
    return found is offer.kind


def _order(file: RemoteFile, offer: Offer, machine: Machine) -> tuple[object, ...]:
    precision = precision_of(file)
    weights, budget = weights_bytes(file, machine), room_bytes(machine)
    fits = not weights or not budget or weights <= budget
    return (
        is_pickle(file),
        bool(part_of(file)),
        _unasked_variants(file, offer),
        not fits,
        precision.rank if fits else weights,
        not file.primary,
        file.size_bytes or 0,
        path_of(file),
    )


def weights_bytes(file: RemoteFile, machine: Machine) -> int:
    """Bytes of the whole file in the dtype ComfyUI computes in (16 bit on a GPU, 8-bit files stay so; 32 bit on a
    CPU); 0 where the size is unknown."""
    bits = precision_of(file).bits
    used = min(bits, 16) if on_gpu(machine) else 32
    return (file.size_bytes or 0) * used // bits


def room_bytes(machine: Machine) -> int:
    """Memory weights may take: the machine's less ComfyUI's reserve; 0 = unknown."""
    budget = budget_bytes(machine, Constraints())
    return max(1, budget - int(table("settings")["vram"]["reserve_bytes"])) if budget else 0


def _unasked_variants(file: RemoteFile, offer: Offer) -> int:
    """How many special variants the file is that the offer is not called after."""
    called = plain(f"{offer.ref.model} {offer.title} {offer.version_name}")
    name = plain(PurePosixPath(path_of(file)).name)
    patterns = table("offering")["variant"].values()
    return sum(bool(re.search(pattern, name)) and not re.search(pattern, called) for pattern in patterns)
