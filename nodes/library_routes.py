"""REST routes of the local files: what is here and what is known of it, recognition at the hubs, deletion."""

from __future__ import annotations

from typing import Any

from ..errors import BadRequest, UserError
from ..intelligence.listing import Only, Order, Wish, families_held, kinds_held, listed
from ..plan import ModelFile
from .answering import Asked
from .asking import choice
from .desk import desk, recognition
from .routes import kind_asked
from .shelf import shelf
from .shown import LONG, file_shown, offer_shown, row_of
from .used import used

MOST_ROWS = 500


def library(asked: Asked) -> dict[str, Any]:
    """Local files as the wish has them; ``complete`` says that the first look at the disk is over, ``version`` changes
    with any file. Without ``look`` the disk is not looked at again: what is known is told at once."""
    known = shelf().library() if asked.flag("look", True) else shelf().registry.library()
    wish, counted = _wish(asked), used()
    found = listed(known, wish, counted)
    start = asked.number("offset", 0, 0)
    shown = found[start : start + asked.number("limit", 100, 1, MOST_ROWS)]
    return {
        "files": [row_of(file, asked.language, counted.of(file)) for file in shown],
        "total": len(found),
        "complete": known.complete,
        "version": known.version,
        "kinds": dict(kinds_held(known)),
        "families": [vars(each) for each in families_held(known, wish.kind)],
    }


def _wish(asked: Asked) -> Wish:
    return Wish(
        kind=kind_asked(asked.text("kind")) if asked.text("kind", "") else None,
        words=tuple(asked.text("search", "").casefold().split()),
        family=asked.text("family", ""),
        only=frozenset(choice(Only, each) for each in asked.texts("only")),
        nsfw=asked.flag("nsfw", True),
        order=choice(Order, asked.text("sort", Order.NAME.value)),
    )


def place(asked: Asked) -> dict[str, Any]:
    """Where a local file lies, for the person at this computer to look it up there."""
    name = asked.text("name")
    found = shelf().registry.library().find(kind_asked(asked.text("kind")), name)
    path = shelf().registry.path_of(found) if found else None
    if path is None:
        raise BadRequest("file_not_listed", name=name)
    return {"path": str(path), "folder": str(path.parent)}


def file(asked: Asked) -> dict[str, Any]:
    """Everything known of a local file; by its SHA-256 also of one that only a hub has."""
    if sha256 := asked.text("sha256", "").strip().lower():
        return _by_sum(sha256, asked.language)
    found = shelf().library().find(kind_asked(asked.text("kind")), asked.text("name"))
    if found is None:
        raise BadRequest("file_not_listed", name=asked.text("name"))
    return {"file": _told(found, asked.language), "offer": None}


def _by_sum(sha256: str, language: str) -> dict[str, Any]:
    """Here first: a hub is asked only where no local file has these bytes."""
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise BadRequest("digest_unreadable", digest=sha256[:80])
    local = next(iter(shelf().registry.by_sha256(sha256)), None)
    if local:
        return {"file": _told(local, language), "offer": None}
    offer = desk().by_hash(sha256)
    if offer is None:
        raise BadRequest("file_not_listed", name=sha256)
    return {"file": None, "offer": offer_shown(offer, LONG)}


def _told(found: ModelFile, language: str) -> dict[str, Any]:
    registry = shelf().registry
    path = registry.path_of(found)
    with registry.proofs.reading() as reading:
        refs = reading.refs(str(path), found.sha256) if path else ()
    return file_shown(found, language, used().of(found), refs)


def delete(asked: Asked) -> dict[str, Any]:
    """Delete a model file from the disk."""
    asked.confirmed()
    kind, name = kind_asked(asked.text("kind")), asked.text("name")
    found = shelf().registry.library().find(kind, name)
    if found is None:
        raise BadRequest("file_not_listed", name=name)
    try:
        desk().delete(found)
    except OSError as fault:
        raise UserError("file_not_deleted", name=found.name, problem=fault.strerror or "–") from fault
    return {"deleted": {"kind": kind.value, "name": found.name}}


def recognise(asked: Asked) -> dict[str, Any]:
    """Begin to hash local files and to look them up (``updates``: for newer versions, too), or find that running."""
    desk()  # settings that cannot be read are said here, not in the thread
    return recognition().start(asked.flag("refresh"), asked.flag("updates"))


def stop_recognition(asked: Asked) -> dict[str, Any]:
    return recognition().stop()


def recognition_state(asked: Asked) -> dict[str, Any]:
    return recognition().state()
