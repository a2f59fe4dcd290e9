"""Evaluation rows as the pack's own nouns, and the package itself loaded by path (its folder may have any name)."""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def load_pack() -> None:
    """Registers the repository root as the package ``pack``, as the tests do."""
    if "pack" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location("pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["pack"] = module
    spec.loader.exec_module(module)


load_pack()

from pack.data import table  # noqa: E402
from pack.plan import Kind, ModelFile  # noqa: E402

_STRENGTH = re.compile(r"(?:weight|strength)\D{0,25}?([01]?\.\d+|1)\s*(?:-|~|to|–)?\s*([01]?\.\d+|1)?", re.I)


def read_rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def family_of(base_model: str | None) -> str | None:
    """The family a hub's base-model label means. "Other" of 2023 is what header inspection finds: SD 1.5."""
    return _bases().get(base_model or "Other")


@cache
def _bases() -> dict[str, str]:
    rows = table("families")["family"].items()
    listed = {label: family for family, row in rows for label in row.get("base_models", ())}
    written: dict[str, str] = json.loads((Path(__file__).parent / "base_models.json").read_text(encoding="utf-8"))
    return {**listed, **written}


def model_file(row: dict[str, Any], family: str | None = None) -> ModelFile:
    """A library row as the registry would list it: the first file with what its sidecar says."""
    file = (row.get("files") or [row["name"]])[0]
    return ModelFile(
        Kind.LORA,
        f"{row['id'].replace(':', '_').replace('/', '_')}/{file}",
        family=family or family_of(row["base_model"]),
        title=row["name"],
        description=row.get("description") or "",
        tags=tuple(row.get("tags") or ()),
        trigger_groups=tuple((words,) for words in row.get("trained_words") or ()),
        strength=strength_of(row),
        downloads=row.get("downloads") or 0,
        likes=row.get("favorites") or 0,
        nsfw=bool(row.get("nsfw")),
        real_person=bool(row.get("real_person")),
        hub_id=row["id"],
    )


def strength_of(row: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    """(minimum, recommended, maximum) as the card says in words: "weight 0.6-0.8"."""
    if (listed := row.get("recommended_weight")) is not None:
        return None, float(listed), None
    found = _STRENGTH.search(row.get("description") or "")
    if not found:
        return None, None, None
    low, high = float(found[1]), float(found[2] or found[1])
    if not 0.1 <= low <= high <= 1.5:
        return None, None, None
    return (low, round((low + high) / 2, 3), high) if found[2] else (None, low, None)


def slices(rows: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """Consecutive whole slices of the rows ordered by sha1("sub300" + id); a short last one is dropped."""
    ordered = sorted(rows, key=lambda row: hashlib.sha1(f"sub300{row['id']}".encode()).hexdigest())
    for start in range(0, len(ordered) - size + 1, size):
        yield ordered[start : start + size]
