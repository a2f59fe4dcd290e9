"""The tables of what was made and said. ``events`` gives everything told its place in one order (``seq``, that of
arrival) and makes telling twice harmless; the other tables hold an event's content under its ``seq``, or sums of it that
are kept up with each event, so that no question needs a scan."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, TypeDecorator

from ..values import clean


def storable(text: str) -> str:
    """Text any database can hold: PostgreSQL knows no NUL, and neither takes half a surrogate pair."""
    if text.isascii() and "\0" not in text:  # most are, and a rating checks hundreds
        return text
    return clean(text).replace("\0", "")


class Words(TypeDecorator[str]):
    """Text, made storable."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else storable(value)


Count = BigInteger().with_variant(Integer, "sqlite")  # only a plain INTEGER counts up by itself there
metadata = MetaData()

meta = Table("meta", metadata, Column("key", String(20), primary_key=True), Column("value", BigInteger, nullable=False))

events = Table(
    "events",
    metadata,
    Column("seq", Count, primary_key=True),
    Column("id", Words, nullable=False, unique=True),
    Column("at", Float(53), nullable=False),
    Column("machine", Words, nullable=False),
    Column("kind", String(10), nullable=False),
    sqlite_autoincrement=True,
)

generations = Table(
    "generations",
    metadata,
    Column("seq", Count, primary_key=True, autoincrement=False),
    Column("id", Words, nullable=False, unique=True),
    Column("at", Float(53), nullable=False),
    Column("machine", Words, nullable=False),
    Column("session", Words, nullable=False),
    Column("lineage", Words, nullable=False),
    Column("parent", Words, nullable=False),
    Column("relation", String(10), nullable=False),
    Column("batch", Words, nullable=False),
    Column("place", Integer, nullable=False),
    Column("family", Words, nullable=False),
    Column("style", Words, nullable=False),
    Column("content", Words, nullable=False),
    Column("prompt", Words, nullable=False),
    Column("checkpoint", Words, nullable=False),
    Column("seed", String(20)),  # unsigned 64 bits: more than either database's integers hold
    Column("steps", Integer, nullable=False),
    Column("cfg", Float(53), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("sampler", Words, nullable=False),
    Column("scheduler", Words, nullable=False),
    Column("estimated_bytes", BigInteger, nullable=False),
    Column("traits", Words, nullable=False),
    # The verdict as it was counted, with the tick it was counted at; NULL = none was.
    Column("liked", Float(53)),
    Column("weight", Float(53)),
    Column("stars", Float(53)),
    Column("tick", BigInteger),
    Column("plan", Words, nullable=False),
    # The same graph may run again: how often it did, and when last.
    Column("times", Integer, nullable=False, server_default="1"),
    Column("last_at", Float(53)),
    Index("generations_by_session", "session", "lineage"),
    Index("generations_by_machine", "machine", "seq"),
    Index("generations_by_time", "at"),
)

generation_loras = Table(
    "generation_loras",
    metadata,
    Column("generation", Count, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("name", Words, nullable=False),
    Column("strength_model", Float(53), nullable=False),
    Column("strength_clip", Float(53), nullable=False),
)

parameter_changes = Table(
    "parameter_changes",
    metadata,
    Column("generation", Count, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("parameter", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("proposed", Words, nullable=False),
    Column("used", Words, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("seq", Count, primary_key=True, autoincrement=False),
    Column("generation", Count, nullable=False),
    Column("machine", Words, nullable=False),
    Column("workload", Words, nullable=False),
    Column("seconds", Float(53)),
    Column("peak_bytes", BigInteger),
    Column("pictures", Words, nullable=False),
    Index("runs_by_generation", "generation"),
    Index("runs_by_machine", "machine", "seq"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("seq", Count, primary_key=True, autoincrement=False),
    Column("generation", Count, nullable=False),
    Column("taken_back", Boolean, nullable=False),
    Column("overall", Integer),
    Column("quality", Integer),
    Column("accuracy", Integer),
    Column("aesthetic", Integer),
    Column("comment", Words, nullable=False),
    Column("tags", Words, nullable=False),
    Index("feedback_by_generation", "generation"),
)

actions = Table(
    "actions",
    metadata,
    Column("seq", Count, primary_key=True, autoincrement=False),
    Column("generation", Count, nullable=False),
    Column("action", String(20), nullable=False),
    Column("undone", Boolean, nullable=False),
    Index("actions_by_generation", "generation"),
)

resets = Table(
    "resets",
    metadata,
    Column("seq", Count, primary_key=True, autoincrement=False),
    Column("what", String(20), nullable=False),
    Column("name", Words, nullable=False),
    Column("tick", BigInteger, nullable=False),
    Index("resets_by_tick", "tick"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Words, primary_key=True),
    Column("latest", Count, nullable=False),
    Column("started", Float(53), nullable=False),
    Column("ended", Float(53), nullable=False),
    Column("generations", Integer, nullable=False),
    Column("lineages", Integer, nullable=False),
    Column("rated", Integer, nullable=False),
    Column("stars", Float(53), nullable=False),
    Index("sessions_by_latest", "latest"),
)

tallies = Table(
    "tallies",
    metadata,
    Column("context", Words, primary_key=True),
    Column("kind", Words, primary_key=True),
    Column("family", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("liked", Float(53), nullable=False),
    Column("disliked", Float(53), nullable=False),
    Column("value", Float(53), nullable=False),
    Column("rated", Integer, nullable=False),
    Column("stars", Float(53), nullable=False),
    Column("tick", BigInteger, nullable=False),
    Column("fades", Float(53), nullable=False),  # the tick at which too little is left to matter
    Index("tallies_by_fading", "context", "fades"),
    sqlite_with_rowid=False,
)

counters = Table(
    "counters",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("name", Words, primary_key=True),
    Column("count", Float(53), nullable=False),
    Index("counters_by_count", "kind", "count"),
)

batches = Table(
    "batches",
    metadata,
    Column("seq", Count, primary_key=True),
    Column("id", Words, nullable=False, unique=True),
    Column("at", Float(53), nullable=False),
    Column("prompt", Words, nullable=False),
    Column("strategy", String(20), nullable=False),
    Column("seconds", Float(53)),
    Column("winner", Integer),
    Column("reasons", Words, nullable=False, server_default="[]"),
)

batch_items = Table(
    "batch_items",
    metadata,
    Column("batch", Words, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("variation", Words, nullable=False),
    Column("state", String(10), nullable=False),
    Column("generation", Words, nullable=False),
    Column("pictures", Words, nullable=False),
    Column("machine", Words, nullable=False),
    Column("error", Words, nullable=False),
)
