"""What CivitAI's public API answers (developer.civitai.com/site/reference), as offers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from ..offers import Offer, Ref, RemoteFile, Version
from ..plan import Kind
from .fields import list_of, mapping_of, sha256_of, text_of, whole_of
from .sidecars import Page, hub_version, licence_of

# Model types and file types, spaces and case aside. A file type without an entry is no model (configs, training data).
TYPES = {
    "checkpoint": Kind.CHECKPOINT,
    "unet": Kind.DIFFUSION_MODEL,
    "diffusionmodel": Kind.DIFFUSION_MODEL,
    "lora": Kind.LORA,
    "locon": Kind.LORA,
    "dora": Kind.LORA,
    "lycoris": Kind.LORA,
    "textualinversion": Kind.EMBEDDING,
    "controlnet": Kind.CONTROLNET,
    "vae": Kind.VAE,
    "textencoder": Kind.TEXT_ENCODER,
    "clip": Kind.TEXT_ENCODER,
    "clipvision": Kind.CLIP_VISION,
    "upscaler": Kind.UPSCALER,
}
_OWN_KIND = frozenset({"model", "prunedmodel", ""})  # file types that are what their model is
_PICKLE_ENDINGS = (".ckpt", ".pt", ".pth", ".bin")
_UNLOADABLE_FORMATS = frozenset({"diffusers", "coreml", "onnx"})
_MATURE_LEVEL = 4  # browsing levels are 1 PG, 2 PG-13, 4 R, 8 X, 16 XXX; a version's is the sum of its images'
_HARMLESS_LEVELS = 1 | 2
_MATURE_WORDS = frozenset({"mature", "x", "xxx", "r"})
_DOWNLOAD = re.compile(r"/api/download/models/\d+")
MAX_FILES, MAX_VERSIONS, MAX_NAME, MAX_TAGS = 200, 500, 1000, 60


def offers_in(answer: Mapping[str, Any], base: str, now: datetime, base_models: tuple[str, ...] = ()) -> Iterator[Offer]:
    """An offer for each model of a search answer: its newest version, or the newest for one of ``base_models``."""
    for item in list_of(answer.get("items")):
        model = mapping_of(item)
        listed = versions_in(model)
        fitting = [version for version in listed if version.get("baseModel") in base_models] or listed
        if fitting and whole_of(model.get("id")):
            yield offer_of(fitting[0], model, base, now)


def versions_in(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A model's published versions, newest first as the hub lists them."""
    versions = (mapping_of(each) for each in list_of(model.get("modelVersions"))[:MAX_VERSIONS])
    return [each for each in versions if whole_of(each.get("id")) and each.get("status", "Published") == "Published"]


def offer_of(version: Mapping[str, Any], model: Mapping[str, Any], base: str, now: datetime) -> Offer:
    """The offer for a version. ``model`` is the hub's answer about its model, or as much of it as the version's own
    answer holds; ``base`` the address that answered, where the downloads are; ``now`` decides whether early access
    is over."""
    model_id = whole_of(version.get("modelId")) or whole_of(model.get("id"))
    version_id = whole_of(version.get("id"))
    page: Page = hub_version({**version, "model": dict(model)}, 0)
    kind = TYPES.get(_plain(model.get("type")))
    level = whole_of(version.get("nsfwLevel"))
    return Offer(
        ref=Ref("civitai", str(model_id), str(version_id)),
        title=page.title[:MAX_NAME],
        version_name=text_of(version.get("name"))[:MAX_NAME],
        kind=kind,
        base_model=page.base_model[:MAX_NAME],
        creator=text_of(mapping_of(model.get("creator")).get("username"))[:MAX_NAME],
        description=page.description,
        tags=page.tags[:MAX_TAGS],
        trigger_groups=page.trigger_groups[:MAX_TAGS],
        strength=page.strength,
        downloads=page.downloads,
        likes=page.likes,
        nsfw=page.nsfw or (level > 0 and not level & _HARMLESS_LEVELS),
        real_person=page.real_person,
        licence=_permissions(version, model),
        page_url=f"{base}/models/{model_id}?modelVersionId={version_id}",
        preview_url=_preview(version),
        early_access=is_early(version, now),
        published=_published(version),
        files=tuple(_files(version, kind, base)),
        versions=tuple(_other_versions(model, version_id)),
    )


def is_early(version: Mapping[str, Any], now: datetime) -> bool:
    """Whether a version must still be bought or waited for; the hub has said so in four ways over the years."""
    paid = mapping_of(version.get("paidAccess"))
    if version.get("availability") == "EarlyAccess" or paid.get("permanent") is True:
        return True
    ends = [_moment(version.get("earlyAccessEndsAt")), _moment(paid.get("endsAt"))]
    days, published = whole_of(version.get("earlyAccessTimeFrame")), _moment(_published(version))
    if 0 < days < 1000 and published:
        ends.append(published + timedelta(days=days))
    return any(end is not None and end > now for end in ends)


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text_of(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _published(version: Mapping[str, Any]) -> str:
    return (text_of(version.get("publishedAt")) or text_of(version.get("createdAt")))[:40]


def _permissions(version: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """The licence flags, and ``usage`` where the author allows something other than downloading."""
    usage = text_of(version.get("usageControl"))
    return licence_of(model) | ({"usage": usage[:40]} if usage not in ("", "Download") else {})


def _preview(version: Mapping[str, Any]) -> str:
    """The first harmless picture, no film."""
    images = (mapping_of(each) for each in list_of(version.get("images")))
    fitting = (text_of(each.get("url")) for each in images if each.get("type", "image") == "image" and not _is_mature(each))
    return next((url for url in fitting if url.startswith("https://") and len(url) < 2000), "")


def _is_mature(image: Mapping[str, Any]) -> bool:
    said = image.get("nsfw")
    if said is True or (isinstance(said, str) and said.lower() in _MATURE_WORDS):
        return True
    return whole_of(image.get("nsfwLevel")) >= _MATURE_LEVEL


def _other_versions(model: Mapping[str, Any], version_id: int) -> Iterator[Version]:
    for each in versions_in(model):
        if each["id"] != version_id:
            name, base_model = text_of(each.get("name"))[:MAX_NAME], text_of(each.get("baseModel"))[:MAX_NAME]
            yield Version(str(whole_of(each["id"])), name, base_model, _published(each))


def _files(version: Mapping[str, Any], kind: Kind | None, base: str) -> Iterator[RemoteFile]:
    version_id = whole_of(version.get("id"))
    for each in list_of(version.get("files"))[:MAX_FILES]:
        file = mapping_of(each)
        file_type = _plain(file.get("type"))
        if not whole_of(file.get("id")) or not text_of(file.get("name")) or not _is_model(file_type):
            continue
        yield _file(file, kind if file_type in _OWN_KIND else TYPES.get(file_type), version_id, base)


def _is_model(file_type: str) -> bool:
    return file_type in _OWN_KIND or file_type in TYPES or file_type in ("archive", "negative")


def _file(file: Mapping[str, Any], kind: Kind | None, version_id: int, base: str) -> RemoteFile:
    about, name = mapping_of(file.get("metadata")), text_of(file.get("name"))
    file_format, file_id = _plain(about.get("format")), str(whole_of(file["id"]))
    return RemoteFile(
        id=file_id,
        name=name[:MAX_NAME],
        url=_download_url(file.get("downloadUrl"), base) or by_file_id(base, version_id, file_id),
        size_bytes=_size(file.get("sizeKB")),
        sha256=sha256_of(mapping_of(file.get("hashes")).get("SHA256")),
        kind=Kind.EMBEDDING if _plain(file.get("type")) == "negative" else None if file_format in _UNLOADABLE_FORMATS else kind,
        pickle=file_format == "pickletensor" or name.lower().endswith(_PICKLE_ENDINGS),
        precision=(text_of(about.get("quantType")) or text_of(about.get("fp"))).lower()[:20] or None,
        primary=file.get("primary") is True,
    )


def _size(kib: object) -> int | None:
    """Bytes; the hub's ``sizeKB`` is the exact count over 1024 where it is not rounded."""
    return round(kib * 1024) if isinstance(kib, (int, float)) and 0 < kib < 1 << 40 else None


def _download_url(url: object, base: str) -> str:
    """A download address of the answer, led to the address that answered; nothing where it is none. Keys in it are
    taken out: they go into headers."""
    try:
        parts = urlsplit(text_of(url))
    except ValueError:
        return ""
    if not _DOWNLOAD.fullmatch(parts.path):
        return ""
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name.lower() != "token"])
    return f"{base}{parts.path}{'?' if query else ''}{query}"


def by_file_id(base: str, version_id: int | str, file_id: str) -> str:
    return f"{base}/api/download/models/{version_id}?fileId={file_id}"


def _plain(value: object) -> str:
    return text_of(value).lower().replace(" ", "").replace("_", "")
