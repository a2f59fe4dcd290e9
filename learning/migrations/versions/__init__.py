"""One module a step, named after what it brings; alembic finds them here."""
