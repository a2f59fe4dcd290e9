"""What hubs offer and what lies on the disk, as the answers of routes hold them: no address of a file, no path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..errors import sentence
from ..intelligence.explain import render
from ..intelligence.offering import Fit
from ..offers import Offer
from ..plan import Kind, ModelFile
from ..shop import Choice

if TYPE_CHECKING:
    from ..hub.download import Download
    from ..intelligence.listing import Use

MOST_TAGS = 30
SHORT = 500  # characters of a description in a list
LONG = 5000


def offer_shown(offer: Offer, description: int = SHORT) -> dict[str, Any]:
    """An offer without its files; its ``preview`` is had by its ``ref``."""
    return {
        "ref": str(offer.ref.of_version),
        "hub": offer.ref.hub,
        "title": offer.title[:200],
        "version": offer.version_name[:200],
        "kind": _kind(offer.kind),
        "base_model": offer.base_model,
        "creator": offer.creator,
        "description": _cut(offer.description, description),
        "tags": list(offer.tags[:MOST_TAGS]),
        "trigger_groups": [list(group) for group in offer.trigger_groups],
        "strength": _strength(offer.strength),
        "downloads": offer.downloads,
        "likes": offer.likes,
        "nsfw": offer.nsfw,
        "real_person": offer.real_person,
        "licence": dict(offer.licence),
        "page_url": offer.page_url,
        "preview": bool(offer.preview_url),
        "gated": offer.gated,
        "early_access": offer.early_access,
        "published": offer.published,
    }


def choice_shown(choice: Choice, language: str) -> dict[str, Any]:
    """A file of an offer, the folder it belongs in, and whether it fits; ``ref`` orders it."""
    return {
        "ref": str(choice.ref),
        "name": choice.name,
        "kind": choice.kind.value,
        "size_bytes": choice.file.size_bytes,
        "sha256": choice.file.sha256,
        "pickle": choice.file.pickle,
        "precision": choice.file.precision,
        "primary": choice.file.primary,
        "fit": _fit_shown(choice.fit, language),
    }


def _fit_shown(fit: Fit, language: str) -> dict[str, Any]:
    reasons = [render(reason, language) for reason in fit.reasons]
    return {"verdict": fit.verdict.value, "reasons": reasons, "have": fit.have, "needed_bytes": fit.needed_bytes}


def versions_shown(offer: Offer) -> list[dict[str, Any]]:
    return [asdict(version) for version in offer.versions]


def download_shown(download: Download, language: str) -> dict[str, Any]:
    return {"download": download.told(language)}


def row_of(file: ModelFile, language: str, use: Use) -> dict[str, Any]:
    """A local file as a line of the library."""
    return {
        "kind": file.kind.value,
        "name": file.name,
        "title": file.title,
        "family": file.family,
        "confidence": file.confidence,
        "base_model": file.base_model,
        "version": file.version,
        "creator": file.creator,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "hub_id": file.hub_id,
        "verification": file.verification.value,
        "trigger_groups": [list(group) for group in file.trigger_groups],
        "strength": _strength(file.strength),
        "licence": dict(file.licence),
        "downloads": file.downloads,
        "likes": file.likes,
        "uses": use.uses,
        "stars": use.stars,
        "rated": use.rated,
        "modified": file.mtime_ns / 1e9,
        "nsfw": file.nsfw,
        "newer": file.newer,
        "page_url": file.page_url,
        "preview": file.preview is not None,
        "problem": sentence("errors", file.problem, language, {"name": file.name}) if file.problem else None,
    }


def file_shown(file: ModelFile, language: str, use: Use, refs: tuple[str, ...]) -> dict[str, Any]:
    """Everything known of a local file. ``refs`` are the hubs' names for these very bytes."""
    return {
        **row_of(file, language, use),
        "description": file.description,
        "tags": list(file.tags),
        "real_person": file.real_person,
        "architecture": file.architecture,
        "prediction": file.prediction.value if file.prediction else None,
        "distillation": file.distillation,
        "dtype": file.dtype,
        "parameters": file.parameters,
        "parts": sorted(file.parts),
        "part_bytes": dict(file.part_bytes),
        "refs": list(refs),
    }


def _strength(strength: tuple[float | None, float | None, float | None]) -> Mapping[str, float | None]:
    return dict(zip(("minimum", "recommended", "maximum"), strength, strict=True))


def _kind(kind: Kind | None) -> str | None:
    return kind.value if kind else None


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
