"""What was made and said, and the sums of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "m001"
down_revision = None

SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade(op: Operations) -> None:
    _make_events(op)
    _make_generations(op)
    _make_sayings(op)
    _make_sums(op)
    _make_batches(op)
    op.execute("INSERT INTO meta (key, value) VALUES ('tick', 0), ('version', 0)")


def _own(name: str = "seq") -> sa.Column[int]:
    return sa.Column(name, SEQ, primary_key=True, autoincrement=False)


def _text(name: str, **more: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **more)  # type: ignore[arg-type]


def _short(name: str, length: int, **more: object) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, **more)  # type: ignore[arg-type]


def _whole(name: str, **more: object) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, **more)  # type: ignore[arg-type]


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, SEQ, nullable=False)


def _number(name: str, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float(53), nullable=nullable)


def _make_events(op: Operations) -> None:
    op.create_table("meta", _short("key", 20, primary_key=True), sa.Column("value", sa.BigInteger, nullable=False))
    op.create_table(
        "events",
        sa.Column("seq", SEQ, primary_key=True),
        _text("id", unique=True),
        _number("at"),
        _text("machine"),
        _short("kind", 10),
        sqlite_autoincrement=True,
    )


def _make_generations(op: Operations) -> None:
    texts = ("family", "style", "content", "prompt", "checkpoint", "sampler", "scheduler", "traits")
    op.create_table(
        "generations",
        _own(),
        _text("id", unique=True),
        _number("at"),
        *(_text(name) for name in ("machine", "session", "lineage", "parent")),
        _short("relation", 10),
        _text("batch"),
        _whole("place"),
        *(_text(name) for name in texts),
        sa.Column("seed", sa.String(20)),
        *(_whole(name) for name in ("steps", "width", "height")),
        _number("cfg"),
        sa.Column("estimated_bytes", sa.BigInteger, nullable=False),
        *(_number(name, nullable=True) for name in ("liked", "weight", "stars")),
        sa.Column("tick", sa.BigInteger),
        _text("plan"),  # last: the others are read without passing over it
    )
    op.create_index("generations_by_session", "generations", ["session", "lineage"])
    op.create_index("generations_by_machine", "generations", ["machine", "seq"])
    op.create_table(
        "generation_loras",
        _own("generation"),
        _whole("place", primary_key=True, autoincrement=False),
        _text("name"),
        _number("strength_model"),
        _number("strength_clip"),
    )
    op.create_table(
        "parameter_changes",
        _own("generation"),
        _whole("place", primary_key=True, autoincrement=False),
        *(_text(name) for name in ("parameter", "subject", "proposed", "used")),
    )


def _make_sayings(op: Operations) -> None:
    op.create_table(
        "runs",
        _own(),
        _big("generation"),
        _text("machine"),
        _text("workload"),
        _number("seconds", nullable=True),
        sa.Column("peak_bytes", sa.BigInteger),
        _text("pictures"),
    )
    op.create_index("runs_by_generation", "runs", ["generation"])
    op.create_index("runs_by_machine", "runs", ["machine", "seq"])
    stars = (sa.Column(name, sa.Integer) for name in ("overall", "quality", "accuracy", "aesthetic"))
    taken_back = sa.Column("taken_back", sa.Boolean, nullable=False)
    op.create_table("feedback", _own(), _big("generation"), taken_back, *stars, _text("comment"), _text("tags"))
    op.create_index("feedback_by_generation", "feedback", ["generation"])
    undone = sa.Column("undone", sa.Boolean, nullable=False)
    op.create_table("actions", _own(), _big("generation"), _short("action", 20), undone)
    op.create_index("actions_by_generation", "actions", ["generation"])
    tick = sa.Column("tick", sa.BigInteger, nullable=False)
    op.create_table("resets", _own(), _short("what", 20), _text("name"), tick)
    op.create_index("resets_by_tick", "resets", ["tick"])


def _make_sums(op: Operations) -> None:
    op.create_table(
        "sessions",
        _text("id", primary_key=True),
        _big("latest"),
        _number("started"),
        _number("ended"),
        *(_whole(name) for name in ("generations", "lineages", "rated")),
        _number("stars"),
    )
    op.create_index("sessions_by_latest", "sessions", ["latest"])
    op.create_table(
        "tallies",
        *(_text(name, primary_key=True) for name in ("context", "kind", "family", "name")),
        *(_number(name) for name in ("liked", "disliked", "value")),
        _whole("rated"),
        _number("stars"),
        sa.Column("tick", sa.BigInteger, nullable=False),
        _number("fades"),
        sqlite_with_rowid=False,
    )
    op.create_index("tallies_by_fading", "tallies", ["context", "fades"])
    op.create_table("counters", _short("kind", 20, primary_key=True), _text("name", primary_key=True), _number("count"))
    op.create_index("counters_by_count", "counters", ["kind", "count"])


def _make_batches(op: Operations) -> None:
    op.create_table(
        "batches",
        sa.Column("seq", SEQ, primary_key=True),
        _text("id", unique=True),
        _number("at"),
        _text("prompt"),
        _short("strategy", 20),
        _number("seconds", nullable=True),
        sa.Column("winner", sa.Integer),
    )
    op.create_table(
        "batch_items",
        _text("batch", primary_key=True),
        _whole("place", primary_key=True, autoincrement=False),
        _text("variation"),
        _short("state", 10),
        *(_text(name) for name in ("generation", "pictures", "machine", "error")),
    )
