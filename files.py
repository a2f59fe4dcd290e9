"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes | str) -> None:
    """Write beside the target, then swap: a crash leaves the old file or the new one. Makes missing folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    os.replace(unfinished, path)
