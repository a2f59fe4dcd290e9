"""What a verified download costs beside an unverified one and beside other programs.

    python bench/download.py [--size-mb 2000] [--rounds 5] [--quick] [--place DIR]

A server in a process of its own sends one file over loopback; each client runs in a process of its own and
writes into the same folder: our transfer, the same with hashing off, huggingface_hub's ``http_get``, and curl and
aria2c where they are installed. Rounds are interleaved; figures are medians of the run's own rounds. The last
line of output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
sys.path.insert(0, str(ROOT / "tests" / "hub"))

from scan import load_pack  # type: ignore[import-not-found]  # noqa: E402

NAME = "model.safetensors"


def write_model(path: Path, size_mb: int) -> None:
    """A safetensors file of random bytes, which no file system and no line can shrink."""
    size = size_mb * 1_000_000
    header = json.dumps({"weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    piece = os.urandom(1_000_000)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for number in range(size_mb):
            file.write(number.to_bytes(8, "little") + piece[8:])


# --------------------------------------------------------------------------- the server's process


def serve(path: Path) -> None:
    load_pack()
    from standin import Answer, Server  # type: ignore[import-not-found]

    server = Server(lambda asked: Answer(served=path))
    print(server.url, flush=True)
    threading.Event().wait()


@contextmanager
def serving(path: Path) -> Any:
    command = [sys.executable, __file__, "--serve", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield f"{process.stdout.readline().strip()}/{NAME}"
    finally:
        process.kill()
        process.wait()


# --------------------------------------------------------------------------- the clients' processes


def ours(url: str, folder: Path, size: int, sha256: str | None) -> None:
    from pack.hub import transfer  # type: ignore[import-not-found]
    from pack.hub.options import Options  # type: ignore[import-not-found]
    from pack.hub.tokens import Tokens  # type: ignore[import-not-found]
    from pack.hub.web import Web  # type: ignore[import-not-found]

    if sha256 is None:
        transfer.hashlib = _NoHashing
    options = Options(huggingface=url.rpartition("/")[0])
    job = transfer.Job("huggingface", (url,), folder / NAME, size, sha256, 1 << 50)
    web = Web(options, Tokens(folder, {}))
    transfer.Transfer(web, job, None, lambda validator: None, lambda: False, lambda done, total: None).run()


class _NoHashing:
    """In place of ``hashlib``: the same client, not hashing."""

    @staticmethod
    def sha256() -> Any:
        return _NoHashing

    @staticmethod
    def update(_block: memoryview) -> None:
        pass

    @staticmethod
    def hexdigest() -> str:
        return ""


def hugging_face(url: str, folder: Path) -> None:
    from huggingface_hub.file_download import http_get

    with (folder / NAME).open("wb") as file:
        http_get(url, file)


def client(name: str, url: str, folder: Path, size: int, sha256: str) -> None:
    import resource
    import time

    load_pack()
    import requests  # noqa: F401

    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    if name == "hugging_face":
        hugging_face(url, folder)
    else:
        ours(url, folder, size, sha256 if name == "ours" else None)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "extra_mb": (after.ru_maxrss - before.ru_maxrss) / 1024}))


def tool(command: list[str]) -> dict[str, float]:
    import resource
    import time

    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall_s": wall, "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "extra_mb": 0.0}


# --------------------------------------------------------------------------- the comparison


def run_once(name: str, url: str, folder: Path, size: int, sha256: str) -> dict[str, float]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()  # each client starts with an idle disk
    if name == "curl":
        return tool(["curl", "--silent", "--output", str(folder / NAME), url])
    if name == "aria2c":
        return tool(["aria2c", "--max-connection-per-server=4", "--split=4", "--dir", str(folder), "--out", NAME, url])
    command = [sys.executable, __file__, "--client", name, url, str(folder), str(size), sha256]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, float] = json.loads(said.splitlines()[-1])
    return result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size-mb", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--quick", action="store_true", help="300 MB, one round")
    options.add_argument("--place", type=Path, help="write below this folder instead of the temporary one")
    options.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--client", nargs=5, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.serve:
        return serve(given.serve)
    if given.client:
        name, url, folder, size, sha256 = given.client
        return client(name, url, Path(folder), int(size), sha256)
    compare(300 if given.quick else given.size_mb, 1 if given.quick else given.rounds, given.place)


def compare(size_mb: int, rounds: int, place: Path | None) -> None:
    from standin import sha256_of  # type: ignore[import-not-found]

    names = ["ours", "unhashed", "hugging_face", *(name for name in ("curl", "aria2c") if shutil.which(name))]
    with tempfile.TemporaryDirectory(prefix="download-bench-", dir=place) as work:
        source = Path(work) / "source.safetensors"
        write_model(source, size_mb)
        size, sha256 = source.stat().st_size, sha256_of(source)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        with serving(source) as url:
            for number in range(rounds):
                turned = names[number % len(names) :] + names[: number % len(names)]  # who goes first finds colder memory
                for name in turned:
                    runs[name].append(run_once(name, url, Path(work) / "target", size, sha256))
    figures = {name: {key: median(run[key] for run in held) for key in held[0]} for name, held in runs.items()}
    for name, figure in figures.items():
        speed, cost = size / 1e6 / figure["wall_s"], figure["cpu_s"] / (size / 1e9)
        print(f"{name:14} {speed:7.0f} MB/s   {cost:5.2f} CPU s/GB   {figure['extra_mb']:6.1f} MB more memory")
    result = {
        "size_mb": size_mb,
        "rounds": rounds,
        "mb_per_s": {name: round(size / 1e6 / figure["wall_s"]) for name, figure in figures.items()},
        "cpu_s_per_gb": {name: round(figure["cpu_s"] / (size / 1e9), 2) for name, figure in figures.items()},
        "ratio_to_unhashed": round(figures["unhashed"]["wall_s"] / figures["ours"]["wall_s"], 3),
        "ratio_to_hf": round(figures["hugging_face"]["wall_s"] / figures["ours"]["wall_s"], 3),
        "extra_memory_mb": round(figures["ours"]["extra_mb"], 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
