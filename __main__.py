"""``python <this folder> COMMAND``: the command line from a plain checkout, whatever the folder is called."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

NAME = "intelligent_generation"


def load() -> None:
    """Make the checkout importable under the name an installed copy has."""
    root = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(NAME, root / "__init__.py", submodule_search_locations=[str(root)])
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    if NAME not in sys.modules:
        load()
    sys.exit(importlib.import_module(f"{NAME}.cli").main())
