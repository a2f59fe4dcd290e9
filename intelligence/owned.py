"""What of the hubs is on this machine already: which local file a hub's reference means, and which families
people have models of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from ..data import table
from ..data.families import Family, families
from ..errors import BadRequest
from ..offers import Ref
from ..plan import Kind, Library, ModelFile
from .candidates import MODEL_KINDS, only_second
from .named import MODEL_ENDINGS


def local_answer(ref: Ref, sha256s: Iterable[str], library: Library, kinds: tuple[Kind, ...] = ()) -> ModelFile | None:
    """The local file that ``ref`` means, usable ones first: of the same model and version, else of the same model
    (the newest), else one with the bytes of the offer's files (``sha256s``, lower-case hex). ``kinds`` are those
    that will do, all where none is given. A repository holds many files: where ``ref`` names one by its path, only
    a file of that name is of the same model."""
    fitting = of_model(ref, library)
    same = [(file, own) for file, own in fitting if (not kinds or file.kind in kinds) and _same_name(file, ref)]
    if ref.version:
        exact = [file for file, own in same if own.version == ref.version]
        if exact:
            return _best(exact)
    if same:
        return max(same, key=lambda found: (found[0].usable, *_age(found[0], found[1])))[0]
    sums = set(sha256s)
    alike = (file for file in library.files if file.sha256 and file.sha256.lower() in sums)
    return _best([file for file in alike if not kinds or file.kind in kinds])


def of_model(ref: Ref, library: Library) -> list[tuple[ModelFile, Ref]]:
    """The local files of any version of the model, each with its own reference."""
    model = ref.of_model
    named = (file for file in library.files if file.hub_id and file.hub_id.startswith(str(model)))
    return [(file, own) for file in named if (own := ref_of(file)) and own.of_model == model]


def ref_of(file: ModelFile) -> Ref | None:
    """The hub's name for a local file, where it is known."""
    if not file.hub_id:
        return None
    try:
        return Ref.parse(file.hub_id)
    except BadRequest:
        return None


def families_owned(library: Library) -> tuple[Family, ...]:
    """The families of the local models that can draw, those with most files first."""
    rows = families()
    models = (file for kind in MODEL_KINDS for file in library.of(kind))
    counts = Counter(file.family for file in models if file.family in rows and file.family not in only_second())
    return tuple(rows[name] for name, _ in sorted(counts.items(), key=lambda found: (-found[1], str(found[0]))) if name)


def query_base_models(family: Family) -> tuple[str, ...]:
    """The hub's names for the base models whose LoRAs load on ``family``: its own first, then its relatives' by how
    well theirs look."""
    known = set(table("offering")["base_models"]["civitai"])
    rows = families()
    relatives = sorted(family.lora_parents, key=lambda name: -family.lora_parents[name])
    names = (name for row in (family, *(rows[name] for name in relatives)) for name in row.base_models)
    return tuple(name for name in dict.fromkeys(names) if name in known)


def loads(made_for: Family, on: Family) -> float:
    """How well a LoRA made for one family serves another: 1 the same, 0 not at all."""
    return 1.0 if made_for.id == on.id else on.lora_parents.get(made_for.id, 0.0)


def _same_name(file: ModelFile, ref: Ref) -> bool:
    wanted = PurePosixPath(ref.file.lower()).name
    return not wanted.endswith(MODEL_ENDINGS) or wanted == PurePosixPath(file.name.replace("\\", "/").lower()).name


def _age(file: ModelFile, ref: Ref) -> tuple[int, int]:
    """What grows with newer versions: a hub's counting id, then the time the file came."""
    return int(ref.version) if ref.version.isdecimal() else 0, file.mtime_ns


def _best(files: list[ModelFile]) -> ModelFile | None:
    return next((file for file in files if file.usable), next(iter(files), None))
