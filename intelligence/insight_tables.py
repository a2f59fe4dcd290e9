"""Rows of insights as tables in a person's language, and as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data import table
from ..data.families import families
from ..errors import LANGUAGES, sentence
from ..feedback import Overview
from ..plan import GIB
from .named import stem

Row = dict[str, Any]
Rows = dict[str, list[Row]]

MOST_ROWS = 25  # of a table that people read; the rows themselves are complete
LONGEST_NAME = 40  # letters
PROOF = ("liked", "stars", "ratings", "weight")
COLUMNS = {
    "ratings": ("stars", "times"),
    "styles": ("style", *PROOF, "checkpoint", "lora"),
    "checkpoints": ("name", "family", *PROOF),
    "loras": ("name", "family", *PROOF, "strength"),
    "strengths": ("name", "style", "strength", "ratings", "weight"),
    "pairs": ("pair", "liked", "apart", "stars", "ratings", "weight"),
    "settings": ("setting", "family", "value", *PROOF),
    "directions": ("parameter", "down", "up", "other", "times"),
    "changes": ("parameter", "subject", "proposed", "used", "direction", "times"),
    "actions": ("action", "times"),
    "sessions": ("started", "minutes", "prompts", "pictures", "again", "ratings", "stars", "id"),
    "time": ("family", "runs", "seconds", "range", "memory"),
}


@dataclass(frozen=True)
class Table:
    """A table as people read it; ``more`` counts the rows that were left out, ``note`` says what it means."""

    name: str
    title: str
    note: str
    head: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    more: int = 0


def tables_of(rows: Mapping[str, Sequence[Row]], language: str) -> Iterator[Table]:
    """The tables of these rows, in their order."""
    for name, held in rows.items():
        shown = held[:MOST_ROWS]
        names = short_names(shown)
        cells = tuple(tuple(_cell(column, row, names, language) for column in COLUMNS[name]) for row in shown)
        head = tuple(say(f"head.{column}", language) for column in COLUMNS[name])
        note = say(f"note.{name}", language)
        yield Table(name, say(f"title.{name}", language), note, head, cells, len(held) - len(shown))


def markdown(overview: Overview, tables: Sequence[Table], language: str) -> str:
    """A line that sums up, then each table under its title."""
    blocks = [summary(overview, language)]
    for each in tables:
        lines = [_line(each.head), _line(["---"] * len(each.head)), *(_line(map(plain, row)) for row in each.cells)]
        notes = [each.note, *([more(each, language)] if each.more else [])]
        blocks += [f"## {each.title}", "\n".join(lines), " ".join(filter(None, notes))]
    return "\n\n".join(filter(None, blocks)) + "\n"


def summary(overview: Overview, language: str) -> str:
    """How many pictures and ratings there are, in a sentence."""
    if not overview.generations:
        return ""
    if not overview.rated or overview.stars is None:
        return say("unrated", language, generations=overview.generations)
    return say("rated", language, generations=overview.generations, rated=overview.rated, stars=f"{overview.stars:.1f}")


def more(shown: Table, language: str) -> str:
    return say("more", language, count=shown.more)


def nothing(overview: Overview, language: str) -> str:
    """What to do where nothing is known yet."""
    return " ".join(filter(None, (summary(overview, language), say("nothing", language))))


def say(key: str, language: str, **values: object) -> str:
    return sentence("insights", key, language, values)


def plain(text: str) -> str:
    """One line without what Markdown would read as its own."""
    line = " ".join(text.split())
    return line.translate({ord(mark): f"\\{mark}" for mark in "\\|`*_[]<>#"})


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


# --------------------------------------------------------------------------- cells


def short_names(rows: Sequence[Row]) -> dict[str, str]:
    """Files by the short name they go by here: without folder and ending, where no other goes by the same."""
    full = {str(row[key]) for row in rows for key in ("name", "one", "two", "checkpoint", "lora", "subject") if row.get(key)}
    many = Counter(stem(name) for name in full)
    return {name: cut(stem(name) if many[stem(name)] == 1 else name) for name in full}


def cut(text: str, most: int = LONGEST_NAME) -> str:
    """At most ``most`` letters, without the middle: the end of a name often tells versions apart."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - 1 - end]}…{text[-end:]}"


def style_label(style: str, language: str) -> str:
    row = table("styles").get(style)
    return str(row["label"][language if language in LANGUAGES else "en"]) if row else style


def family_label(family: str) -> str:
    return families()[family].label if family in families() else family


def setting_label(setting: str, language: str) -> str:
    known = ("steps", "cfg", "guidance", "sampler", "scheduler", "size", "lora", "strength")
    return say(f"setting.{setting}", language) if setting in known else setting


def _cell(column: str, row: Row, names: Mapping[str, str], language: str) -> str:
    """A row's value in the words of a column."""
    if column == "pair":
        return f"{names[row['one']]} + {names[row['two']]}"
    if column in ("value", "range", "memory"):
        return _made_up(column, row, language)
    value = row[column].replace("x", "×") if row.get("parameter") == "size" and column in ("proposed", "used") else row[column]
    if value is None or value == "":
        return "–"
    if column in _WORDS:
        return _WORDS[column](value, language)
    if column == "liked":
        return f"{value:.0%} ({row['low']:.0%}–{row['high']:.0%})"
    if column == "stars":
        return f"{value} ★" if "liked" not in row and "id" not in row else f"{value:.1f}"
    return names.get(value, cut(str(value))) if isinstance(value, str) else _NUMBERS.get(column, "{:g}").format(value)


_NUMBERS = {"apart": "{:.0%}", "weight": "{:.1f}", "strength": "{:.2f}", "seconds": "{:.1f} s", "minutes": "{:.0f}"}
_WORDS: dict[str, Callable[[Any, str], str]] = {
    "style": style_label,
    "family": lambda family, language: family_label(family),
    "setting": setting_label,
    "parameter": setting_label,
    "action": lambda action, language: say(f"action.{action}", language),
    "direction": lambda direction, language: say(f"direction.{direction}", language),
    "started": lambda at, language: moment(at),
    "id": lambda id, language: str(id),
}


def _made_up(column: str, row: Row, language: str) -> str:
    if column == "range":
        return f"{row['fastest']:.1f}–{row['slowest']:.1f} s"
    if column == "memory":
        return "–" if row["peak_bytes"] is None else f"{row['peak_bytes'] / GIB:.1f} GiB ({row['peaks']})"
    return arm_label(row, language)


def arm_label(row: Row, language: str) -> str:
    """The value a setting had: as usual, so much more or less than usual, or a name."""
    if row["factor"] == 1.0:
        return say("arm.usual", language)
    if row["factor"] is None:
        return str(row["arm"]).replace("x", "×") if row["setting"] == "size" else str(row["arm"])
    away = row["factor"] - 1
    return say("arm.more" if away > 0 else "arm.less", language, percent=f"{abs(away):.0%}")


def moment(at: float) -> str:
    """Seconds since the epoch as the time on this machine's wall; "?" where a wrong clock told no time at all."""
    from datetime import datetime

    try:
        return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return "?"
