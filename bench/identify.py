"""How fast files are summed and recognised.

    python bench/identify.py [--quick] [--megabytes 1024] [--files 10000] [--rounds 7]

Sums large files (in the page cache) with the registry's own pass and with ``hashlib.file_digest``, one file at a time on
one core and two at once on two, in turns, so that both meet the same machine; BLAKE3 beside them. Then recognises a
library with a hub in memory that knows half of it, kills such a run with SIGKILL at some moments, and counts what a
later run began again although it had been finished. The last line of output is one JSON object:
``ratio_per_core`` and ``ratio_two_cores`` are our speed by that of ``file_digest``, the median of the rounds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scan import load_pack  # type: ignore[import-not-found]

MB = 1 << 20
KILLS = 4


# --------------------------------------------------------------------------- sums


def write_large(folder: Path, count: int, megabytes: int) -> list[str]:
    paths = []
    for number in range(count):
        path = folder / f"large {number}.safetensors"
        with path.open("wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(MB))
        paths.append(str(path))
    return paths


def own(path: str) -> None:
    from pack.hub.checksum import file_sha256  # type: ignore[import-not-found]

    status = os.stat(path)
    assert file_sha256(path, status.st_size, status.st_mtime_ns, lambda: False)


def standard(path: str) -> None:
    with open(path, "rb") as file:
        hashlib.file_digest(file, "sha256")  # type: ignore[attr-defined,unused-ignore]  # Python 3.11


def blake(path: str) -> None:
    from blake3 import blake3  # type: ignore[import-not-found,unused-ignore]

    blake3(max_threads=1).update_mmap(path).hexdigest()


def speed(act: Callable[[str], None], paths: list[str], megabytes: int) -> float:
    """MB/s of ``act`` on all paths, a thread each."""
    threads = [threading.Thread(target=act, args=(path,)) for path in paths]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(paths) * megabytes / (time.perf_counter() - start)


def own_pass(paths: list[str], megabytes: int) -> float:
    """MB/s of the pass as recognition runs it, all its readers at work."""
    from pack.hub.checksum import file_sha256, in_threads

    def act(path: str, stop: Callable[[], bool]) -> str | None:
        status = os.stat(path)
        return file_sha256(path, status.st_size, status.st_mtime_ns, stop)  # type: ignore[no-any-return]

    start = time.perf_counter()
    sums = dict(in_threads(paths, act, len(paths), lambda: False))
    taken = time.perf_counter() - start
    assert len(sums) == len(paths) and all(sums.values())
    return len(paths) * megabytes / taken


def sums(folder: Path, megabytes: int, rounds: int) -> dict[str, Any]:
    paths = write_large(folder, 2, megabytes)
    for path in paths:
        standard(path)  # into the page cache
    found: dict[str, list[float]] = {name: [] for name in ("own", "standard", "own_two", "standard_two", "blake3")}
    for number in range(rounds):
        turns: list[tuple[str, Callable[[], float]]] = [
            ("own", lambda: speed(own, paths[:1], megabytes)),
            ("standard", lambda: speed(standard, paths[:1], megabytes)),
            ("own_two", lambda: own_pass(paths, megabytes)),
            ("standard_two", lambda: speed(standard, paths, megabytes)),
            ("blake3", lambda: speed(blake, paths[:1], megabytes)),
        ]
        if number % 2:  # each goes first as often as the other
            turns = [turns[1], turns[0], turns[3], turns[2], turns[4]]
        for name, turn in turns:
            found[name].append(turn())
    return {
        "ratio_per_core": ratio(found["own"], found["standard"]),
        "ratio_two_cores": ratio(found["own_two"], found["standard_two"]),
        **{f"{name}_mb_per_s": round(statistics.median(speeds)) for name, speeds in found.items()},
    }


def ratio(ours: list[float], theirs: list[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(ours, theirs, strict=True)), 3)


# --------------------------------------------------------------------------- recognition


def write_library(folder: Path, count: int) -> None:
    """LoRAs of 64 KB that differ in their last bytes."""
    shapes = {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": [16, 1280]}
    shapes["lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"] = [1280, 16]
    header: dict[str, Any] = {}
    at = 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + 2 * shape[0] * shape[1]]}
        at += 2 * shape[0] * shape[1]
    head = json.dumps(header).encode()
    for number in range(count):
        place = folder / f"set {number // 100:04}"
        place.mkdir(parents=True, exist_ok=True)
        with open(place / f"{number:06}.safetensors", "wb") as file:
            file.write(struct.pack("<Q", len(head)) + head + bytes(at - 8) + struct.pack("<Q", number))


class Hub:
    """A hub in memory that knows every file whose sum starts below 8, and writes down what happens."""

    knows_hashes = True
    name = "civitai"

    def __init__(self, log: Any) -> None:
        self.log = log

    def by_hash(self, digest: str) -> Any:
        from pack.offers import Offer, Ref  # type: ignore[import-not-found]

        self.log(f"ask {digest}")
        known = len(digest) == 64 and digest[0] in "01234567"
        return Offer(Ref("civitai", digest[:8], "1"), "Known", base_model="SD 1.5") if known else None


def work(folder: Path) -> None:
    """One run of recognition, each step written down before and after."""
    import pack.hub.identify as identification  # type: ignore[import-not-found]
    from pack.hub.answers import Answers  # type: ignore[import-not-found]
    from pack.hub.registry import Registry  # type: ignore[import-not-found]
    from pack.hub.remembering import Remembering  # type: ignore[import-not-found]
    from pack.plan import Kind  # type: ignore[import-not-found]

    with open(folder / "log", "ab", buffering=0) as file:

        def log(line: str) -> None:
            file.write(f"{line}\n".encode())

        class Kept(Answers):  # type: ignore[misc]
            def put(self, source: str, kind: Any, key: str, *rest: Any) -> None:
                super().put(source, kind, key, *rest)
                log(f"answered {key}")

        registry = Registry(folder / "library.sqlite", {Kind.LORA: [folder / "loras"]})
        read, keep = identification.file_sha256, registry.proofs.keep_sum

        def logged_read(path: str, *rest: Any) -> Any:
            log(f"hash {path}")
            return read(path, *rest)

        def logged_keep(path: str, *rest: Any) -> None:
            keep(path, *rest)
            log(f"hashed {path}")

        identification.file_sha256, registry.proofs.keep_sum = logged_read, logged_keep
        registry.scan()
        answers = Kept(folder / "answers.sqlite", 10**9, 90)
        log("start")
        start = time.perf_counter()
        report = identification.identify(registry, {"civitai": Remembering(Hub(log), answers)})
        assert report.complete, report
        print(json.dumps({"seconds": time.perf_counter() - start, "hashed": report.hashed, "asked": report.asked}))


def run(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, "--work", str(folder)], stdout=subprocess.PIPE)


def recognition(folder: Path, count: int) -> dict[str, Any]:
    write_library(folder / "loras", count)
    whole = json.loads(run(folder).communicate()[0])
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    chance, kills, log = random.Random(count), 0, folder / "log"
    log.touch()
    for _ in range(KILLS):
        target = log.stat().st_size + chance.randrange(50 * count)
        process = run(folder)
        while process.poll() is None and log.stat().st_size < target:
            time.sleep(0.005)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    json.loads(run(folder).communicate()[0])
    lines = log.read_text().splitlines()
    began = {act: sum(line.startswith(f"{act} ") for line in lines) for act in ("hash", "ask")}
    return {
        "files": count,
        "files_per_s": round(count / whole["seconds"]),
        "questions": whole["asked"],
        "kills": kills,
        "repeated": again(lines, "hash", "hashed") + again(lines, "ask", "answered"),
        "hashes_begun": began["hash"],
        "questions_begun": began["ask"],
    }


def again(lines: list[str], begun: str, finished: str) -> int:
    """How often something was begun after it had been finished."""
    done: set[str] = set()
    count = 0
    for line in lines:
        act, _, what = line.partition(" ")
        count += act == begun and what in done
        if act == finished:
            done.add(what)
    return count


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="small files, a small library")
    options.add_argument("--megabytes", type=int, help="size of each large file (default 1024)")
    options.add_argument("--files", type=int, help="files of the library (default 10000)")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    load_pack()
    if given.work:
        work(given.work)
        return
    folder = Path(tempfile.mkdtemp(prefix="identify-bench-"))
    try:
        found = sums(folder, given.megabytes or (128 if given.quick else 1024), given.rounds)
        (folder / "library").mkdir()
        found |= recognition(folder / "library", given.files or (500 if given.quick else 10_000))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
