"""Writing the toy files below a models folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from .files import DEMO, FILES, Builder, Model
from .sparse import is_complete, save

__all__ = ["DEMO", "FILES", "write_demo", "write_models"]


def write_models(folder: Path, names: Iterable[str] | None = None) -> list[Path]:
    """Writes the toy files ``names`` (keys of ``FILES``; ``None`` = all) below the models folder ``folder`` and
    returns their paths. Files that are there and complete stay as they are; a file appears whole or not at all.
    Raises ``KeyError`` for an unknown name, before anything is written."""
    builders = {name: FILES[name] for name in (FILES if names is None else names)}
    return [_write(folder / name, build) for name, build in builders.items()]


def write_demo(folder: Path) -> list[Path]:
    """Writes the small set of the demonstration: an SD 1.5 checkpoint, LoRAs and embeddings."""
    return write_models(folder, DEMO)


def _write(path: Path, build: Builder) -> Path:
    if _is_complete(path):
        return path
    built = build()
    if isinstance(built, Model):
        save(path, built.weights, built.metadata)
    else:
        _write_bytes(path, built)
    return path


def _is_complete(path: Path) -> bool:
    if path.suffix == ".safetensors":
        return is_complete(path)
    try:
        json.loads(path.read_bytes())  # whatever people changed in a side file stays
    except (OSError, ValueError):
        return False
    return True


def _write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)
