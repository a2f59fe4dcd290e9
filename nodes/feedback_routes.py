"""REST routes of feedback: what was made, what people think of it, what that adds up to, and the settings of learning."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from ..errors import BadRequest
from ..feedback import MOST_ID, Action, Rating, Recorded
from ..plan import Generation
from ..routes import LANGUAGE
from ..values import from_json, to_json
from . import asking
from .answering import Asked, Raw, told_error, unreadable
from .feedback import ABOUT, made_known, one_of, seen
from .looking_back import SHOWN, listed
from .recall import history

MOST_RECENT = 200
MOST_PICTURES = 100  # of one generation
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif")
HIDDEN = "***"  # stands for a password in an address


def recent(asked: Asked) -> dict[str, Any]:
    """Generations briefly, newest first; ``before`` is the id of the one to go on from, ``next`` the one to go on from
    after these, empty where there are no more."""
    limit, before = asked.number("limit", 50, 1, MOST_RECENT), asked.text("before", "")
    show, search = one_of(asked.text("show", SHOWN[0]), SHOWN), asked.text("search", "")
    found, following = listed(history(), show, search, limit, before)
    return {"generations": [brief(each) for each in found], "next": following, "notes": _notes(asked.language)}


def generation(asked: Asked) -> Raw:
    """All that is known of one generation, its plan included."""
    return Raw(to_json(_known(asked.text("id"))).encode("utf-8"), "application/json")


def compare(asked: Asked) -> dict[str, Any]:
    """Two generations and what their plans differ in, in words."""
    from ..intelligence.differences import differences

    a, b = (_known(name) for name in (asked.text("a"), asked.text("b")))
    rows = differences(a.made.generation, b.made.generation, asked.language)
    return {"a": brief(a), "b": brief(b), "rows": [asdict(row) for row in rows]}


def _known(generation_id: str) -> Recorded:
    found = history().find(generation_id)
    if found is None:
        raise BadRequest("generation_unknown", id=generation_id[:MOST_ID])
    return found


def insights(asked: Asked) -> dict[str, Any]:
    """What ratings add up to, as Markdown and as rows: all in all, or in one session."""
    from ..intelligence.insights import insights_of

    about = one_of(asked.text("about", ABOUT[0]), ABOUT)
    overview, tallies = seen(asked.text("session", ""))
    found = insights_of(overview, tallies, about, asked.language)
    return {"markdown": found.markdown, "rows": found.rows, "notes": _notes(asked.language)}


def plot(asked: Asked) -> Raw:
    """One of the plots as PNG; the first where no ``name`` is given."""
    from ..plots import PLOTS, plots

    name = one_of(asked.text("name", PLOTS[0]), PLOTS)
    overview, tallies = seen(asked.text("session", ""))
    ((_, drawn),) = plots(overview, tallies, asked.language, names=(name,))
    return Raw(drawn, "image/png", {"Cache-Control": "no-store"})


def rate(asked: Asked) -> dict[str, Any]:
    """Rate a generation, or take the rating back. ``stored`` is false where the database is out of reach, so that it
    waits in a file."""
    generation_id = _named(asked)
    rating = None if asked.flag("withdraw") else _rating(asked)
    return {"id": generation_id, "stored": history().rate(generation_id, rating)}


def _named(asked: Asked) -> str:
    """The id of the generation that is meant; one that is sent whole, as its picture holds it, is known from then on. As
    text it keeps a seed beyond what JavaScript's numbers hold."""
    sent = asked.given.get("generation")
    if sent is None:
        return asked.text("id")
    return made_known(history(), from_json(Generation, sent if isinstance(sent, str) else json.dumps(sent)))


def _rating(asked: Asked) -> Rating:
    stars = (
        asked.given.get("overall"),
        asked.given.get("quality"),
        asked.given.get("accuracy"),
        asked.given.get("aesthetic"),
    )
    tags = asked.given.get("tags") or []
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise unreadable("tags: a list of texts is needed")
    return Rating(*stars, asked.text("comment", ""), tuple(tags))


def act(asked: Asked) -> dict[str, Any]:
    """Note what was done with a picture, or that it was undone."""
    generation_id, action = _named(asked), asking.choice(Action, asked.text("action"))
    return {"id": generation_id, "stored": history().act(generation_id, action, asked.flag("undone"))}


def pictures(asked: Asked) -> dict[str, Any]:
    """Note under which names a generation's pictures were saved by another node than ours; names already known, and what
    lies nowhere below the output folder, change nothing."""
    found = _known(_named(asked))
    new = tuple(name for name in _saved(asked) if name not in found.pictures)
    names = (*found.pictures, *new)[-MOST_PICTURES:]
    stored = history().finished(found.made.generation, pictures=names) if new else True
    return {"id": found.id, "stored": stored, "pictures": list(names)}


def _saved(asked: Asked) -> tuple[str, ...]:
    """The names in the output folder, slashes forward. Raises ``BadRequest`` for what is none."""
    from .pictures import output_file

    names = asked.given.get("pictures")
    if not (isinstance(names, list) and len(names) <= MOST_PICTURES and all(isinstance(name, str) for name in names)):
        raise unreadable(f"pictures: a list of at most {MOST_PICTURES} texts is needed")
    clean = tuple(dict.fromkeys(name.replace("\\", "/") for name in names))
    absent = next((name for name in clean if not is_plain(name) or output_file(name) is None), None)
    if absent is not None:
        raise BadRequest("picture_not_here", name=absent[:200])
    return clean


def is_plain(name: str) -> bool:
    """Whether it is a picture's own name below a folder: neither absolute nor by way of other folders."""
    parts = name.split("/")
    return not PurePath(name).is_absolute() and not {"", ".", ".."} & set(parts) and name.lower().endswith(IMAGES)


def forget(asked: Asked) -> dict[str, Any]:
    """Forget what was learned about a LoRA, a checkpoint, a style, or everything; what was made stays recorded."""
    asked.confirmed()
    what, name = one_of(asked.text("what"), ("lora", "checkpoint", "style", "all")), asked.text("name", "")
    if what != "all" and not name.strip():
        raise unreadable("name: text is needed")
    history().forget(what, name)
    return {"forgotten": what, "name": name}


def erase(asked: Asked) -> dict[str, Any]:
    """Erase everything recorded and learned. Pictures stay."""
    asked.confirmed()
    history().erase()
    return {"erased": True}


def export(asked: Asked) -> Raw:
    """Everything recorded, as JSON lines."""
    lines: list[str] = []
    history().export(lines.append)
    body = "\n".join(line.rstrip("\n") for line in lines)
    named = {"Content-Disposition": 'attachment; filename="feedback.jsonl"'}
    return Raw(f"{body}\n".encode() if body else b"", "application/x-ndjson", named)


# --------------------------------------------------------------------------- settings


def settings(asked: Asked) -> dict[str, Any]:
    """The settings of learning in force, the environment's included, and where its database lies."""
    options = asdict(history().options)
    options["database"] = without_password(options["database"])
    return {"options": options, "address": history().address, "notes": _notes(asked.language)}


def change_settings(asked: Asked) -> dict[str, Any]:
    """Keep changed settings. An address as it is shown, its password hidden, changes nothing."""
    changes = {name: value for name, value in asked.given.items() if name != LANGUAGE}
    if f":{HIDDEN}@" in str(changes.get("database", "")):
        if changes["database"] != without_password(history().options.database):
            raise unreadable(f"database: {HIDDEN}")
        del changes["database"]
    history().change_options(changes)
    return settings(asked)


def without_password(address: str) -> str:
    """A database's address with its password hidden."""
    scheme, marked, rest = address.partition("://")
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{scheme}{marked}{name}{colon}{HIDDEN if colon else ''}{at}{place}"


# --------------------------------------------------------------------------- shown


def brief(found: Recorded) -> dict[str, Any]:
    """A generation as JSON values, without its plan."""
    plan, rating = found.made.generation.plan, found.standing.rating
    return {
        "id": found.id,
        "at": found.at,
        "machine": found.machine,
        "prompt": plan.request.prompt,
        "family": plan.family,
        "model": plan.models.checkpoint or plan.models.diffusion_model or "",
        "loras": [{"name": choice.use.name, "strength": choice.use.strength_model} for choice in plan.loras],
        "seed": str(found.made.generation.seed or 0),  # beyond what JavaScript's numbers hold
        "session": found.made.session,
        "relation": found.made.relation.value,
        "batch": found.made.batch,
        "place": found.made.place,
        "seconds": found.seconds,
        "pictures": list(found.pictures),
        "rating": asdict(rating) if rating else None,
        "stars": rating.stars if rating else None,
        "actions": sorted(action.value for action in found.standing.actions),
    }


def _notes(language: str) -> list[dict[str, str]]:
    return [told_error(note.in_language(language)) for note in history().notes()]
