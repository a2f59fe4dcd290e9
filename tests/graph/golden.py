"""Rewrites the golden graphs: ``python tests/graph/golden.py``; review the diff before committing it."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    import conftest  # noqa: F401 - loads the package under the name the tests use
    from pack.tests.graph.cases import rewrite

    rewrite()
