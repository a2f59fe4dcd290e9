"""How often the same graph ran and when last; generations by time, for what is kept only so long."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "m002"
down_revision = "m001"


def upgrade(op: Operations) -> None:
    op.add_column("generations", sa.Column("times", sa.Integer, nullable=False, server_default="1"))
    op.add_column("generations", sa.Column("last_at", sa.Float(53)))
    op.create_index("generations_by_time", "generations", ["at"])
