"""One batch over three ComfyUI servers with one database, one of which is killed in the middle."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from pack.api import recommend
from pack.batch.order import order_batch
from pack.batch.run import BatchProgress
from pack.batch.spread import run_spread
from pack.feedback import Batch, ItemState, Strategy
from pack.history import History
from pack.plan import Fixed, Models, Request
from pack.serve import Server, serving

from .conftest import ROOT, environ_of, hosts

pytest.importorskip("distributed", reason="DISTRIBUTED SKIPPED: pip install -r requirements-distributed.txt")
COUNT, BROKEN = 9, 4


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "learning.sqlite"


@pytest.fixture(scope="module")
def servers(toy_models: Path, database: Path) -> Iterator[list[Server]]:
    if not hosts():
        pytest.skip("no ComfyUI host: set COMFYUI_PATH or COMFYUI_PATHS")
    place = hosts()[0]
    environ = {**environ_of(place), "INTELLIGENT_GENERATION_DATABASE": f"sqlite:///{database}"}
    options = {"pack": ROOT, "models": toy_models, "arguments": ["--cpu", "--disable-api-nodes"], "environ": environ}
    with ExitStack() as running, ThreadPoolExecutor(3) as pool:
        yield list(pool.map(lambda _: running.enter_context(serving(place, **options)), range(3)))


def broken(batch: Batch, place: int) -> Batch:
    """The batch with an item whose checkpoint is not there."""
    item = batch.items[place]
    plan = replace(item.variation.plan, models=Models("not_here.safetensors"))
    lost = replace(item, variation=replace(item.variation, plan=plan))
    return replace(batch, items=(*batch.items[:place], lost, *batch.items[place + 1 :]))


def test_every_item_ends_with_one_result_although_a_server_and_a_worker_die(
    servers: list[Server], database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = Fixed(steps=8, width=64, height=64)
    plan = recommend(servers[0].url, Request("a red ferry", fixed=fixed, checkpoint="toy_sd15.safetensors"))
    batch = broken(order_batch(servers[0].url, plan, Strategy.SEED, COUNT, seed=100), BROKEN)
    heard: list[BatchProgress] = []

    def killing(told: BatchProgress) -> None:
        heard.append(told)
        pictures = sum(each.picture is not None for each in heard)
        if told.picture and pictures == 1:
            os.kill(servers[2].pid, signal.SIGKILL)
        if told.picture and pictures == 3:
            multiprocessing.active_children()[0].kill()  # a worker; Dask starts it again

    began = time.monotonic()
    made = run_spread(batch, [server.url for server in servers], on_progress=killing, save_dir=tmp_path)
    print(f"{COUNT} items over 3 servers, a server and a worker killed: {time.monotonic() - began:.1f} s")
    whole = [place for place in range(COUNT) if place != BROKEN]
    assert [each.place for each in made if each.item.state is ItemState.DONE] == whole
    assert made[BROKEN].item.state is ItemState.FAILED and "not_here" in str(made[BROKEN].error)
    assert [made[place].result.generation.seed for place in whole] == [100 + place for place in whole]
    assert sorted(told.place for told in heard if told.picture) == whole, "each told of once"
    assert any(told.step for told in heard)

    monkeypatch.setenv("INTELLIGENT_GENERATION_DATABASE", f"sqlite:///{database}")
    recorded = History(tmp_path / "here").batches.find(batch.id)
    assert [item.place for item in recorded.items if item.state is ItemState.DONE] == whole
    assert [recorded.items[place].generation_id for place in whole] == [made[place].result.id for place in whole]
    assert len({made[place].result.id for place in whole}) == len(whole)
    assert sorted(path.name for path in tmp_path.glob("*_0*.png")) == [f"{batch.id}_{place:03}.png" for place in whole]
