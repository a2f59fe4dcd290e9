"""Which toy files there are, and writing them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from . import adapters, checkpoints
from .catalogue import MANAGED, STYLES, VISITED
from .metadata import Style, civitai_sidecar, manager_sidecar, model_header, note, style_header
from .shapes import SD15_NANO, SDXL
from .sparse import Weights, is_complete, save


@dataclass(frozen=True)
class Model:
    """A model before it is written."""

    weights: Weights
    metadata: Mapping[str, str] = field(default_factory=dict)


Builder: TypeAlias = Callable[[], "Model | bytes"]


def write_models(folder: Path, names: Iterable[str] | None = None) -> list[Path]:
    """Writes the toy files ``names`` (keys of ``FILES``; ``None`` = all) below the models folder ``folder`` and
    returns their paths. Files that are there and complete stay as they are; a file appears whole or not at all.
    Raises ``KeyError`` for an unknown name."""
    return [_write(folder / name, FILES[name]) for name in (FILES if names is None else names)]


def write_demo(folder: Path) -> list[Path]:
    """Writes the small set of the demonstration: an SD 1.5 checkpoint, LoRAs and embeddings."""
    return write_models(folder, DEMO)


def _write(path: Path, build: Builder) -> Path:
    if path.suffix == ".safetensors" and is_complete(path):
        return path
    built = build()
    if isinstance(built, Model):
        save(path, built.weights, built.metadata)
    elif not (path.exists() and path.read_bytes() == built):
        _write_bytes(path, built)
    return path


def _write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)


def _sd15() -> Model:
    return Model(checkpoints.sd15(), model_header("Toy SD 1.5", "stable-diffusion-v1"))


def _style(style: Style) -> Model:
    return Model(adapters.colour_shift(SDXL if style.family == "sdxl" else SD15_NANO, style.shift), style_header(style))


def _embedding(colour: str, about: str) -> Model:
    return Model(adapters.embedding_sd15(colour), note(about))


def _style_files() -> dict[str, Builder]:
    files: dict[str, Builder] = {}
    for style in STYLES:
        path = PurePosixPath(style.path)
        files[style.path] = partial(_style, style)
        if path.stem in MANAGED:
            files[str(path.with_suffix(".metadata.json"))] = partial(manager_sidecar, style)
        if path.stem in VISITED:
            files[str(path.with_suffix(".civitai.info"))] = partial(civitai_sidecar, style)
    return files


_EMBEDDINGS: dict[str, Builder] = {
    "embeddings/toy_teal.safetensors": partial(_embedding, "00a0a0", "the colour teal"),
    "embeddings/sub/toy_pink.safetensors": partial(_embedding, "ff60a0", "the colour pink"),
    "embeddings/toy_negative.safetensors": partial(
        _embedding, "403830", "negative embedding: a muddy dark brown to stay away from"
    ),
}

_STYLE_FILES = _style_files()

FILES: dict[str, Builder] = {
    "checkpoints/toy_sd15.safetensors": _sd15,
    **_STYLE_FILES,
    **_EMBEDDINGS,
}

# One SDXL LoRA is among them to show that what does not fit the checkpoint is left out.
DEMO = (
    "checkpoints/toy_sd15.safetensors",
    *(name for name in _STYLE_FILES if "_xl." not in name or "pixel_art" in name),
    *_EMBEDDINGS,
)
