"""What is told, written down: each event in one transaction, with the sums it changes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from ..errors import BadRequest
from ..feedback import MOST_ID, Acted, Action, Event, Finished, Forgot, Made, Rated, Rating, Rules, Standing, Verdict
from ..values import refuse
from .plans import plan_text
from .tables import actions, events, feedback, generation_loras, generations, parameter_changes, resets, runs, sessions
from .tallying import Counted, bump, count, forget, hint, judge, read, value, written
from .upserting import upsert

IMPLICIT = {Action.KEPT, Action.REROLLED}
MOST_MACHINE = 255  # characters, as hosts' names
MOST_TOLD = 200  # characters of a changed value that are counted as one
MOST_WHOLE = 2**31 - 1
MOST_BIG = 2**63 - 1

# Made once: SQLAlchemy takes longer to put a statement together than SQLite to run it.
_SUMMED = ("seq", "session", "traits", "liked", "weight", "stars", "tick")
_KNOWN = select(events.c.seq).where(events.c.id == bindparam("event"))
_GENERATION = select(*(generations.c[name] for name in _SUMMED)).where(generations.c.id == bindparam("generation"))
_AGAIN = (
    update(generations)
    .where(generations.c.id == bindparam("same"))
    .values(times=generations.c.times + 1, last_at=bindparam("now"))
)
_WEIGHED = update(generations).where(generations.c.seq == bindparam("own"))
_STARS = (
    update(sessions)
    .where(sessions.c.id == bindparam("own"))
    .values(rated=sessions.c.rated + bindparam("more"), stars=sessions.c.stars + bindparam("change"))
)
_LATEST_RATING = select(feedback).where(feedback.c.generation == bindparam("own")).order_by(feedback.c.seq.desc()).limit(1)
_ACTIONS = select(actions.c.action, actions.c.undone).where(actions.c.generation == bindparam("own")).order_by(actions.c.seq)


def tell(connection: Connection, rules: Rules, event: Event) -> bool:
    """Write an event down; ``False`` when it was told before. Nothing is written where it raises ``BadRequest``: for a
    generation nobody told of, or what no database holds."""
    refuse(_faults(event))
    if connection.execute(_KNOWN, {"event": event.id}).first():
        return False
    fact = event.fact
    if isinstance(fact, Made):
        return _made(connection, rules, event, fact)
    if isinstance(fact, Forgot):
        _forgot(connection, event, fact)
        return True
    generation = _generation(connection, fact.generation_id)
    if isinstance(fact, Finished):
        _finished(connection, event, fact, generation)
    elif isinstance(fact, Rated):
        _rated(connection, rules, event, fact, generation)
    else:
        _acted(connection, rules, event, fact, generation)
    return True


def _faults(event: Event) -> Iterator[str]:
    fact = event.fact
    ids = {"id": event.id}
    if isinstance(fact, Made):
        ids |= {"generation": fact.generation.id, "session": fact.session, "lineage": fact.lineage}
        if not 0 <= fact.place <= MOST_WHOLE:
            yield f"place {fact.place}"
    for name, text in ids.items():
        if not 0 < len(text) <= MOST_ID:
            yield f"{name} {text[:20]!r} (1–{MOST_ID})"
    if len(event.machine) > MOST_MACHINE:
        yield f"machine {len(event.machine)} (≤ {MOST_MACHINE})"
    if not math.isfinite(event.at):
        yield f"at {event.at}"
    if isinstance(fact, Finished):
        if fact.seconds is not None and not 0 <= fact.seconds < math.inf:
            yield f"seconds {fact.seconds} (≥ 0)"
        if fact.peak_bytes is not None and not 0 <= fact.peak_bytes <= MOST_BIG:
            yield f"peak_bytes {fact.peak_bytes} (≥ 0)"


def _generation(connection: Connection, id: str) -> Row[Any]:
    if row := connection.execute(_GENERATION, {"generation": id}).first():
        return row
    raise BadRequest("generation_unknown", id=id[:MOST_ID])


def _note(connection: Connection, event: Event) -> int:
    row = {"id": event.id, "at": event.at, "machine": event.machine, "kind": event.fact.kind}
    key = connection.execute(insert(events), row).inserted_primary_key
    assert key is not None
    return int(key[0])


# --------------------------------------------------------------------------- made and finished


def _made(connection: Connection, rules: Rules, event: Event, made: Made) -> bool:
    if connection.execute(_AGAIN, {"same": made.generation.id, "now": event.at}).rowcount:
        return False
    seq = _note(connection, event)
    traits = list(rules.traits(made))
    verdict = rules.verdict(Standing())
    _join_session(connection, seq, event, made)
    tick = judge(connection, rules.half_life, traits, None, verdict)
    row = {**_row_of(made), "seq": seq, "at": event.at, "machine": event.machine, "traits": written(traits)}
    connection.execute(insert(generations), {**row, **_counted(verdict, tick)})
    _made_parts(connection, seq, made)
    hint(connection, rules.half_life, rules.hints(made))
    count(connection, ("generations", "", 1), *(("change", _change_name(made, n), 1) for n in range(len(made.changes))))
    return True


def _row_of(made: Made) -> dict[str, Any]:
    plan, settings = made.generation.plan, made.generation.plan.settings
    seed = made.generation.seed
    return {
        "id": made.generation.id,
        "session": made.session,
        "lineage": made.lineage,
        "parent": made.parent,
        "relation": made.relation.value,
        "batch": made.batch,
        "place": made.place,
        "family": plan.family,
        "style": plan.analysis.style,
        "content": plan.analysis.content,
        "prompt": plan.request.prompt,
        "checkpoint": plan.models.checkpoint or plan.models.diffusion_model or "",
        "seed": None if seed is None else str(seed)[:20],
        "steps": settings.steps,
        "cfg": settings.cfg,
        "width": settings.width,
        "height": settings.height,
        "sampler": settings.sampler,
        "scheduler": settings.scheduler,
        "estimated_bytes": min(plan.estimate.vram_bytes, MOST_BIG),
        "plan": plan_text(plan),
    }


def _made_parts(connection: Connection, seq: int, made: Made) -> None:
    loras = [
        {
            "generation": seq,
            "place": place,
            "name": choice.use.name,
            "strength_model": choice.use.strength_model,
            "strength_clip": choice.use.strength_clip,
        }
        for place, choice in enumerate(made.generation.plan.loras)
    ]
    changes = [{"generation": seq, "place": place, **vars(change)} for place, change in enumerate(made.changes)]
    if loras:
        connection.execute(insert(generation_loras), loras)
    if changes:
        connection.execute(insert(parameter_changes), changes)


def _change_name(made: Made, number: int) -> str:
    change = made.changes[number]
    told = (change.parameter, change.subject, change.proposed, change.used)
    return json.dumps([text[:MOST_TOLD] for text in told], ensure_ascii=False)


def _join_session(connection: Connection, seq: int, event: Event, made: Made) -> None:
    """Before the generation is written: it may be the first of its lineage in this session."""
    lineage = (generations.c.session == made.session) & (generations.c.lineage == made.lineage)
    known = connection.execute(select(generations.c.seq).where(lineage).limit(1)).first()
    held = connection.execute(select(sessions).where(sessions.c.id == made.session)).first()
    new = {
        "id": made.session,
        "latest": seq,
        "started": min(held.started, event.at) if held else event.at,
        "ended": max(held.ended, event.at) if held else event.at,
        "generations": (held.generations if held else 0) + 1,
        "lineages": (held.lineages if held else 0) + (known is None),
        "rated": held.rated if held else 0,
        "stars": held.stars if held else 0.0,
    }
    upsert(connection, sessions, [new])


def _finished(connection: Connection, event: Event, finished: Finished, generation: Row[Any]) -> None:
    connection.execute(
        insert(runs).values(
            seq=_note(connection, event),
            generation=generation.seq,
            machine=event.machine,
            workload=finished.workload,
            seconds=finished.seconds,
            peak_bytes=finished.peak_bytes,
            pictures=json.dumps(finished.pictures),
        )
    )
    mine = (sessions.c.id == generation.session) & (sessions.c.ended < event.at)
    connection.execute(update(sessions).where(mine).values(ended=event.at))


# --------------------------------------------------------------------------- rated and acted


def _rated(connection: Connection, rules: Rules, event: Event, rated: Rated, generation: Row[Any]) -> None:
    rating = rated.rating
    stars = {name: getattr(rating, name, None) for name in ("overall", "quality", "accuracy", "aesthetic")}
    said = {"comment": rating.comment if rating else "", "tags": json.dumps(rating.tags if rating else [])}
    row = {"seq": _note(connection, event), "generation": generation.seq, "taken_back": rating is None}
    connection.execute(insert(feedback), {**row, **stars, **said})
    _weigh(connection, rules, generation, Standing(rating, actions_of(connection, generation.seq)))
    bump(connection, "version")


def _acted(connection: Connection, rules: Rules, event: Event, acted: Acted, generation: Row[Any]) -> None:
    before = actions_of(connection, generation.seq)
    row = {"seq": _note(connection, event), "generation": generation.seq, "action": acted.action.value}
    connection.execute(insert(actions).values(**row, undone=acted.undone))
    after = before - {acted.action} if acted.undone else before | {acted.action}
    count(connection, ("action", acted.action.value, len(after) - len(before)))
    _weigh(connection, rules, generation, Standing(rating_of(connection, generation.seq), after))
    if acted.action not in IMPLICIT:
        bump(connection, "version")


def _weigh(connection: Connection, rules: Rules, generation: Row[Any], standing: Standing) -> None:
    """Count what the person now thinks of a generation instead of what they thought."""
    old = counted_of(generation)
    verdict = rules.verdict(standing)
    if verdict == (old.verdict if old else Verdict(verdict.liked, 0.0)):
        return
    tick = judge(connection, rules.half_life, read(generation.traits), old, verdict)
    connection.execute(_WEIGHED, {"own": generation.seq, **_counted(verdict, tick)})
    _count_stars(connection, generation.session, old.verdict.stars if old else None, verdict.stars)


def _count_stars(connection: Connection, session: str, old: float | None, new: float | None) -> None:
    if old == new:
        return
    rated = (new is not None) - (old is not None)
    stars = (new or 0.0) - (old or 0.0)
    gone = [("stars", str(round_stars(old)), -1)] if old is not None else []
    come = [("stars", str(round_stars(new)), 1)] if new is not None else []
    count(connection, ("rated", "", rated), ("stars_sum", "", stars), *gone, *come)
    connection.execute(_STARS, {"own": session, "more": rated, "change": stars})


def round_stars(stars: float) -> int:
    """Halves upwards: 3.5 is four stars."""
    return min(5, max(1, math.floor(stars + 0.5)))


def counted_of(row: Row[Any]) -> Counted | None:
    if row.tick is None:
        return None
    return Counted(Verdict(row.liked, row.weight, row.stars), row.tick)


def _counted(verdict: Verdict, tick: int | None) -> dict[str, Any]:
    if tick is None:
        return {"liked": None, "weight": None, "stars": None, "tick": None}
    return {"liked": verdict.liked, "weight": verdict.weight, "stars": verdict.stars, "tick": tick}


def rating_of(connection: Connection, seq: int) -> Rating | None:
    """The rating that counts: the latest, unless it was taken back."""
    row = connection.execute(_LATEST_RATING, {"own": seq}).first()
    return rating_in(row) if row else None


def rating_in(row: Row[Any]) -> Rating | None:
    if row.taken_back:
        return None
    parts = (row.overall, row.quality, row.accuracy, row.aesthetic)
    return Rating(*parts, comment=row.comment, tags=tuple(json.loads(row.tags)))


def actions_of(connection: Connection, seq: int) -> frozenset[Action]:
    """The actions that stand: done, and not undone since."""
    stand: set[Action] = set()
    for name, undone in connection.execute(_ACTIONS, {"own": seq}):
        (stand.discard if undone else stand.add)(Action(name))
    return frozenset(stand)


# --------------------------------------------------------------------------- forgot


def _forgot(connection: Connection, event: Event, forgot: Forgot) -> None:
    row = {"seq": _note(connection, event), "what": forgot.what, "name": forgot.name}
    connection.execute(insert(resets).values(**row, tick=value(connection, "tick")))
    forget(connection, forgot)
    bump(connection, "version")
