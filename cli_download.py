"""The commands ``download`` and ``downloads``. Typing ``download`` is the person's word for that very file."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .cli_hub import opened
from .cli_search import licence_word, offer_lines, quoted
from .errors import BadRequest, UserError
from .hub.desk import Desk, kinds_of
from .hub.download import Download, State
from .hub.names import is_pickle
from .hub.transfer import Stopped
from .intelligence.explain import render
from .intelligence.offering import Verdict
from .intelligence.wanted import Wanted, wanted_with
from .local import machine_here
from .offers import Offer, RemoteFile
from .shop import Choice, choose, offered, order
from .terminal import INTERRUPTED, Line, cell, columns, is_agreed, note, say, size, stopping

_THERE = (State.DONE, State.HAVE_IT)


def download(options: argparse.Namespace) -> int:
    """Fetch one file to its end and tell what it is. Ctrl-C pauses it."""
    with opened(options) as desk:
        desk.registry.scan()
        kind = kinds_of([options.kind])[0] if options.kind else None
        choice = choose(desk, options.ref, machine_here(options.comfyui), kind, options.file)
        if not options.json:
            print("\n".join(_announced(desk, choice, options.language)), flush=True)
        _check(choice, options)
        if choice.fit.verdict is Verdict.HAVE_IT and choice.file.sha256 is None:
            return _have(choice, options)  # known by version and name: nothing to compare with before it is fetched
        desk.downloads.ledger.consent(choice.ref)
        ordered = order(desk, choice, options.allow_pickle)
        done = _fetched(desk, ordered, options.language)
        if done is None:
            note(say("download_paused", options.language, name=choice.name, ref=quoted(options.ref)))
            return INTERRUPTED
        _print_done(desk, done, ordered.state in _THERE, choice.offer, choice.file, options)
    return 0


def _have(choice: Choice, options: argparse.Namespace) -> int:
    told = {"name": choice.fit.have, "kind": choice.kind.value, "ref": str(choice.ref), "state": State.HAVE_IT.value}
    if options.json:
        print(json.dumps(told))
    else:
        print(say("download_have_it", options.language, name=cell(choice.fit.have, 300), folder=choice.kind.value))
    return 0


def _announced(desk: Desk, choice: Choice, language: str) -> list[str]:
    """What is about to be fetched, before it is."""
    about = {
        "source": str(choice.ref),
        "file": choice.name,
        "size": size(choice.file.size_bytes),
        "sha256": choice.file.sha256 or say("no_hash_given", language),
        "licence": licence_word(choice.offer.licence, language),
        "folder": str(desk.target_folder(choice.kind)),
        "fit": say(f"verdict_{choice.fit.verdict.value}", language),
    }
    lines = [cell(f"{choice.offer.title} {choice.offer.version_name}", 200)]
    lines += columns([[f"  {say(f'label_{name}', language)}:", cell(text, 500)] for name, text in about.items()]).split("\n")
    return [*lines, *(f"  • {render(reason, language)}" for reason in choice.fit.reasons)]


def _check(choice: Choice, options: argparse.Namespace) -> None:
    if is_pickle(choice.name) and not options.allow_pickle:
        raise BadRequest("pickle_not_allowed", name=choice.name)
    if choice.fit.verdict is not Verdict.DOES_NOT_FIT or options.yes:
        return
    agreed = None if options.json else is_agreed(say("fetch_unfitting", options.language), options.language)
    if not agreed:
        reasons = " ".join(render(reason, options.language) for reason in choice.fit.reasons)
        raise BadRequest("download_unfitting" if agreed is None else "download_declined", name=choice.name, reasons=reasons)


# --------------------------------------------------------------------------- to its end


def _fetched(desk: Desk, ordered: Download, language: str) -> Download | None:
    """The download when its file is there; ``None`` where Ctrl-C paused it. Raises what kept it from being fetched."""
    progress = _Progress(language)
    try:
        with stopping() as stop:
            done = desk.downloads.wait(ordered.id, stop, progress.show)
    except Stopped:
        done = desk.downloads.get(ordered.id)  # it may have come to its end meanwhile
        return done if done.state in _THERE else None
    finally:
        progress.line.end()
    if done.fault and done.state is State.FAILED:
        raise done.fault
    if done.state in (State.PAUSED, State.CANCELLED):
        raise UserError("download_stopped_elsewhere", name=done.name, state=done.state.value, id=done.id)
    return done


class _Progress:
    """The line that follows a download."""

    def __init__(self, language: str) -> None:
        self.language, self.line = language, Line()

    def show(self, download: Download) -> None:
        if download.state is State.RUNNING:
            self.line.show(self.told(download), download.done_bytes, download.size_bytes)

    def told(self, download: Download) -> str:
        """Per cent, speed and time left as far as they are known."""
        total, speed = download.size_bytes, download.bytes_per_s
        parts = [f"{100 * download.done_bytes // total:3} %" if total else size(download.done_bytes)]
        if speed:
            parts.append(f"{speed / 1e6:.1f} MB/s")
        if speed and total:
            parts.append(say("time_left", self.language, time=_clock((total - download.done_bytes) / speed)))
        return "  ".join([*parts, download.name])


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _print_done(desk: Desk, done: Download, before: bool, offer: Offer, file: RemoteFile, options: argparse.Namespace) -> None:
    """``before`` says that the file was there before it was asked for."""
    desk.registry.scan()  # another process may have fetched it
    library = desk.registry.library()
    local = library.find(done.kind, done.name)
    state = local.verification.value if local else ("no_hash" if done.sha256 is None else "verified")
    needs = wanted_with(offer, file, library)
    if options.json:
        told = {**done.told(options.language), "folder": done.folder, "verification": state}
        triggers = [list(group) for group in offer.trigger_groups]
        print(json.dumps({**told, "trigger_words": triggers, "needs": [_need_json(each) for each in needs]}))
        return
    language, values = options.language, {"name": cell(done.name, 300), "folder": done.kind.value}
    print(say("download_have_it" if before or done.state is State.HAVE_IT else "download_done", language, **values))
    print(f"  {say('label_state', language)}: {say(f'state_{state}', language)}")
    for line in offer_lines(offer, language):
        print(f"  {line}")
    for each in needs:
        print(offered((each,), language))


def _need_json(each: Wanted) -> dict[str, Any]:
    return {"name": each.name, "kind": each.kind.value, "ref": each.ref, "search": each.search}


# --------------------------------------------------------------------------- the queue


def downloads(options: argparse.Namespace) -> int:
    """List the queue, or change one of it. What is resumed is fetched to its end."""
    with opened(options) as desk:
        if options.resume:
            return _resume(desk, options)
        for act in ("pause", "cancel", "forget"):
            if chosen := getattr(options, act):
                _change(desk, act, chosen)
        _print_queue(desk, options)
    return 0


def _resume(desk: Desk, options: argparse.Namespace) -> int:
    before = desk.downloads.get(options.resume)
    offer = desk.downloads.ledger.offer(before.id)
    done = _fetched(desk, desk.downloads.resume(before.id), options.language)
    if done is None:
        note(say("download_paused", options.language, name=before.name, ref=quoted(str(before.ref))))
        return INTERRUPTED
    file = offer.file(before.ref.file) or RemoteFile(before.ref.file, before.name, "", before.size_bytes, before.sha256)
    _print_done(desk, done, before.state in _THERE, offer, file, options)
    return 0


def _change(desk: Desk, act: str, chosen: str) -> None:
    if act == "forget":
        found = desk.downloads.get(chosen)
        if not found.state.over:
            raise BadRequest("download_not_over", name=found.name)
        desk.downloads.forget(chosen)
    elif act == "pause":
        desk.downloads.pause(chosen)
    else:
        desk.downloads.cancel(chosen)


def _print_queue(desk: Desk, options: argparse.Namespace) -> None:
    listed = desk.downloads.all()
    if options.json:
        print(json.dumps([each.told(options.language) for each in listed]))
        return
    if not listed:
        note(say("queue_empty", options.language))
        return
    print(columns([_row(each, options.language) for each in listed]))
    for each in (each for each in listed if each.fault):
        print(f"{each.id}: {cell(str(each.fault.in_language(options.language)), 2000) if each.fault else ''}")


def _row(each: Download, language: str) -> list[str]:
    share = f"{100 * each.done_bytes // each.size_bytes} %" if each.size_bytes else ""
    return [
        each.id,
        say(f"queue_{each.state.value}", language),
        share if each.state not in (State.HAVE_IT, State.CANCELLED) else "",
        size(each.size_bytes),
        cell(each.name, 60),
        quoted(str(each.ref)),
    ]
