"""Why a batch has the pictures it has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "m003"
down_revision = "m002"


def upgrade(op: Operations) -> None:
    op.add_column("batches", sa.Column("reasons", sa.Text, nullable=False, server_default="[]"))
