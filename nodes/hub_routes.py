"""REST routes that look at the hubs: search, one offer, its picture. Nothing is fetched but answers and previews."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from enum import Enum
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from ..data.families import families
from ..errors import BadRequest, UserError
from ..hub.desk import kinds_of
from ..hub.previews import MAX_BYTES, as_webp
from ..hub.refusals import NotFound
from ..intelligence.offering import fit, folder_kind
from ..intelligence.owned import query_base_models
from ..offers import Offer, Period, Query, Ref, RemoteFile, Sort
from ..plan import Library, Machine, ModelFile
from ..shop import Choice, Found, Search, chosen
from ..shop import search as search_hubs
from .answering import Asked, Raw, told_error, unreadable
from .desk import desk, machine
from .routes import kind_asked
from .shelf import shelf
from .shown import LONG, choice_shown, offer_shown, versions_shown

MOST_RESULTS = 100
MOST_FILES = 200
PREVIEW_AGE_S = 604_800  # a week; addresses name one version of one model

Member = TypeVar("Member", bound=Enum)


def search(asked: Asked) -> dict[str, Any]:
    """What the hubs offer, taking turns, each with the file to get here and whether it fits."""
    cursors = _cursors(asked.text("cursor", ""))
    hubs = asked.texts("hub") or tuple(cursors) or tuple(desk().sources)
    for hub in hubs:
        desk().source(hub)
    query = Query(
        text=asked.text("text", "")[:300],
        kinds=kinds_of(asked.texts("kind")),
        base_models=(*asked.texts("base_model"), *_base_models(asked.text("family", ""))),
        tag=asked.text("tag", "")[:100],
        sort=_member(Sort, asked.text("sort", Sort.RELEVANCE.value)),
        period=_member(Period, asked.text("period", Period.ALL.value)),
        nsfw=asked.flag("nsfw", desk().options.nsfw),
        limit=asked.number("limit", 20, 1, MOST_RESULTS),
    )
    shelf().library()  # what fits depends on what is here: a first look at the disk comes first
    wanted = [(hub, replace(query, cursor=cursors.get(hub, ""))) for hub in hubs if not cursors or hub in cursors]
    return _shown(_ask(wanted, machine()), asked.language)


def _base_models(family: str) -> tuple[str, ...]:
    """The hubs' names for what loads on a family."""
    if family and family not in families():
        raise BadRequest("unknown_family", family=family[:80], known=", ".join(families()))
    return query_base_models(families()[family]) if family else ()


def _ask(wanted: Sequence[tuple[str, Query]], here: Machine) -> list[Search | UserError]:
    """All hubs at once, in the order given."""

    def ask(hub_query: tuple[str, Query]) -> Search | UserError:
        hub, query = hub_query
        try:
            return search_hubs(desk(), query, [hub], here)
        except UserError as fault:
            return fault

    if not wanted:
        return []
    with ThreadPoolExecutor(len(wanted), "iig-search") as threads:
        return list(threads.map(ask, wanted))


def _shown(told: list[Search | UserError], language: str) -> dict[str, Any]:
    answered = [each for each in told if isinstance(each, Search)]
    trouble = [each for each in told if isinstance(each, UserError)]
    if trouble and not answered:
        raise trouble[0]
    turns: Iterable[tuple[Found | None, ...]] = zip_longest(*(each.found for each in answered))
    found = [each for turn in turns for each in turn if each is not None]
    return {
        "results": [_result(each, language) for each in found],
        "cursors": {hub: cursor for each in answered for hub, cursor in each.cursors.items()},
        "trouble": [told_error(fault.in_language(language)) for fault in trouble],
    }


def _result(found: Found, language: str) -> dict[str, Any]:
    return {**offer_shown(found.offer), "file": choice_shown(found.choice, language) if found.choice else None}


def offer(asked: Asked) -> dict[str, Any]:
    """One offer with all its files and the model's other versions."""
    found = desk().describe(desk().ref(asked.text("ref")))
    library, here = shelf().library(), machine()
    files = [choice for file in found.files[:MOST_FILES] if (choice := _judged(found, file, library, here))]
    wanted = _best(found, desk().ref(asked.text("ref")), files, here, library)
    return {
        **offer_shown(found, LONG),
        "files": [choice_shown(choice, asked.language) for choice in files],
        "chosen": str(wanted.ref) if wanted else None,
        "versions": versions_shown(found),
    }


def _best(found: Offer, ref: Ref, files: list[Choice], here: Machine, library: Library) -> Choice | None:
    """The file that ``ref`` names, else the one that fits best."""
    named = next((each for each in files if ref.file and ref.file in (each.file.id, each.file.name)), None)
    return named or chosen(desk(), found, here, library)


def _judged(found: Offer, file: RemoteFile, library: Library, here: Machine) -> Choice | None:
    """A file with its fit; ``None`` for what is no model."""
    kind = folder_kind(found, file)
    if kind is None:
        return None
    choice = Choice(found, file, kind, fit(found, file, library, here, desk().disk_free_bytes(kind)))
    try:
        choice.name  # noqa: B018 - raises for a name that is no model file's
    except BadRequest:
        return None
    return choice


def preview(asked: Asked) -> Raw:
    """The picture of an offer (``ref``) or of a local file (``kind``, ``name``), made anew as WebP; ``quiet`` answers
    with nothing in place of an error, which browsers would log."""
    try:
        picture = _picture(asked)
    except UserError:
        if not asked.flag("quiet"):
            raise
        return Raw(b"", "image/webp", {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": 'inline; filename="preview.webp"',
        "Cache-Control": f"private, max-age={PREVIEW_AGE_S}",
    }
    return Raw(picture, "image/webp", headers)


def _picture(asked: Asked) -> bytes:
    if asked.text("ref", ""):
        return _offered_picture(asked.text("ref"))
    return _local_picture(asked.text("kind"), asked.text("name"))


def _offered_picture(text: str) -> bytes:
    found = desk().describe(desk().ref(text))
    if not found.preview_url:
        raise NotFound("preview_none", name=found.title or text)
    return desk().previews.fetch(found.ref.hub, found.preview_url).read_bytes()


def _local_picture(kind: str, name: str) -> bytes:
    file = shelf().registry.library().find(kind_asked(kind), name)
    if file is None:
        raise BadRequest("file_not_listed", name=name)
    path = _preview_path(file)
    picture = as_webp(_beginning(path)) if path else None
    if picture is None:
        raise NotFound("preview_none", name=file.name)
    return picture


def _preview_path(file: ModelFile) -> Path | None:
    """Where the picture beside a model lies; a link that leads out of the model folders is not followed."""
    roots = [Path(root) for root in shelf().registry.folders[file.kind]] if file.preview else []
    places = ((root.resolve(), (root / str(file.preview)).resolve()) for root in roots)
    return next((path for root, path in places if path.is_relative_to(root) and path.is_file()), None)


def _beginning(path: Path) -> bytes:
    """A picture, or so much of a larger one that it is none."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError:
        return b""


def _cursors(text: str) -> dict[str, str]:
    try:
        held = json.loads(text) if text else {}
    except (ValueError, RecursionError) as fault:
        raise unreadable("cursor: what the last search gave as cursors is needed, as JSON") from fault
    if not isinstance(held, dict) or not all(isinstance(each, str) for each in held.values()):
        raise unreadable("cursor: what the last search gave as cursors is needed, as JSON")
    return held


def _member(kinds: type[Member], text: str) -> Member:
    try:
        return kinds(text)
    except ValueError as fault:
        raise BadRequest("not_a_choice", value=text[:80], choices=", ".join(each.value for each in kinds)) from fault
