"""The first lines of a program that uses the pack as the tests do, run in their folder."""

PREAMBLE = """
import importlib.util, sys
from pathlib import Path
root = Path.cwd().parents[1]
spec = importlib.util.spec_from_file_location("pack", root / "__init__.py", submodule_search_locations=[str(root)])
sys.modules["pack"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.path.insert(0, str(Path.cwd()))
"""
