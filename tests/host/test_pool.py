"""The pool on real hosts: what is loaded once is not loaded again, whatever ComfyUI's cache keeps."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import AUTO, Host, auto_graph

FIRST, SECOND = "toy_sd15.safetensors", "toy_sd15_b.safetensors"


@pytest.fixture
def second_checkpoint(toy_models: Path) -> Iterator[str]:
    """The toy under another name, which the host takes for another file."""
    path = toy_models / "checkpoints" / SECOND
    shutil.copy(toy_models / "checkpoints" / FIRST, path)
    yield SECOND
    path.unlink()


@pytest.fixture
def emptied(host: Host) -> Host:
    """A host that holds no model."""
    free(host)
    return host


def free(host: Host) -> None:
    host.client.post("/free", {"unload_models": True, "free_memory": True})
    waiting(lambda: not state(host)["entries"])


def waiting(done: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def state(host: Host) -> dict[str, Any]:
    pool: dict[str, Any] = host.client.get("/intelligent_generation/memory")["pool"]
    return pool


def loads(host: Host) -> int:
    return int(state(host)["misses"])


def make(host: Host, checkpoint: str = FIRST, seed: int = 1, **widgets: Any) -> Any:
    return host.auto(prompt="a red fox", checkpoint=checkpoint, seed=seed, steps=2, max_loras=0, **widgets)


def test_going_back_to_a_checkpoint_loads_nothing(emptied: Host, second_checkpoint: str) -> None:
    before = state(emptied)
    first = emptied.picture(make(emptied, FIRST))
    make(emptied, second_checkpoint)
    assert loads(emptied) == before["misses"] + 2
    again = emptied.picture(make(emptied, FIRST, seed=2))
    make(emptied, second_checkpoint, seed=2)
    after = state(emptied)
    assert after["misses"] == before["misses"] + 2
    assert [entry["name"] for entry in after["entries"]] == [FIRST, second_checkpoint]
    assert after["size_bytes"] == sum(entry["size_bytes"] for entry in after["entries"]) > 100e6
    assert again.pixels != first.pixels


def test_two_auto_nodes_hold_a_checkpoint_once(emptied: Host) -> None:
    before = loads(emptied)
    graph = auto_graph(prompt="a red fox", checkpoint=FIRST, seed=1, steps=2, max_loras=0)
    other = auto_graph(prompt="a blue house", checkpoint=FIRST, seed=2, steps=2, max_loras=0)
    graph |= {
        "11": other[AUTO],
        "12": {**other["2"], "inputs": {**other["2"]["inputs"], "images": ["11", 0], "plan": ["11", 4]}},
    }
    emptied.client.run(graph)
    assert loads(emptied) == before + 1
    assert len(state(emptied)["entries"]) == 1


def test_the_pool_gives_the_picture_that_loading_gives(emptied: Host) -> None:
    loaded = emptied.picture(make(emptied, seed=5))
    make(emptied, seed=6)
    before = loads(emptied)
    free(emptied)
    fresh = emptied.picture(make(emptied, seed=5))
    assert loads(emptied) == before + 1
    assert fresh.pixels == loaded.pixels and fresh.generation.id == loaded.generation.id


def test_freeing_memory_empties_it(emptied: Host) -> None:
    make(emptied)
    assert state(emptied)["entries"]
    emptied.client.post("/free", {"unload_models": True})
    waiting(lambda: not emptied.client.get("/intelligent_generation/memory")["models"])
    assert state(emptied)["entries"], "models that only leave the GPU wait in RAM"
    held = resident_bytes(emptied)
    free(emptied)
    waiting(lambda: resident_bytes(emptied) < held - 100e6)


def resident_bytes(host: Host) -> int:
    pages = int(Path(f"/proc/{host.server.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_replaced_file_is_loaded_again(emptied: Host, second_checkpoint: str, toy_models: Path) -> None:
    make(emptied, second_checkpoint)
    before = state(emptied)
    path = toy_models / "checkpoints" / second_checkpoint
    stamp = path.stat().st_mtime_ns + 5_000_000_000
    os.utime(path, ns=(stamp, stamp))
    make(emptied, second_checkpoint, seed=2)
    after = state(emptied)
    assert after["misses"] == before["misses"] + 1
    assert len(after["entries"]) == len(before["entries"]), "the old one left"


def pooled(loader: str, inputs: str) -> dict[str, Any]:
    load = {"class_type": "IIG_Pooled", "inputs": {"loader": loader, "inputs": inputs}}
    return {"1": load, "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 1]}}}


@pytest.mark.parametrize(
    ("loader", "inputs", "said"),
    [
        ("LoadImage", json.dumps({"image": "secret.png"}), "CheckpointLoaderSimple"),
        ("CheckpointLoaderSimple", "no JSON", "JSON"),
        ("CheckpointLoaderSimple", "[1]", "JSON"),
    ],
)
def test_only_loaders_run_by_name(host: Host, loader: str, inputs: str, said: str) -> None:
    from pack.errors import UserError

    with pytest.raises(UserError, match=said):
        host.client.run(pooled(loader, inputs))
