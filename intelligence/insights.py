"""What was learned of a person and what they did, as rows of numbers, each with its evidence. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ..data import table
from ..errors import BadRequest
from ..feedback import Action, Overview, Session, Tally
from .arms import NUMBERS, USUAL, USUAL_NAME, factor_of
from .evidence import ANY, SETTINGS
from .insight_tables import Row, Rows, Table, markdown, nothing, tables_of

__all__ = ["ABOUT", "Insights", "insights_of", "interval", "rows_of"]

TOPICS = {
    "loras": ("loras", "strengths", "pairs"),
    "styles": ("styles", "checkpoints"),
    "settings": ("settings", "directions", "changes"),
    "sessions": ("ratings", "actions", "sessions"),
    "time": ("time",),
}
ABOUT = ("all", *TOPICS)
# The order of reading: what one did, what one likes, how one works, what it took.
ORDER = ("ratings", "styles", "checkpoints", "loras", "strengths", "pairs", "settings", "directions", "changes")
LATER = ("actions", "sessions", "time")
Z_90 = 1.6449  # normal quantile: 90 % lie within


@dataclass(frozen=True)
class Insights:
    """``rows`` by table, in plain numbers (shares 0–1, seconds, bytes, seconds since the epoch); ``tables`` are the same
    in the person's language; ``markdown`` is all of it as text."""

    markdown: str
    rows: dict[str, list[dict[str, Any]]]
    tables: tuple[Table, ...] = ()


def insights_of(overview: Overview, tallies: Sequence[Tally], about: str = "all", language: str = "en") -> Insights:
    """What is known about ``about`` (one of ``ABOUT``); where nothing is, a sentence says what to do. Raises
    ``BadRequest`` for another topic."""
    if about not in ABOUT:
        raise BadRequest("not_a_choice", value=about[:40], choices=", ".join(ABOUT))
    wanted = (*ORDER, *LATER) if about == "all" else TOPICS[about]
    known = rows_of(overview, tallies)
    rows = {name: known[name] for name in wanted if known[name]}
    tables = tuple(tables_of(rows, language))
    text = markdown(overview, tables, language) if tables else nothing(overview, language)
    return Insights(text, rows, tables)


def rows_of(overview: Overview, tallies: Sequence[Tally]) -> Rows:
    """All tables; those of which nothing is known are empty."""
    evidence = [tally for tally in tallies if tally.weight > 0]
    return {
        "ratings": _ratings(overview),
        "styles": _styles(evidence),
        "checkpoints": _things("checkpoint", evidence),
        "loras": _things("lora", evidence),
        "strengths": _strengths(evidence),
        "pairs": _pairs(evidence),
        "settings": _settings(evidence),
        "directions": _directions(overview),
        "changes": [_change(*change) for change in overview.changes],
        "actions": _actions(overview),
        "sessions": [_session(each) for each in overview.sessions],
        "time": _time(overview),
    }


# --------------------------------------------------------------------------- how surely something is liked


def interval(liked: float, weight: float) -> tuple[float, float]:
    """Where the share of liking lies with 90 % certainty: Wilson (1927), which holds for few verdicts too."""
    share, square = liked / weight, Z_90**2
    centre = (share + square / (2 * weight)) / (1 + square / weight)
    half = Z_90 * math.sqrt(max(0.0, share * (1 - share)) / weight + square / (4 * weight**2)) / (1 + square / weight)
    return max(0.0, centre - half), min(1.0, centre + half)


def _proof(tallies: Sequence[Tally]) -> Row:
    """How much something was liked, and on what evidence: ``weight`` counts verdicts, older ones less, ``ratings`` the
    stars given."""
    liked, weight = sum(tally.liked for tally in tallies), sum(tally.weight for tally in tallies)
    low, high = interval(liked, weight)
    rated = sum(tally.rated for tally in tallies)
    stars = sum(tally.stars * tally.rated for tally in tallies if tally.stars is not None)
    return {
        "liked": round(liked / weight, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "weight": round(weight, 2),
        "ratings": rated,
        "stars": round(stars / rated, 2) if rated else None,
    }


def _surest(row: Row) -> Any:
    """What is surely liked comes first."""
    return -row["low"], -row["weight"]


def _grouped(tallies: Iterable[Tally], key: Callable[[Tally], Any]) -> dict[Any, list[Tally]]:
    found: dict[Any, list[Tally]] = defaultdict(list)
    for tally in tallies:
        found[key(tally)].append(tally)
    return found


def _style(tally: Tally) -> str:
    return tally.context.removeprefix("style:") if tally.context.startswith("style:") else ""


# --------------------------------------------------------------------------- what is liked


def _styles(tallies: Sequence[Tally]) -> list[Row]:
    """Every picture has one checkpoint, so the checkpoints' evidence in a style is that about its pictures."""
    models = _grouped((tally for tally in tallies if tally.kind == "checkpoint" and _style(tally)), _style)
    loras = _grouped((tally for tally in tallies if tally.kind == "lora" and _style(tally)), _style)
    rows = [
        {"style": style, **_proof(held), "checkpoint": _best(held), "lora": _best(loras.get(style, []))}
        for style, held in models.items()
    ]
    return sorted(rows, key=_surest)


def _best(tallies: Sequence[Tally]) -> str:
    """The one most surely liked; none where none is liked more often than not."""
    liked = [tally for tally in tallies if tally.liked > tally.disliked]
    return max(liked, key=lambda tally: interval(tally.liked, tally.weight)[0]).name if liked else ""


def _things(kind: str, tallies: Sequence[Tally]) -> list[Row]:
    rows = []
    for tally in tallies:
        if tally.kind == kind and tally.context == ANY:
            strength = {"strength": round(tally.value, 3) if tally.liked > 0 else None} if kind == "lora" else {}
            rows.append({"name": tally.name, "family": tally.family, **_proof([tally]), **strength})
    return sorted(rows, key=_surest)


def _strengths(tallies: Sequence[Tally]) -> list[Row]:
    """The strength a LoRA was liked at, by style, where so much evidence says so that plans follow it."""
    least = table("learning")["act"]["strength_weight"]
    told = [tally for tally in tallies if tally.kind == "lora" and _style(tally) and tally.liked >= least]
    rows = [
        {
            "name": tally.name,
            "family": tally.family,
            "style": _style(tally),
            "strength": round(tally.value, 3),
            **_proof([tally]),
        }
        for tally in told
    ]
    return sorted(rows, key=lambda row: (row["name"], -row["weight"]))


def _pairs(tallies: Sequence[Tally]) -> list[Row]:
    """LoRAs that did clearly worse together than either did at all."""
    anywhere = [tally for tally in tallies if tally.context == ANY]
    alone = {(tally.name, tally.family): tally.liked / tally.weight for tally in anywhere if tally.kind == "lora"}
    act, rows = table("learning")["act"], []
    for tally in (tally for tally in anywhere if tally.kind == "pair" and tally.weight >= act["pair_ratings"]):
        one, _, two = tally.name.partition("|")
        parts = min(alone.get((name, tally.family), 0.0) for name in (one, two))
        if tally.liked / tally.weight < parts - act["pair_worse"]:
            rows.append({"one": one, "two": two, "family": tally.family, "apart": round(parts, 4), **_proof([tally])})
    return sorted(rows, key=lambda row: (row["liked"], -row["weight"]))


# --------------------------------------------------------------------------- settings


def _settings(tallies: Sequence[Tally]) -> list[Row]:
    told = [tally for tally in tallies if tally.kind in SETTINGS and tally.context == ANY]
    rows = [
        {"setting": tally.kind, "family": tally.family, "arm": tally.name, "factor": _factor(tally), **_proof([tally])}
        for tally in told
    ]
    return sorted(rows, key=lambda row: (row["family"], SETTINGS.index(row["setting"]), row["factor"] or 0.0, row["arm"]))


def _factor(tally: Tally) -> float | None:
    """What the arm multiplies the usual number by; ``None`` where it is a name."""
    if tally.name in (USUAL, USUAL_NAME):
        return 1.0
    if tally.kind not in NUMBERS or not tally.name.removeprefix("-").isdigit():
        return None
    return round(factor_of(tally.kind, int(tally.name)), 3)


def _change(parameter: str, subject: str, proposed: str, used: str, times: int) -> Row:
    return {
        "parameter": parameter,
        "subject": subject,
        "proposed": proposed,
        "used": used,
        "direction": _direction(parameter, proposed, used),
        "times": times,
    }


def _direction(parameter: str, proposed: str, used: str) -> str:
    if parameter == "lora":
        return "up" if used else "down"
    before, after = _amount(proposed), _amount(used)
    if before is None or after is None:
        return "other"
    return "up" if after > before else "down" if after < before else "other"


def _amount(text: str) -> float | None:
    """A number, or the pixels of a size."""
    try:
        return math.prod(float(part) for part in text.replace("×", "x").split("x"))
    except ValueError:
        return None


def _directions(overview: Overview) -> list[Row]:
    """How often each parameter was raised (a LoRA: added), lowered (left out) or exchanged."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for parameter, _, proposed, used, times in overview.changes:
        counts[parameter][_direction(parameter, proposed, used)] += times
    rows = [
        {"parameter": parameter, **{way: count[way] for way in ("up", "down", "other")}, "times": count.total()}
        for parameter, count in counts.items()
    ]
    return sorted(rows, key=lambda row: (-row["times"], row["parameter"]))


# --------------------------------------------------------------------------- what was done, and what it took


def _ratings(overview: Overview) -> list[Row]:
    if not any(overview.stars_given):
        return []
    return [{"stars": stars, "times": times} for stars, times in enumerate(overview.stars_given, 1)]


def _actions(overview: Overview) -> list[Row]:
    given = ((action.value, overview.actions.get(action.value, 0)) for action in Action)
    return [{"action": action, "times": times} for action, times in given if times > 0]


def _session(session: Session) -> Row:
    """``again`` counts re-rolls and edits: the pictures after the first of each prompt."""
    return {
        "id": session.id,
        "started": session.started,
        "minutes": round(max(0.0, session.ended - session.started) / 60, 1),
        "pictures": session.generations,
        "prompts": session.lineages,
        "again": max(0, session.generations - session.lineages),
        "ratings": session.rated,
        "stars": None if session.stars is None else round(session.stars, 2),
    }


def _time(overview: Overview) -> list[Row]:
    return sorted(_times(overview), key=lambda row: (-row["runs"], row["family"]))


def _times(overview: Overview) -> Iterator[Row]:
    for family in {run[0] for run in overview.runs}:
        seconds = [run[1] for run in overview.runs if run[0] == family]
        peaks = [peak for name, _, peak in overview.runs if name == family and peak is not None]
        yield {
            "family": family,
            "runs": len(seconds),
            "seconds": round(median(seconds), 3),
            "fastest": round(min(seconds), 3),
            "slowest": round(max(seconds), 3),
            "peak_bytes": max(peaks) if peaks else None,
            "peaks": len(peaks),
        }
