"""The commands ``identify`` and ``library``: which models the files on the disk are, and all that is known of them."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .cli_hub import opened
from .cli_search import licence_word, offer_lines, quoted, strength_text
from .errors import BadRequest, UserError
from .hub.cards import cards_of
from .hub.checksum import file_sha256
from .hub.desk import Desk, kinds_of
from .hub.newer import Updates
from .intelligence.named import answering
from .intelligence.owned import ref_of
from .offers import Offer, Ref
from .plan import Kind, ModelFile
from .terminal import INTERRUPTED, Line, cell, is_agreed, note, say, size, stopping
from .values import to_json

_DIGEST = re.compile(r"[0-9a-fA-F]{10}|[0-9a-fA-F]{12}|[0-9a-fA-F]{64}")


def identify(options: argparse.Namespace) -> int:
    """Recognise all local files, or tell everything of one file or checksum."""
    with opened(options, needs_place=options.file is None) as desk:
        desk.registry.scan()
        return _identify_one(desk, options) if options.file else _identify_all(desk, options)


def _identify_all(desk: Desk, options: argparse.Namespace) -> int:
    """From now on new files are looked up without being asked for."""
    if not desk.options.recognise:
        desk.change_options({"recognise": True})
    line = Line()
    with stopping() as stop:
        report = desk.recognise(
            stop, lambda done, total, name: line.show(f"{done}/{total}  {name}", done, total), options.refresh
        )
        stopped = stop()
    line.end()
    for fault in report.trouble:
        note(fault.in_language(options.language))
    if options.json:
        told = {"hashed": report.hashed, "asked": report.asked, "identified": report.identified, "complete": report.complete}
        print(json.dumps({**told, "trouble": [str(fault.in_language(options.language)) for fault in report.trouble]}))
    else:
        print(say("identified", options.language, hashed=report.hashed, asked=report.asked, identified=report.identified))
    if stopped:
        note(say("identify_stopped", options.language))
        return INTERRUPTED
    return 0 if report.complete else 1


# --------------------------------------------------------------------------- one file or checksum


def _identify_one(desk: Desk, options: argparse.Namespace) -> int:
    digest, files = _meant(desk, options.file)
    offer, trouble = _asked(desk, digest, options.refresh)
    if offer:
        files = _learned(desk, offer, digest, files)
    elif trouble and not files:
        raise trouble
    elif not files:
        raise UserError("digest_unknown", digest=digest)
    if trouble:
        note(trouble.in_language(options.language))
    if options.json:
        print(json.dumps({"sha256": digest, "files": list(map(_as_json, files)), "offer": _offer_json(offer)}))
    else:
        told = ["\n".join(_lines(file, options.language)) for file in files]
        print("\n\n".join(told or [*offer_lines(offer, options.language), quoted(str(offer.ref))] if offer else told))
    return 0


def _meant(desk: Desk, text: str) -> tuple[str, list[ModelFile]]:
    """The checksum to ask by and the local files that have it. Raises ``BadRequest`` where ``text`` is neither a file
    nor a checksum."""
    file = _listed(desk, text)
    if file is None and not Path(text).is_file():
        if not _DIGEST.fullmatch(text):
            raise BadRequest("file_not_listed", name=text)
        files = desk.registry.library().files
        return text.lower(), [file for file in files if file.sha256 and file.sha256.startswith(text.lower())]
    path = desk.registry.path_of(file) if file else Path(text).absolute()
    digest = _sum(path) if path else None
    if path is None or digest is None:
        raise BadRequest("file_not_listed", name=text)
    if file is None:
        return digest, []
    desk.registry.proved(file.kind, path, digest)
    return digest, _again(desk, [file])


def _listed(desk: Desk, text: str) -> ModelFile | None:
    """The listed file of this path or name. Raises ``BadRequest`` where several have it."""
    library, path = desk.registry.library(), Path(text).absolute()
    if path.is_file():
        places = {kind: desk.registry.root_and_name(kind, path.resolve()) for kind in Kind}
        found = [library.find(kind, place[1]) for kind, place in places.items() if place]
        return next((file for file in found if file), None)
    named = answering(list(library.files), text)
    if len(named) > 1:
        raise BadRequest(
            "model_ambiguous", name=text, matches=", ".join(f"{each.kind.value}/{each.name}" for each in named[:5])
        )
    return named[0] if named else None


def _sum(path: Path) -> str | None:
    status = path.stat()
    return file_sha256(str(path), status.st_size, status.st_mtime_ns)


def _asked(desk: Desk, digest: str, refresh: bool) -> tuple[Offer | None, UserError | None]:
    """What the hubs know of a checksum, or what kept them from saying so."""
    try:
        if not refresh:
            return desk.by_hash(digest), None
        again = (source.again() for source in desk.sources.values() if source.knows_hashes)
        return next(filter(None, (source.by_hash(digest) for source in again)), None), None
    except UserError as fault:
        return None, fault


def _learned(desk: Desk, offer: Offer, digest: str, files: list[ModelFile]) -> list[ModelFile]:
    """The files that are the offer's, now with what it says of them."""
    desk.registry.proofs.keep_cards(cards_of(offer, digest))
    sums = {digest, *(file.sha256 for file in offer.files if file.sha256)}
    found = files or [file for file in desk.registry.library().files if file.sha256 in sums]
    for file in found:
        path = desk.registry.path_of(file)
        if path and file.sha256:
            desk.registry.proved(file.kind, path, file.sha256)
    return _again(desk, found)


def _again(desk: Desk, files: Iterable[ModelFile]) -> list[ModelFile]:
    library = desk.registry.library()
    return [library.find(file.kind, file.name) or file for file in files]


# --------------------------------------------------------------------------- the library


def library(options: argparse.Namespace) -> int:
    """List the local files, those with newer versions only, or delete one."""
    with opened(options) as desk:
        desk.registry.scan()
        if options.delete:
            return _delete(desk, options)
        stopped = options.updates and _find_updates(desk, options)
        files = [file for file in desk.registry.library().files if _is_asked(file, options)]
    if options.json:
        print(json.dumps(list(map(_as_json, files))))
    elif files:
        print("\n\n".join("\n".join(_lines(file, options.language)) for file in files))
    else:
        note(say("no_updates" if options.updates else "no_files", options.language))
    return INTERRUPTED if stopped else 0


def _find_updates(desk: Desk, options: argparse.Namespace) -> bool:
    """Whether it was stopped before all models were asked for."""
    line = Line()
    with stopping() as stop:
        found: Updates = desk.find_newer(stop, lambda done, total, name: line.show(f"{done}/{total}  {name}", done, total))
        stopped = stop()
    line.end()
    for fault in found.trouble:
        note(fault.in_language(options.language))
    return stopped


def _is_asked(file: ModelFile, options: argparse.Namespace) -> bool:
    kinds = kinds_of(options.kind)
    text = " ".join((file.name, file.title, *file.tags)).casefold()
    words = all(word.casefold() in text for word in options.words)
    return words and (not kinds or file.kind in kinds) and (not options.updates or bool(file.newer))


def _delete(desk: Desk, options: argparse.Namespace) -> int:
    kinds = kinds_of(options.kind)
    file = _listed(desk, options.delete)
    if file is None or (kinds and file.kind not in kinds):
        raise BadRequest("file_not_listed", name=options.delete)
    name = f"{file.kind.value}/{file.name}"
    agreed = options.yes or is_agreed(
        say("delete_asked", options.language, name=name, size=size(file.size_bytes)), options.language
    )
    if not agreed:
        raise BadRequest("delete_unconfirmed", name=name)
    path = desk.delete(file)
    print(json.dumps({"deleted": str(path)}) if options.json else say("deleted", options.language, path=path))
    return 0


def _lines(file: ModelFile, language: str) -> list[str]:
    """Everything known of a file, what is not known left out."""
    about = {
        "model": f"{file.title} {file.version}".strip(),
        "creator": file.creator,
        "base_model": file.base_model,
        "triggers": "; ".join(", ".join(group) for group in file.trigger_groups),
        "strength": strength_text(file.strength),
        "licence": licence_word(file.licence, language) if file.licence else "",
        "sha256": file.sha256 or "",
        "hub": file.hub_id or "",
        "page": file.page_url,
        "newer": _newer(file, language),
        "problem": str(UserError(file.problem, language, name=file.name)) if file.problem else "",
    }
    state = say(f"state_{file.verification.value}", language)
    head = " | ".join((f"{file.kind.value}/{file.name}", file.family or "?", size(file.size_bytes), state))
    return [
        cell(head, 400),
        *(f"  {say(f'label_{name}', language)}: {cell(text, 500)}" for name, text in about.items() if text),
    ]


def _newer(file: ModelFile, language: str) -> str:
    ref = ref_of(file)
    if not (file.newer and ref):
        return ""
    return say("newer_version", language, ref=quoted(str(Ref(ref.hub, ref.model, file.newer))))


def _as_json(file: ModelFile) -> Any:
    return json.loads(to_json(file))


def _offer_json(offer: Offer | None) -> Any:
    return json.loads(to_json(offer)) if offer else None
