"""Which local file a person means by a name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from ..errors import BadRequest, MissingModel
from ..plan import Kind, Library, ModelFile

LEAST_LETTERS = 3  # a shorter part of a name says nothing
MODEL_ENDINGS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
# What names of files carry beside the model's own name.
_NOISE = re.compile(
    r"v\d+(\.\d+)*[a-z]?|\d+(\.\d+)+|fp\d+|bf16|e4m3fn|e5m2|scaled|pruned|emaonly|ema|only|final|safetensors", re.IGNORECASE
)


def stem(name: str) -> str:
    """The file's name without folders and ending: ``styles/Ink_v2.safetensors`` → ``Ink_v2``."""
    base = PurePosixPath(name.replace("\\", "/")).name
    ending = next((ending for ending in MODEL_ENDINGS if base.lower().endswith(ending)), "")
    return base[: len(base) - len(ending)]


def search_text(name: str) -> str:
    """A file's name as words to search a hub for: ``add_detail_v2.safetensors`` → ``add detail``."""
    titled = re.split(r"(?<=\w{3})_[vV]\d", stem(name), maxsplit=1)[0]  # CivitAI: title, underscore, version
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", titled)
    words = re.split(r"[\s_\-()\[\]]+", spaced)
    kept = [word for word in words if word and not _NOISE.fullmatch(word)]
    return " ".join(kept) or stem(name)


def find_named(
    library: Library, kinds: tuple[Kind, ...], wanted: str, language: str = "en", in_part: bool = False
) -> ModelFile:
    """The file ``wanted`` names: with or without folder and ending, in any case, either slash; with ``in_part``
    a part of its name or title is enough ("dreamshaper turbo").

    Raises ``BadRequest`` when several files answer to the name or the file is unusable, and
    ``MissingModel`` with the nearest names when none does; its value ``kinds`` holds the kinds it was looked for in.
    """
    files = [file for file in library.files if file.kind in kinds]
    matches = answering(files, wanted) or (_in_part(files, wanted) if in_part else [])
    if not matches:
        near = _near(files, wanted)
        raise MissingModel("model_not_found", language, name=wanted, folder=_folders(kinds), near=near, kinds=kinds)
    if len(matches) > 1:
        raise BadRequest("model_ambiguous", language, name=wanted, matches=_listed(matches))
    if matches[0].problem is not None:
        raise BadRequest(matches[0].problem, language, name=matches[0].name)
    return matches[0]


def answering(files: list[ModelFile], wanted: str) -> list[ModelFile]:
    """The files whose whole name is ``wanted``."""
    path = _path(wanted)
    exact = [file for file in files if _path(file.name) == path]
    if exact:
        identical = [file for file in exact if file.name.replace("\\", "/") == wanted.replace("\\", "/")]
        return identical[:1] or exact
    tail = [file for file in files if f"/{_path(file.name)}".endswith(f"/{path}")]
    return tail or _usable_first(
        [file for file in files if f"/{_without_ending(file.name)}".endswith(f"/{_without_ending(wanted)}")]
    )


def _usable_first(files: list[ModelFile]) -> list[ModelFile]:
    return [file for file in files if file.usable] or files


def _in_part(files: list[ModelFile], wanted: str) -> list[ModelFile]:
    """The files whose name holds every word of ``wanted``; failing that, whose title does."""
    words = re.findall(r"[^\W_]+", wanted.casefold())
    if sum(map(len, words)) < LEAST_LETTERS:
        return []
    for text_of in (lambda file: _without_ending(file.name), lambda file: file.title):
        found = [file for file in files if all(word in compact(text_of(file)) for word in words)]
        if found:
            return _usable_first(found)
    return []


def compact(text: str) -> str:
    """Letters and digits alone: ``DreamShaper XL_v2`` → ``dreamshaperxlv2``."""
    return re.sub(r"[\W_]+", "", text.casefold())


def _path(name: str) -> str:
    return name.strip().replace("\\", "/").strip("/").casefold()


def _without_ending(name: str) -> str:
    path = _path(name)
    return next((path[: -len(ending)] for ending in MODEL_ENDINGS if path.endswith(ending)), path)


def _near(files: Iterable[ModelFile], wanted: str) -> str:
    names = {stem(file.name).casefold(): file.name for file in files if file.usable}
    found = difflib.get_close_matches(stem(wanted).casefold(), names, n=5, cutoff=0.4)
    return ", ".join(names[key] for key in found) or "–"


def _listed(files: list[ModelFile], limit: int = 10) -> str:
    names = sorted(file.name for file in files)
    return ", ".join(names[:limit]) + (" …" if len(names) > limit else "")


def _folders(kinds: tuple[Kind, ...]) -> str:
    return " / ".join(f"models/{kind.value}" for kind in kinds)
