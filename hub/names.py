"""Names from outside become one safe file name inside a model folder, by the rules of every system."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from ..errors import BadRequest
from .headers import SAFE_EXTENSIONS

PICKLE_EXTENSIONS = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl"})
LONGEST_BYTES = 200  # of the whole name in UTF-8: file systems take 255, and ".part" and a number are added
PART = ".part"

_SEPARATORS = re.compile(r"[/\\]")
_FORBIDDEN = re.compile(r'[<>:"|?*]')  # on Windows; ":" also opens a second stream there
# Device names of Windows, with any ending; the superscript digits count too.
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)


def safe_name(name: str, otherwise: str = "model") -> str:
    """The last part of ``name`` as a file name that is safe everywhere. Raises ``BadRequest`` when its ending
    is not one of a model file."""
    last = _SEPARATORS.split(unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode()))[-1]
    shown = "".join(each for each in last if unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    stem, dot, ending = _FORBIDDEN.sub("_", shown).rstrip(" .").rpartition(".")
    ending = dot + ending
    if ending.lower() not in SAFE_EXTENSIONS | PICKLE_EXTENSIONS:
        raise BadRequest("download_not_a_model", name=shown[:100] or "?")
    return _usable(stem.strip(" ."), otherwise, ending)


def _usable(stem: str, otherwise: str, ending: str) -> str:
    stem = stem.encode("utf-8")[: LONGEST_BYTES - len(ending.encode())].decode("utf-8", "ignore").rstrip(" .") or otherwise
    return f"_{stem}{ending}" if _DEVICES.match(f"{stem}.") or stem[0] in "-~" else f"{stem}{ending}"


def is_pickle(name: str) -> bool:
    """Whether opening a file of this name can run code."""
    return os.path.splitext(name)[1].lower() not in SAFE_EXTENSIONS


def inside(folder: Path, name: str) -> Path:
    """``folder``/``name``. Raises ``BadRequest`` for anything but one component of a real folder."""
    if name in ("", ".", "..") or _SEPARATORS.search(name) or "\0" in name or not folder.is_dir():
        raise BadRequest("download_bad_target", name=name, folder=str(folder))
    return folder / name


def free_name(folder: Path, name: str, mark: str, reserved: Collection[str] = ()) -> str:
    """``name``, or where a file of that name is there already, or about to be, the name with ``mark`` (a version's
    id), then with numbers: other models of the same name are common, and none is overwritten."""
    taken = {each.casefold() for each in reserved}
    stem, ending = os.path.splitext(name)
    mark = re.sub(r"[^A-Za-z0-9._]", "", mark)
    endings = ["", *([f"-{mark}"] if mark else []), *(f"-{number}" for number in range(2, 1000))]
    candidates = (f"{stem}{each}{ending}" for each in endings)
    found = next((each for each in candidates if each.casefold() not in taken and not os.path.lexists(folder / each)), None)
    if found is None:
        raise BadRequest("file_exists", path=str(folder / name))
    return found
