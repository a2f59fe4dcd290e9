"""What people's tools wrote beside a model: hub pages, notes, trigger words, strengths.

Four formats: Lora-Manager ``.metadata.json``, Civitai Helper ``.civitai.info`` (a hub's model-version answer),
Stability Matrix ``.cm-info.json`` and the A1111 web UI's ``.json``. All fields are optional and none is
trusted to have its type; what does not fit is left out.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from .fields import base_model_of, flag_of, mapping_of, sha256_of, text_of, whole_of, words_of
from .strength import Strength, number, strength_in_text

# In the order of trust: the first that knows a field decides it.
SUFFIXES = (".metadata.json", ".civitai.info", ".cm-info.json", ".json")
PREVIEW_SUFFIXES = (".preview.png", ".preview.webp", ".preview.jpg", ".preview.jpeg", ".png", ".webp", ".jpg", ".jpeg", ".gif")
MAX_DESCRIPTION = 1000  # characters kept; the rest of a hub page is advertising and images
MAX_BYTES = 8_000_000
_USUAL_BYTES = 65_536

_TAG = re.compile(r"<[^>]{0,2000}>")
_BREAK = re.compile(r"</(p|li|h\d|div)>|<br[^>]{0,20}>", re.IGNORECASE)
_LORA_TAG = re.compile(r"<(lora|lyco|hypernet)[^>]{0,300}>", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\f\v\xa0]+")


@dataclass(frozen=True)
class Page:
    """What is said about a file. ``strength`` is (minimum, recommended, maximum); ``trigger_groups`` are
    sets of words that go together; ``licence`` holds the hub's permissions; ``sha256`` the sum the file should
    have."""

    base_model: str = ""
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    trigger_groups: tuple[tuple[str, ...], ...] = ()
    strength: Strength = (None, None, None)
    downloads: int = 0
    likes: int = 0
    nsfw: bool = False
    real_person: bool = False
    licence: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None
    hub_id: str | None = None
    version: str = ""
    creator: str = ""
    page_url: str = ""
    preview_url: str = ""


def read_sidecars(paths: Iterable[str], size_bytes: int) -> tuple[Page, tuple[str, ...]]:
    """The page that these sidecars make together, and the paths of those that could not be read.

    ``size_bytes`` is the model's size: hashes written for another size are not believed."""
    pages, broken = [], []
    for path in paths:
        found = _read(path)
        if found is None:
            broken.append(path)
        else:
            pages.append(_reader(path)(found, size_bytes))
    return merged(pages), tuple(broken)


def _read(path: str) -> Mapping[str, Any] | None:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            raw = os.read(handle, _USUAL_BYTES)
            if len(raw) == _USUAL_BYTES:
                raw += os.read(handle, MAX_BYTES)
        finally:
            os.close(handle)
        found = json.loads(raw)
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _reader(path: str) -> Callable[[Mapping[str, Any], int], Page]:
    if path.endswith(".metadata.json"):
        return lora_manager
    if path.endswith(".civitai.info"):
        return hub_version
    return stability_matrix if path.endswith(".cm-info.json") else web_ui


def merged(pages: Sequence[Page]) -> Page:
    """One page: each field from the first page that says something; numbers of people from the largest."""
    if len(pages) < 2:
        return pages[0] if pages else Page()
    known: dict[str, Any] = {
        each.name: next((value for page in pages if (value := getattr(page, each.name))), each.default)
        for each in _PLAIN_FIELDS
    }
    known["strength"] = next((page.strength for page in pages if page.strength != (None, None, None)), (None, None, None))
    known["licence"] = next((page.licence for page in pages if page.licence), {})
    known["downloads"] = max(page.downloads for page in pages)
    known["likes"] = max(page.likes for page in pages)
    return Page(**known)


_PLAIN_FIELDS = [each for each in fields(Page) if each.name not in ("strength", "licence", "downloads", "likes")]


# --------------------------------------------------------------------------- formats


def lora_manager(sidecar: Mapping[str, Any], size_bytes: int) -> Page:
    """Lora-Manager's ``.metadata.json`` (docs/metadata-json-schema.md of that project)."""
    version = mapping_of(sidecar.get("civitai"))
    page = hub_version(version, size_bytes) if version else Page()
    text = plain_text(sidecar.get("modelDescription")) or page.description
    own = Page(
        base_model=base_model_of(sidecar.get("base_model")),
        title=text_of(sidecar.get("model_name")),
        description=text[:MAX_DESCRIPTION],
        tags=words_of(sidecar.get("tags")),
        strength=_usage_tips(sidecar.get("usage_tips")),
        nsfw=whole_of(sidecar.get("preview_nsfw_level")) >= _MATURE_LEVEL,
        sha256=sha256_of(sidecar.get("sha256")) if whole_of(sidecar.get("size"), size_bytes) == size_bytes else None,
    )
    return merged((own, page)) if version else own


_MATURE_LEVEL = 8  # CivitAI's browsing levels: 1 PG, 2 PG-13, 4 R, 8 X, 16 XXX


def _usage_tips(tips: object) -> Strength:
    if isinstance(tips, str):
        try:
            tips = json.loads(tips)
        except (ValueError, RecursionError):
            return (None, None, None)
    held = mapping_of(tips)
    return number(held.get("strength_min")), number(held.get("strength")), number(held.get("strength_max"))


def hub_version(version: Mapping[str, Any], size_bytes: int) -> Page:
    """A hub's model-version answer, as ``.civitai.info`` keeps it."""
    model, stats = mapping_of(version.get("model")), mapping_of(version.get("stats"))
    about = f"{text_of(version.get('description'))}\n{text_of(model.get('description'))}"
    text = plain_text(about)
    model_id, version_id = version.get("modelId"), version.get("id")
    return Page(
        base_model=base_model_of(version.get("baseModel")),
        title=text_of(model.get("name")) or text_of(version.get("name")),
        description=text[:MAX_DESCRIPTION],
        tags=words_of(model.get("tags")),
        trigger_groups=trigger_groups(version.get("trainedWords")),
        strength=strength_in_text(text),
        downloads=whole_of(stats.get("downloadCount")),
        likes=max(whole_of(stats.get("thumbsUpCount")), whole_of(stats.get("ratingCount"))),
        nsfw=flag_of(model.get("nsfw")) or flag_of(version.get("nsfw")),
        real_person=flag_of(model.get("poi")) or flag_of(version.get("poi")),
        licence=licence_of(model),
        sha256=_hash_of(version.get("files"), size_bytes),
        hub_id=f"civitai:{model_id}@{version_id}" if whole_of(model_id) and whole_of(version_id) else None,
        version=text_of(version.get("name")),
        creator=text_of(mapping_of(version.get("creator")).get("username")),
    )


def stability_matrix(sidecar: Mapping[str, Any], size_bytes: int) -> Page:
    """Stability Matrix's ``.cm-info.json``."""
    stats, hashes = mapping_of(sidecar.get("Stats")), mapping_of(sidecar.get("Hashes"))
    size_kib = mapping_of(sidecar.get("FileMetadata")).get("SizeKB") or sidecar.get("SizeKB")
    text = plain_text(f"{text_of(sidecar.get('VersionDescription'))}\n{text_of(sidecar.get('ModelDescription'))}")
    model_id, version_id = sidecar.get("ModelId"), sidecar.get("VersionId")
    return Page(
        base_model=base_model_of(sidecar.get("BaseModel")),
        title=text_of(sidecar.get("UserTitle")) or text_of(sidecar.get("ModelName")),
        description=text[:MAX_DESCRIPTION],
        tags=words_of(sidecar.get("Tags")),
        trigger_groups=trigger_groups(sidecar.get("TrainedWords")),
        strength=strength_in_text(text),
        downloads=whole_of(stats.get("downloadCount")),
        likes=max(whole_of(stats.get("thumbsUpCount")), whole_of(stats.get("ratingCount"))),
        nsfw=flag_of(sidecar.get("Nsfw")),
        sha256=sha256_of(hashes.get("SHA256")) if _same_size(size_kib, size_bytes) else None,
        hub_id=f"civitai:{model_id}@{version_id}" if whole_of(model_id) and whole_of(version_id) else None,
        version=text_of(sidecar.get("VersionName")),
    )


def web_ui(sidecar: Mapping[str, Any], _size_bytes: int = 0) -> Page:
    """The A1111 web UI's card editor ``.json``: the person's own words, so its weight is a recommendation."""
    text = plain_text(f"{text_of(sidecar.get('description'))}\n{text_of(sidecar.get('notes'))}")
    weight = number(sidecar.get("preferred weight"))
    return Page(
        base_model=base_model_of(sidecar.get("sd version")),
        description=text[:MAX_DESCRIPTION],
        trigger_groups=trigger_groups([sidecar.get("activation text")]),
        strength=(None, weight, None) if weight else strength_in_text(text),
    )


# --------------------------------------------------------------------------- fields


def trigger_groups(entries: object) -> tuple[tuple[str, ...], ...]:
    """Each entry of a hub's list is one group; ``<lora:…>`` tags are not words."""
    if not isinstance(entries, (list, tuple)):
        return ()
    groups = (_group(entry) for entry in entries if isinstance(entry, str))
    return tuple(dict.fromkeys(group for group in groups if group))


def _group(entry: str) -> tuple[str, ...]:
    words = (word.strip() for word in _LORA_TAG.sub(",", entry).replace("\n", ",").split(","))
    return tuple(dict.fromkeys(word for word in words if word))


def plain_text(markup: object) -> str:
    """Text without HTML, one line a paragraph."""
    if not isinstance(markup, str) or not markup:
        return ""
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", markup))) if "<" in markup or "&" in markup else markup
    lines = (_SPACE.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def licence_of(model: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "allowNoCredit": "no_credit",
        "allowCommercialUse": "commercial_use",
        "allowDerivatives": "derivatives",
        "allowDifferentLicense": "different_licence",
    }
    return {ours: model[theirs] for theirs, ours in names.items() if isinstance(model.get(theirs), (bool, str, list))}


def _hash_of(files: object, size_bytes: int) -> str | None:
    for file in files if isinstance(files, list) else ():
        held = mapping_of(file)
        if _same_size(held.get("sizeKB"), size_bytes):
            return sha256_of(mapping_of(held.get("hashes")).get("SHA256"))
    return None


def _same_size(size_kib: object, size_bytes: int) -> bool:
    return isinstance(size_kib, (int, float)) and abs(size_kib * 1024 - size_bytes) < 1024
