"""Brings a database to the schema this pack knows: forward only, all or nothing. alembic without its ``env.py`` and
without its ``op`` proxy, which is one for the whole process and may be in use by ComfyUI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from ..errors import UserError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

STEPS = Path(__file__).parent / "migrations"
VERSION_TABLE = "intelligent_generation_schema"


def upgrade(connection: Connection, shown: str, to: str = "head") -> None:
    """Every step up to ``to``, inside the connection's transaction. Raises ``UserError`` for a schema that a newer pack
    made; ``shown`` names the database to the person."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    steps = _steps()

    def missing(held: Any, _context: Any) -> Any:
        return steps._upgrade_revs(to, held)

    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "fn": missing})
    known = {step.revision for step in steps.walk_revisions()}
    if not known.issuperset(context.get_current_heads()):
        raise UserError("learning_newer", where=shown)
    context.run_migrations(op=Operations(context))


def revisions() -> list[str]:
    """All schemas there were, oldest first."""
    return [step.revision for step in _steps().walk_revisions()][::-1]


def _steps() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(STEPS))
