"""The commands of feedback and learning: rate, see what it adds up to, forget, carry it elsewhere. They work on the files
of the person's place, whether ComfyUI runs or not."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli_hub import Command, models_place
from .errors import BadRequest, UserError
from .feedback import Action, Rating
from .terminal import cell, columns, note, printable, say

if TYPE_CHECKING:
    from .history import History
    from .intelligence.insights import Insights

TOPICS = ("all", "loras", "styles", "settings", "sessions", "time")
FORGETTABLE = ("lora", "checkpoint", "style", "all")


def add_commands(command: Command) -> None:
    """Add every command of this module. ``command(name, act, about, *options)`` makes one."""
    _rate_command(command)
    insights = command("feedback", feedback, "what your ratings add up to", models_place)
    insights.add_argument("--about", choices=TOPICS, default=TOPICS[0])
    insights.add_argument("--session", default="", metavar="ID", help="one session only; the beginning of its id is enough")
    insights.add_argument("--plots", type=Path, metavar="FOLDER", help="also write plots into this folder")
    forgetting = command("forget", _late("forget"), "forget what was learned about a model, a style, or all", models_place)
    forgetting.add_argument("what", choices=FORGETTABLE)
    forgetting.add_argument("name", nargs="?", default="", help="the file or style; none for all")
    forgetting.add_argument("--yes", action="store_true", help="forget all without asking")
    options = command("learning", _late("learning"), "show or change the settings of learning", models_place)
    options.add_argument("changes", nargs="*", metavar="NAME=VALUE", help="such as enabled=false or explore=0")
    out = command("feedback-export", _late("feedback_export"), "write all that was made and rated as JSON lines", models_place)
    out.add_argument("file", type=Path, help="a new file; - writes to stdout")
    into = command(
        "feedback-import", _late("feedback_import"), "read what feedback-export wrote, here or elsewhere", models_place
    )
    into.add_argument("file", type=Path, help="the file; - reads from stdin")
    erase = command(
        "feedback-erase", _late("feedback_erase"), "erase all that was recorded and learned, for good", models_place
    )
    erase.add_argument("--yes", action="store_true", help="erase without asking")


def _rate_command(command: Command) -> None:
    rating = command("rate", rate, "rate a picture, or say what you did with it", models_place)
    rating.add_argument("picture", metavar="ID|PICTURE.png", help="a generation's id, or a PNG of Save Image with Plan")
    rating.add_argument("--stars", type=int, metavar="1–5", help="overall")
    for part in ("quality", "accuracy", "aesthetic"):
        rating.add_argument(f"--{part}", type=int, metavar="1–5")
    rating.add_argument("--comment", default="")
    rating.add_argument("--tag", action="append", default=[], help="may be repeated")
    rating.add_argument("--action", choices=[action.value for action in Action], help="what you did with it")
    rating.add_argument("--withdraw", action="store_true", help="take the rating back; with --action, that action")


def _late(name: str) -> Callable[[argparse.Namespace], int]:
    """A command of ``cli_learning``, which is loaded when it is run."""

    def act(options: argparse.Namespace) -> int:
        from . import cli_learning

        return int(getattr(cli_learning, name)(options))

    return act


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[History]:
    """The history of the person's place, closed at the end; what it has to say is noted. Raises ``BadRequest`` where no
    place is named or it is not there."""
    from .history import History
    from .local import data_folder

    for place in filter(None, (options.comfyui, options.models)):
        if not Path(place).is_dir():
            raise BadRequest("place_missing", path=str(place))
    if not (options.comfyui or options.models):
        raise BadRequest("place_unnamed")
    history = History(data_folder(options))
    try:
        yield history
        for fault in history.notes():
            note(fault.in_language(options.language))
    finally:
        history.close()


# --------------------------------------------------------------------------- rate


def rate(options: argparse.Namespace) -> int:
    """Store a rating, an action, or both; or take one back."""
    rating = _rating(options)
    with opened(options) as history:
        generation_id = _generation_id(history, options.picture)
        stored = True
        if options.action:
            stored = history.act(generation_id, Action(options.action), undone=options.withdraw)
        if rating or (options.withdraw and not options.action):
            stored = history.rate(generation_id, rating) and stored
    if options.json:
        print(json.dumps({"id": generation_id, "stored": stored}))
        return 0
    print(say(_rated_key(rating, options), options.language, id=cell(generation_id, 80), action=_action(options)))
    if not stored:
        note(say("feedback_waits", options.language))
    return 0


def _rating(options: argparse.Namespace) -> Rating | None:
    """The rating the options make. Raises ``BadRequest`` where they say nothing, or contradict each other."""
    parts = (options.stars, options.quality, options.accuracy, options.aesthetic)
    said = any(part is not None for part in parts) or options.comment or options.tag
    if options.withdraw and said:
        raise BadRequest("rate_or_withdraw")
    if not said and (options.withdraw or options.action):
        return None
    return Rating(*parts, comment=options.comment.strip(), tags=tuple(tag.strip() for tag in options.tag))


def _generation_id(history: History, named: str) -> str:
    """An id as it is typed; a picture makes its generation known."""
    if not (named.lower().endswith(".png") or Path(named).is_file()):
        return named
    from .result import generation_in

    generation = generation_in(Path(named))
    if not generation.id:
        raise BadRequest("no_plan_in_picture", path=named)
    try:
        history.knows(generation)
    except BadRequest:
        raise
    except UserError:  # out of reach: the rating waits all the same
        pass
    return generation.id


def _rated_key(rating: Rating | None, options: argparse.Namespace) -> str:
    if options.action:
        return "feedback_undone" if options.withdraw else "feedback_rated_acted" if rating else "feedback_acted"
    return "feedback_withdrawn" if options.withdraw else "feedback_rated"


def _action(options: argparse.Namespace) -> str:
    from .intelligence.insight_tables import say as insight

    return insight(f"action.{options.action}", options.language) if options.action else ""


# --------------------------------------------------------------------------- insights


def feedback(options: argparse.Namespace) -> int:
    """Tables of what is known, and plots where a folder is named for them."""
    from .intelligence.insights import insights_of

    with opened(options) as history:
        session = _session(history, options.session)
        overview = history.overview(session)
        # What was learned is of all sessions together; of one, there is only what was done in it.
        tallies = [] if session else history.tallies()
    insights = insights_of(overview, tallies, options.about, options.language)
    drawn: list[Path] = []
    if options.plots:
        from .plots import plots

        drawn = _written(options.plots, plots(overview, tallies, options.language))
    if options.json:
        print(json.dumps({"session": session, "tables": insights.rows, "plots": [str(path) for path in drawn]}))
    else:
        print("\n\n".join([*_told(insights, overview, options.language), *map(str, drawn)]))
    return 0


def _session(history: History, begins: str) -> str:
    """The session whose id begins so. Raises ``BadRequest`` for none, or several."""
    if not begins:
        return ""
    known = [session.id for session in history.overview().sessions]
    found = [id for id in known if id.startswith(begins)]
    if not found and history.overview(begins).generations:
        return begins  # an old one, which the overview does not list any more
    if len(found) != 1:
        raise BadRequest("session_unknown", id=begins[:80], known=", ".join((found or known)[:5]) or "–")
    return found[0]


def _told(insights: Insights, overview: Any, language: str) -> Iterator[str]:
    """The tables for a terminal, their columns in line."""
    from .intelligence.insight_tables import more, summary

    if not insights.tables:
        yield insights.markdown.strip()
        return
    yield summary(overview, language)
    for each in insights.tables:
        lines = columns([[printable(text) for text in row] for row in (each.head, *each.cells)])
        notes = [each.note, *([more(each, language)] if each.more else [])]
        yield "\n".join(filter(None, (each.title.upper(), lines, *notes)))


def _written(folder: Path, pictures: list[tuple[str, bytes]]) -> list[Path]:
    """Plots of an earlier day are written over. Raises ``UserError`` where the folder cannot be written."""
    from .files import write_whole

    paths = [folder / f"{name}.png" for name, _ in pictures]
    try:
        for path, (_, png) in zip(paths, pictures, strict=True):
            write_whole(path, png)
    except OSError as fault:
        raise UserError("feedback_file_unwritable", path=str(folder), problem=fault.strerror or str(fault)) from fault
    return paths
