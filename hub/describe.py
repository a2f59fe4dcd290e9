"""Everything known of one file, from its header and its sidecars: the fields of a ``ModelFile``."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ..plan import Kind, Prediction, Verification
from .cards import with_card
from .family import Clues, distillation_said, family_of, prediction_said, purpose, refine
from .headers import read_header
from .proofs import Claims, Known, Reading
from .recognise import Recognition, recognise
from .sidecars import MAX_DESCRIPTION, Page, plain_text, read_sidecars
from .walk import Found

MODELS = frozenset({Kind.CHECKPOINT, Kind.DIFFUSION_MODEL})
WITH_FAMILY = MODELS | {Kind.LORA, Kind.EMBEDDING, Kind.CONTROLNET}
TOP_TAGS = 20

_HEX = re.compile(r"(?:0x)?([0-9a-f]{12})[0-9a-f]*")

Facts = dict[str, Any]


class Described(NamedTuple):
    """``facts`` are those worth keeping (that differ from a ``ModelFile``'s defaults), ``broken`` the sidecars that
    could not be read; ``claims`` and ``known`` are what the sums say."""

    facts: Facts
    broken: tuple[str, ...]
    claims: Claims
    known: Known


def describe(kind: Kind, found: Found, proofs: Reading | None = None) -> Described:
    """Everything that header, sidecars and ``proofs`` tell of a file. Never raises for a bad file: ``problem``
    says why it cannot be used."""
    problem, metadata, seen = _seen(kind, found)
    page, broken = read_sidecars(found.sidecars, found.size_bytes)
    claims = Claims(page.sha256, _autov3(metadata))
    known = proofs.of(found.path, found.identity[:3], claims) if proofs else Known()
    if known.card:
        page = with_card(page, known.card)
    if known.ref and not (known.card and known.card.hub_id):
        page = replace(page, hub_id=known.ref.partition("#")[0])
    facts: Facts = {
        "problem": problem,
        "preview": found.preview,
        **_said(page, metadata),
        **_proven(known, claims, proofs, page),
    }
    if problem is None:
        facts |= _measured(kind, clues_of(found.name, metadata, page), seen, page)
    return Described({name: value for name, value in facts.items() if value}, broken, claims, known)


def _proven(known: Known, claims: Claims, proofs: Reading | None, page: Page) -> Facts:
    verification = known.verification(claims.sha256)
    return {
        "verification": verification.value if verification is not Verification.LOCAL else None,
        "newer": proofs.newer(page.hub_id) if proofs and page.hub_id else "",
    }


def _autov3(metadata: Mapping[str, Any]) -> str | None:
    """The sum of the weights that kohya's trainer writes down (``sshs_model_hash``), as hubs shorten it."""
    found = _HEX.fullmatch(_string(metadata, "sshs_model_hash").lower())
    return found.group(1) if found else None


def _seen(kind: Kind, found: Found) -> tuple[str | None, Mapping[str, str], Recognition]:
    """What the header says. Its thousands of small objects go at once: as long as they live, every
    collection of garbage in this process walks over them."""
    if found.size_bytes < 0:
        return "file_unreadable", {}, Recognition()
    header = read_header(found.path, found.extension, found.size_bytes)
    return header.problem, header.metadata, recognise(kind, header) if header.problem is None else Recognition()


def _measured(kind: Kind, clues: Clues, seen: Recognition, page: Page) -> Facts:
    prediction = seen.prediction
    if kind in MODELS and prediction is Prediction.EPS:
        prediction = prediction_said(clues) or prediction
    architecture, family, confidence, tags = _placed(kind, seen, prediction, clues)
    facts: Facts = {
        "architecture": architecture,
        "family": family,
        "confidence": confidence,
        "prediction": prediction.value if prediction else None,
        "distillation": distillation_said(architecture, clues) if kind in MODELS or kind is Kind.LORA else None,
        "parts": sorted(seen.parts),
        "part_bytes": dict(seen.part_bytes),
        "dtype": seen.dtype,
        "parameters": seen.parameters,
        "keys": seen.keys,
        "problem": f"belongs_in_{seen.belongs.value}" if seen.belongs else None,
    }
    if tags:
        facts["tags"] = [*page.tags, *tags]
    return facts


def _placed(
    kind: Kind, seen: Recognition, prediction: Prediction | None, clues: Clues
) -> tuple[str | None, str | None, float, tuple[str, ...]]:
    """Architecture, family, confidence and extra tags. A model that wants an input picture gets neither
    architecture nor family, so that nothing chooses it for a prompt alone."""
    architecture = refine(seen.architecture, clues, "refine_vae" if kind is Kind.VAE else "refine")
    if kind not in WITH_FAMILY:
        return architecture, None, 0.0, ()
    special = purpose(clues) if kind in MODELS else None
    if special:
        return None, None, 0.0, (special,)
    if kind in MODELS:
        return (architecture, *family_of(architecture, clues, prediction, seen.parameters), ())
    return (architecture, *family_of(architecture, clues), ())


def clues_of(name: str, metadata: Mapping[str, Any], page: Page) -> Clues:
    """What is said about the file's base, by source."""
    base = " ".join(_string(metadata, key) for key in ("ss_sd_model_name", "modelspec.merged_from", "modelspec.title"))
    spec = " ".join(_string(metadata, key) for key in ("modelspec.architecture", "ss_base_model_version"))
    if _string(metadata, "modelspec.prediction_type").lower().startswith("v"):
        spec += " prediction_type=v"
    return Clues(page.base_model, base.strip(), name, page.title, spec.strip())


def _said(page: Page, metadata: Mapping[str, Any]) -> Facts:
    facts: Facts = {
        "title": page.title or _string(metadata, "modelspec.title"),
        "description": page.description or plain_text(_string(metadata, "modelspec.description"))[:MAX_DESCRIPTION],
        "tags": list(page.tags) or _tags(metadata),
        "trigger_groups": [list(group) for group in page.trigger_groups] or _trigger_phrase(metadata),
        "strength": list(page.strength) if any(page.strength) else None,
        "downloads": page.downloads,
        "likes": page.likes,
        "nsfw": page.nsfw,
        "real_person": page.real_person,
        "licence": dict(page.licence),
        "hub_id": page.hub_id,
        "base_model": page.base_model,
        "version": page.version,
        "creator": page.creator,
        "page_url": page.page_url,
    }
    licence = _string(metadata, "modelspec.license")
    if licence:
        facts["licence"]["name"] = licence
    return facts


def _trigger_phrase(metadata: Mapping[str, Any]) -> list[list[str]]:
    words = [word.strip() for word in _string(metadata, "modelspec.trigger_phrase").split(",")]
    return [[word for word in words if word]] if any(words) else []


def _tags(metadata: Mapping[str, Any]) -> list[str]:
    spec = _string(metadata, "modelspec.tags")
    if spec:
        return [tag.strip() for tag in spec.split(",") if tag.strip()]
    return top_tags(_string(metadata, "ss_tag_frequency"))


def top_tags(frequency: str) -> list[str]:
    """The commonest tags of a training set, from kohya's ``ss_tag_frequency`` ({folder: {tag: count}})."""
    try:
        folders = json.loads(frequency) if frequency else {}
    except (ValueError, RecursionError):
        return []
    counts: Counter[str] = Counter()
    for tags in folders.values() if isinstance(folders, dict) else ():
        if isinstance(tags, dict):
            counts.update({tag.strip(): count for tag, count in tags.items() if isinstance(count, int)})
    return [tag for tag, _ in counts.most_common(TOP_TAGS) if tag]


def _string(metadata: Mapping[str, Any], key: str) -> str:
    value = metadata.get(key)
    return value.strip() if isinstance(value, str) and value != "None" else ""
