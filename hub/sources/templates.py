"""ComfyUI's own workflow templates: the model files that the installed template packages name, with the folder each
belongs in. The list is local; sizes, hashes and bytes are Hugging Face's, under whose names they are offered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadRequest
from ...offers import Offer, Query, Ref, RemoteFile, Results
from ...plan import Kind
from ..fields import list_of, mapping_of, sha256_of, text_of
from ..huggingface_answers import file_url
from ..refusals import NotFound
from . import huggingface

if TYPE_CHECKING:
    from ..web import Web

# ComfyUI 0.3.64 has its templates in the first package, 0.33 in the second.
_PACKAGES = ("comfyui_workflow_templates", "comfyui_workflow_templates_json")
_KINDS = {kind.value: kind for kind in Kind} | {"clip": Kind.TEXT_ENCODER, "unet": Kind.DIFFUSION_MODEL}
_PICKLE_ENDINGS = (".ckpt", ".pt", ".pth", ".bin")
_HUB = "https://huggingface.co"  # where the templates' addresses lead; the endpoint asked is the configured one
_MOST_BYTES = 20_000_000  # of one template


@dataclass(frozen=True)
class Listed:
    """A file that templates name: its file name, the folder it belongs in, its place on Hugging Face, where given
    its SHA-256, and the names of the templates that use it."""

    name: str
    kind: Kind
    ref: Ref
    sha256: str | None = None
    templates: tuple[str, ...] = ()


class Here:
    """The files of the installed templates. Searching asks nobody; describing asks Hugging Face over ``web``."""

    name = "templates"
    knows_hashes = False

    def __init__(self, web: Web) -> None:
        self._endpoint = web.options.bases("huggingface")[0]
        self._hub = huggingface.Here(web)

    def read(self, text: str) -> Ref | None:
        """``templates:file.safetensors``."""
        hub, _, name = text.strip().partition(":")
        found = official(name) if hub == self.name else None
        return found.ref if found else None

    def search(self, query: Query) -> Results:
        """Files whose name, place, folder or template holds every word, in the templates' order."""
        words = query.text.lower().split()
        kinds = frozenset(query.kinds)
        fitting = [each for each in catalogue() if (not kinds or each.kind in kinds) and _holds(each, words)]
        start = int(query.cursor) if query.cursor.isdigit() and len(query.cursor) < 6 else 0
        end = start + max(1, query.limit)
        return Results(tuple(map(self._offer, fitting[start:end])), str(end) if end < len(fitting) else "")

    def describe(self, ref: Ref) -> Offer:
        """Hugging Face's description of the file's repository, each listed file with the folder its templates name."""
        place = ref
        if ref.hub == self.name:
            found = official(ref.file or ref.model)
            if found is None:
                raise NotFound("hub_not_found", hub=self.name)
            place = found.ref
        if place.hub != "huggingface":
            raise BadRequest("ref_unreadable", text=str(ref))
        offer = self._hub.describe(place)
        kinds = {each.ref.file: each.kind for each in catalogue() if each.ref.model == place.model}
        files = tuple(replace(file, kind=kinds.get(file.id, file.kind)) for file in offer.files)
        return replace(offer, files=files, kind=kinds.get(place.file, offer.kind))

    def by_hash(self, digest: str) -> Offer | None:
        """The file that a template names together with this SHA-256."""
        wanted = digest.lower()
        return next((self._offer(each) for each in catalogue() if each.sha256 == wanted), None)

    def addresses(self, offer: Offer, file: RemoteFile) -> tuple[str, ...]:
        return self._hub.addresses(offer, file)

    def _offer(self, listed: Listed) -> Offer:
        ref, path = listed.ref, listed.ref.file
        url = file_url(self._endpoint, ref.model, ref.version, path)
        pickle = listed.name.lower().endswith(_PICKLE_ENDINGS)
        file = RemoteFile(path, listed.name, url, None, listed.sha256, listed.kind, pickle, primary=True)
        return Offer(
            ref=ref,
            title=listed.name,
            kind=listed.kind,
            creator=ref.model.partition("/")[0],
            tags=listed.templates,
            page_url=f"{self._endpoint}/{ref.model}",
            files=(file,),
        )


def catalogue() -> tuple[Listed, ...]:
    """Every file of the installed templates that has a folder of ``plan.Kind``, each place once; empty without
    templates."""
    folders = (_folder(package) for package in _PACKAGES)
    return tuple(each for folder in folders if folder for each in _catalogue(str(folder), folder.stat().st_mtime_ns))


def official(name: str) -> Listed | None:
    """The listed file of this name; the one that most templates use where several places have it."""
    named = [each for each in catalogue() if each.name == name]
    return max(named, key=lambda each: len(each.templates), default=None)


def _folder(package: str) -> Path | None:
    """The template folder of an installed package, found without importing it."""
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    found = (Path(place) / "templates" for place in places or ())
    return next((folder for folder in found if folder.is_dir()), None)


@cache
def _catalogue(folder: str, _changed_ns: int) -> tuple[Listed, ...]:
    held: dict[Ref, Listed] = {}
    for path in sorted(Path(folder).glob("*.json")):
        for entry in _entries(path):
            listed = _listed(entry)
            if listed is None:
                continue
            known = held.get(listed.ref, listed)
            used = tuple(dict.fromkeys((*known.templates, path.stem)))
            held[listed.ref] = replace(known, templates=used, sha256=known.sha256 or listed.sha256)
    return tuple(held.values())


def _entries(path: Path) -> Iterator[Mapping[str, Any]]:
    """The ``properties.models`` of a template's nodes, those inside subgraphs too."""
    raw = path.read_bytes() if path.stat().st_size < _MOST_BYTES else b""
    if b'"directory"' not in raw:
        return
    try:
        template = mapping_of(json.loads(raw))
    except (ValueError, RecursionError):
        return
    graphs = [template, *list_of(mapping_of(template.get("definitions")).get("subgraphs"))]
    for graph in graphs:
        for node in list_of(mapping_of(graph).get("nodes")):
            models = list_of(mapping_of(mapping_of(node).get("properties")).get("models"))
            yield from map(mapping_of, models)


def _listed(entry: Mapping[str, Any]) -> Listed | None:
    kind, ref = _KINDS.get(text_of(entry.get("directory"))), huggingface.read_page(text_of(entry.get("url")), _HUB)
    if kind is None or ref is None or not ref.file:
        return None
    digest = sha256_of(entry.get("hash")) if text_of(entry.get("hash_type")).upper() == "SHA256" else None
    return Listed(text_of(entry.get("name")) or ref.file.rpartition("/")[2], kind, ref, digest)


def _holds(listed: Listed, words: list[str]) -> bool:
    text = " ".join((listed.name, str(listed.ref), listed.kind.value, *listed.templates)).lower()
    return all(word in text for word in words)
