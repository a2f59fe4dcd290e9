"""Tables: what is looked up rather than decided. ``table`` is the only reader."""

from __future__ import annotations

import gzip
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,no-redef]

HERE = Path(__file__).parent


@cache
def table(name: str) -> dict[str, Any]:
    """The table ``data/<name>.toml``, ``.json`` or ``.json.gz``, read once."""
    toml, packed = HERE / f"{name}.toml", HERE / f"{name}.json.gz"
    rows: dict[str, Any]
    if toml.exists():
        rows = tomllib.loads(toml.read_text(encoding="utf-8"))
    elif packed.exists():
        rows = json.loads(gzip.decompress(packed.read_bytes()))
    else:
        rows = json.loads((HERE / f"{name}.json").read_bytes())
    return rows
