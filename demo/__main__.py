"""``python -m <package>.demo FOLDER [--all]``: writes the toy models into a models folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from .write import write_demo, write_models


def main() -> None:
    """Writes, and says what."""
    parser = argparse.ArgumentParser(prog="demo", description="Write toy models in real formats.")
    parser.add_argument("folder", type=Path, help="a ComfyUI models folder")
    parser.add_argument("--all", action="store_true", help="every family and format, not only the demonstration")
    wanted = parser.parse_args()
    for path in write_models(wanted.folder) if wanted.all else write_demo(wanted.folder):
        print(path)


if __name__ == "__main__":
    main()
