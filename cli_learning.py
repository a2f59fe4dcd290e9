"""The commands ``forget``, ``learning`` and ``feedback-…``: what is kept of feedback, and carrying it elsewhere."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli_feedback import opened
from .errors import BadRequest, UserError
from .terminal import cell, columns, is_agreed, note, say

if TYPE_CHECKING:
    from .history import History

TERMINAL = "-"  # instead of a file's name: what is piped in or out
MOST_LINES_NAMED = 10


# --------------------------------------------------------------------------- forget


def forget(options: argparse.Namespace) -> int:
    """Forget what was learned; the pictures' records stay."""
    with opened(options) as history:
        if options.what == "all":
            if options.name:
                raise BadRequest("forget_all_named", name=options.name[:80])
            _agree("forget_asked", "forget_unconfirmed", options)
            name = ""
        else:
            name = _learned(history, options)
        stored = history.forget(options.what, name)
    if options.json:
        print(json.dumps({"what": options.what, "name": name, "stored": stored}))
    else:
        print(say("forgot_all" if options.what == "all" else "forgot", options.language, name=cell(name, 200)))
    return 0


def _learned(history: History, options: argparse.Namespace) -> str:
    """The full name of something there is evidence about. Raises ``BadRequest``."""
    names = _styles(history, options.language) if options.what == "style" else _files(history, options.what)
    wanted = options.name.strip()
    if wanted in names:
        return names[wanted]
    found = sorted({full for name, full in names.items() if name.casefold() == wanted.casefold()})
    if len(found) == 1:
        return found[0]
    known = found or sorted(set(names.values()))
    raise BadRequest("nothing_learned", name=wanted[:80] or "?", known=", ".join(known[:10]) or "–")


def _styles(history: History, language: str) -> dict[str, str]:
    """Styles by their name, and by what people call them."""
    from .intelligence.insight_tables import style_label

    contexts = {tally.context for tally in history.tallies()}
    styles = [context.removeprefix("style:") for context in contexts if context.startswith("style:")]
    return {**{style_label(style, language): style for style in styles}, **{style: style for style in styles}}


def _files(history: History, kind: str) -> dict[str, str]:
    """Files by their whole name, and by their short one where only one goes by it."""
    from .intelligence.named import stem

    names = sorted({tally.name for tally in history.tallies((kind,))})
    short = [stem(name) for name in names]
    return {**{stem(name): name for name in names if short.count(stem(name)) == 1}, **{name: name for name in names}}


def _agree(question: str, refused: str, options: argparse.Namespace) -> None:
    """Raises ``BadRequest`` unless the person agrees, here or by --yes."""
    if not (options.yes or is_agreed(say(question, options.language), options.language)):
        raise BadRequest(refused)


# --------------------------------------------------------------------------- settings


def learning(options: argparse.Namespace) -> int:
    """Show the settings of learning, changed first where changes are given."""
    with opened(options) as history:
        if options.changes:
            history.change_options(dict(map(_setting, options.changes)))
        held = shown_options(history)
    if options.json:
        print(json.dumps(held))
    else:
        print(columns([[name, cell(json.dumps(value, ensure_ascii=False).strip('"'), 300)] for name, value in held.items()]))
    return 0


def shown_options(history: History) -> Mapping[str, Any]:
    """The settings as anyone may see them: the database's address without its password."""
    held = asdict(history.options)
    if held["database"]:
        from sqlalchemy import make_url

        held["database"] = make_url(held["database"]).set(query={}).render_as_string(hide_password=True)
    return held


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRequest("learning_setting_unreadable", text=text[:200])
    try:
        return name.strip().replace("-", "_"), json.loads(value)
    except ValueError:
        return name.strip().replace("-", "_"), value


# --------------------------------------------------------------------------- in and out


def feedback_export(options: argparse.Namespace) -> int:
    """The file appears whole or not at all, and over no other."""
    with opened(options) as history:
        if str(options.file) == TERMINAL:
            history.export(print)
            return 0
        count = _export(history, options.file)
    if options.json:
        print(json.dumps({"file": str(options.file), "events": count}))
    else:
        print(say("feedback_exported", options.language, count=count, path=options.file))
    return 0


def _export(history: History, path: Path) -> int:
    if path.exists():
        raise UserError("file_exists", path=str(path))
    unfinished, count = path.with_name(f"{path.name}.{os.getpid()}.part"), 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            history.export(lambda line: file.write(f"{line}\n"))
        with unfinished.open("rb") as file:
            count = sum(1 for _ in file)
        os.replace(unfinished, path)
    except OSError as fault:
        raise UserError("feedback_file_unwritable", path=str(path), problem=fault.strerror or str(fault)) from fault
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def feedback_import(options: argparse.Namespace) -> int:
    """1 where some lines were no events; the others are in."""
    with opened(options) as history:
        try:
            with nullcontext(sys.stdin) if str(options.file) == TERMINAL else options.file.open(encoding="utf-8-sig") as lines:
                new, known, faulty = history.import_lines(lines)
        except OSError as fault:
            raise UserError("feedback_file_unreadable", path=str(options.file), problem=fault.strerror or str(fault)) from fault
        except UnicodeDecodeError as fault:
            raise UserError("feedback_file_unreadable", path=str(options.file), problem="UTF-8") from fault
    if options.json:
        print(json.dumps({"new": new, "known": known, "faulty_lines": faulty}))
    else:
        print(say("feedback_imported", options.language, new=new, known=known))
    if faulty:
        listed = ", ".join(map(str, faulty[:MOST_LINES_NAMED])) + (" …" if len(faulty) > MOST_LINES_NAMED else "")
        note(say("feedback_faulty", options.language, count=len(faulty), lines=listed))
    return 1 if faulty else 0


def feedback_erase(options: argparse.Namespace) -> int:
    """Records, ratings and what was learned from them."""
    with opened(options) as history:
        _agree("erase_asked", "erase_unconfirmed", options)
        history.erase()
    print(json.dumps({"erased": True}) if options.json else say("feedback_erased", options.language))
    return 0
