"""Find or fetch ComfyUI and an environment that can run it, then run one of the pack's commands in it.

Standard library only: this is what runs before anything is installed. Nothing is ever written into a ComfyUI
that was here before, nor into its environment; downloads land in one cache folder that all checkouts share.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intelligent-generation"
RELEASE = "v0.33.0"  # the newest ComfyUI that the tests run on
REPOSITORY = "https://github.com/Comfy-Org/ComfyUI"
BINARIES = "Scripts" if os.name == "nt" else "bin"


def main() -> int:
    command = sys.argv[1:] or ["test"]
    needs_comfyui = command[0] == "run" or "pytest" in command
    comfyui = find_comfyui() or (fetch_comfyui() if needs_comfyui else None)
    python = environment(comfyui)
    if comfyui:
        os.environ["COMFYUI_PATH"] = str(comfyui)
    if command[0] == "python":
        return subprocess.call([str(python), *command[1:]], cwd=ROOT)
    return subprocess.call([str(python), str(ROOT), *command])


def find_comfyui() -> Path | None:
    """``COMFYUI_PATH``, the ComfyUI around this checkout, or the official command line's default place."""
    named = os.environ.get("COMFYUI_PATH")
    if named and not is_comfyui(Path(named)):
        sys.exit(f"COMFYUI_PATH is {named}, but there is no ComfyUI. Point it at the folder that holds ComfyUI's main.py.")
    places = [Path(named)] if named else [*ROOT.parents[1:2], Path.home() / "comfy" / "ComfyUI", CACHE / f"ComfyUI-{RELEASE}"]
    return next((place for place in places if is_comfyui(place)), None)


def is_comfyui(place: Path) -> bool:
    return (place / "main.py").is_file() and (place / "comfy").is_dir()


def fetch_comfyui() -> Path | None:
    """Clone the pinned release; ``None``, said loudly, where that cannot be had."""
    place = CACHE / f"ComfyUI-{RELEASE}"
    print(f"No ComfyUI found. Fetching {RELEASE} from {REPOSITORY} …", flush=True)
    partial = place.with_name(place.name + ".part")
    clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", RELEASE, REPOSITORY, str(partial)]
    try:
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run(clone, check=True, timeout=900, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"})
        partial.rename(place)
    except (OSError, subprocess.SubprocessError) as fault:
        print(f"ComfyUI could not be fetched: {fault}")
        print(f"Clone {REPOSITORY} yourself and set COMFYUI_PATH to it. Going on without ComfyUI.", flush=True)
        return None
    return place


def environment(comfyui: Path | None) -> Path:
    """The Python to use: an own virtual environment, which borrows the packages of ComfyUI's environment
    where there is one (its GPU build of torch above all) and adds only what is missing."""
    lender = host_python(comfyui)
    wanted = [ROOT / "requirements.txt", ROOT / "requirements-test.txt"]
    if comfyui and not lender:
        wanted.insert(0, comfyui / "requirements.txt")
    stamp = hashlib.sha256(f"{lender} {sys.version_info[:2]}".encode())
    for path in wanted:
        stamp.update(path.read_bytes())
    place = CACHE / f"venv-{stamp.hexdigest()[:12]}"
    python = place / BINARIES / ("python.exe" if os.name == "nt" else "python")
    if not (place / "complete").exists():
        print(f"Setting up the environment in {place} (once) …", flush=True)
        create(place, lender)
        install(python, wanted, with_torch=comfyui is not None)
        (place / "complete").touch()
    return python


def host_python(comfyui: Path | None) -> Path | None:
    """ComfyUI's own Python: ``COMFYUI_PYTHON``, a virtual environment inside it, or the portable build's."""
    if named := os.environ.get("COMFYUI_PYTHON"):
        return Path(named)
    if not comfyui:
        return None
    inside = [comfyui / name / BINARIES / "python" for name in (".venv", "venv")]
    portable = [comfyui.parent / "python_embeded" / "python.exe"]
    return next((python for python in inside + portable if python.exists()), None)


def create(place: Path, lender: Path | None) -> None:
    if not lender:
        venv.create(place, with_pip=True, clear=True)
        return
    subprocess.run([str(lender), "-m", "venv", "--clear", str(place)], check=True)
    where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    borrowed, own = (
        subprocess.run([str(python), "-c", where], check=True, capture_output=True, text=True).stdout.strip()
        for python in (lender, place / BINARIES / "python")
    )
    (Path(own) / "borrowed.pth").write_text(borrowed + "\n", encoding="utf-8")


def install(python: Path, wanted: list[Path], with_torch: bool) -> None:
    lines = [line for path in wanted for line in path.read_text(encoding="utf-8").splitlines()]
    if not with_torch:  # sentence-transformers would bring torch, 6 GB, for a ranking that works without
        lines = [line for line in lines if not line.startswith("sentence-transformers")]
    listed = CACHE / f"requirements-{os.getpid()}.txt"
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(listed)]
    try:
        subprocess.run(pip, check=True)
    except subprocess.CalledProcessError:
        sys.exit(
            "The packages above could not be installed. Check the connection and the disk, then run the same command again."
        )
    finally:
        listed.unlink()


if __name__ == "__main__":
    sys.exit(main())
