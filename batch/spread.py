"""One batch over several ComfyUI servers, by Dask: each worker drives one server; what a lost worker or server had in
hand is made by another. Optional: ``requirements-distributed.txt``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from ..api import Result, made_by
from ..client import Client
from ..errors import BadRequest, Unreachable, UserError
from ..feedback import Batch, Item
from ..local import SAVE_NODE
from ..plan import Generation, Measured
from ..values import from_json, to_json
from .job import Hear, Job
from .make import PREFIX, graph_of
from .results import BatchResult
from .run import WORKERS, folder_of, sampler_step

SLOT = "comfyui"  # a worker has one: one prompt at a time
TOPIC = "intelligent-generation"
LOOK_S = 0.2
RETRIES = 2  # of what neither ComfyUI nor the pack can explain
CONNECT_S = 5.0
GONE_S = 10.0  # so long without any worker, and nobody is coming back
ROOT = Path(__file__).resolve().parent.parent


def run_spread(
    batch: Batch,
    servers: Sequence[str] = (),
    *,
    scheduler: str = "",
    on_progress: Hear | None = None,
    save_dir: Path | str | None = None,
    prefix: str = PREFIX,
    language: str = "en",
) -> BatchResult:
    """As ``run_batch``, over ``servers`` (their addresses), with workers on this machine; or over the workers of the Dask
    ``scheduler`` at an address, each started as ``dask worker ADDRESS --nthreads 1 --resources comfyui=1 --name
    http://server:8188``. Every item ends with one result: its place in the batch is its key. Where the servers share a
    database (setting ``database``), results and ratings arrive there, the first result of an item alone.

    Raises ``UserError`` where Dask is not installed, ``BadRequest`` for no servers. Servers that are all lost leave the
    rest waiting; asking again goes on from there."""
    if not (servers or scheduler):
        raise BadRequest("spread_no_servers", language)
    addresses = tuple(url.rstrip("/") for url in servers)
    job = Job(batch, on_progress, folder_of(batch, save_dir), language, max(1, len(addresses)))
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="batch") as pool:
        job.recall(lambda name: _fetch(addresses, name), pool)
        if job.waiting():
            with _engine(addresses, scheduler, language) as engine:
                _Spread(job, engine, addresses, prefix).make(pool)
    return job.result(addresses[0] if addresses else "")


def _fetch(servers: Sequence[str], name: str) -> bytes:
    """A picture from the first server that has it."""
    folder, _, file = name.rpartition("/")
    fault: UserError = BadRequest("comfyui_refused", problem=name)
    for url in servers:
        try:
            return Client(url).image({"filename": file, "subfolder": folder, "type": "output"})
        except UserError as refused:  # noqa: PERF203 – a handful of servers
            fault = refused
    raise fault


@contextmanager
def _engine(servers: Sequence[str], scheduler: str, language: str) -> Iterator[Any]:
    """A Dask client, with a worker process for each server where there is no scheduler yet."""
    distributed = _distributed(language)
    if scheduler:
        try:
            client = distributed.Client(scheduler, timeout=CONNECT_S)
        except (OSError, TimeoutError, ValueError) as fault:
            raise Unreachable("spread_no_scheduler", language, address=scheduler) from fault
        with client:
            yield client
        return
    workers = {"n_workers": len(servers), "threads_per_worker": 1, "processes": True, "resources": {SLOT: 1}}
    quiet = {"dashboard_address": None, "silence_logs": 50, "host": "127.0.0.1"}
    with distributed.LocalCluster(**workers, **quiet) as cluster, distributed.Client(cluster) as client:
        yield client


def _distributed(language: str) -> Any:
    try:
        import distributed
    except ImportError as fault:
        raise UserError("spread_not_installed", language) from fault
    return distributed


class _Spread:
    """The items as tasks. Their news come by a topic, their results as the tasks' own."""

    def __init__(self, job: Job, engine: Any, servers: Sequence[str], prefix: str) -> None:
        self.job, self.engine, self.servers, self.prefix = job, engine, tuple(servers), prefix
        self.news: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._workers_seen = time.monotonic()

    def make(self, pool: ThreadPoolExecutor) -> None:
        """Until every item has a result or nobody is left to make it."""
        self.engine.subscribe_topic(TOPIC, lambda event: self.news.put(event[1]))
        items = {item.place: item for item in self.job.waiting()}
        pending = {self._submit(item): item for item in items.values()}
        try:
            while pending and self._is_manned():
                self._hear(items)
                for future in [future for future in pending if future.done()]:
                    self._take(pending.pop(future), future, pool)
                time.sleep(LOOK_S)
        finally:
            self.engine.cancel(list(pending), force=True)
            self.engine.unsubscribe_topic(TOPIC)
        if pending:
            self.job.left(Unreachable("spread_servers_lost", self.job.language, servers=", ".join(self.servers) or "–"))

    def _submit(self, item: Item) -> Any:
        told = {"place": item.place, "graph": graph_of(self.job.batch.id, item, self.prefix), "servers": self.servers}
        key = f"{self.job.batch.id}-{item.place}"
        resources, more = {SLOT: 1}, {"retries": RETRIES, "priority": -item.place, "pure": False}
        package = str(__package__).rpartition(".")[0]
        return self.engine.submit(_task(), str(ROOT), package, told, key=key, resources=resources, **more)

    def _hear(self, items: dict[int, Item]) -> None:
        try:
            while True:
                told = self.news.get_nowait()
                if told["batch"] == self.job.batch.id and told["place"] in items:
                    self.job.step(items[told["place"]], told["step"], told["steps"])
        except Empty:
            return

    def _take(self, item: Item, future: Any, pool: ThreadPoolExecutor) -> None:
        if future.status != "finished":
            self.job.failed(item, BadRequest("comfyui_failed", problem=str(future.exception())[:300]))
            return
        told = future.result()
        if "fault" in told:
            code, values = told["fault"]
            self.job.failed(item, BadRequest(code, self.job.language, **values))
            return
        self.job.took(told["seconds"])
        measured = from_json(Measured, told["measured"]) if told["measured"] else None
        made = Result(from_json(Generation, told["generation"]), tuple(told["pictures"]), self.job.language, measured)
        self.job.made(item, made)

    def _is_manned(self) -> bool:
        """Whether there is a worker, or was one a moment ago: a restarted one needs seconds."""
        if self.engine.scheduler_info()["workers"]:
            self._workers_seen = time.monotonic()
        return time.monotonic() - self._workers_seen < GONE_S


# --------------------------------------------------------------------------- on the workers


def _task() -> Any:
    """What a worker is sent: a local function, which travels as code. Workers know no module by the pack's name, which is
    that of its folder."""

    def on_worker(root: str, package: str, told: dict[str, Any]) -> Any:
        """Load the pack from ``root``, or where that is not there take it as installed; then make the item."""
        import importlib.util
        import os
        import sys

        path = os.path.join(root, "__init__.py")
        if package not in sys.modules and os.path.exists(path):
            spec = importlib.util.spec_from_file_location(package, path, submodule_search_locations=[root])
            module = sys.modules[package] = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
            spec.loader.exec_module(module)  # type: ignore[union-attr]
        name = package if package in sys.modules else "intelligent_generation"
        return importlib.import_module(f"{name}.batch.spread").make_item(told)

    return on_worker


def make_item(told: dict[str, Any]) -> dict[str, Any]:
    """Make one item on this worker's server; what came of it as plain values. A worker whose server is lost leaves, and
    another makes the item."""
    from distributed import Reschedule, get_worker

    worker = get_worker()
    batch, _, place = told["graph"][SAVE_NODE]["inputs"]["batch"].rpartition(":")

    def follow(kind: str, data: dict[str, Any]) -> None:
        if step := sampler_step(kind, data):
            worker.log_event(TOPIC, {"batch": batch, "place": int(place), "step": step[0], "steps": step[1]})

    began = time.monotonic()
    try:
        client = Client(_server_of(str(worker.name), told["servers"]))
        result = made_by(client, client.run(told["graph"], follow))
    except Unreachable as fault:
        worker.loop.add_callback(worker.close_gracefully)
        time.sleep(LOOK_S)
        raise Reschedule from fault
    except UserError as fault:
        return {"fault": (fault.code, {name: str(value) for name, value in fault.values.items()})}
    measured = to_json(result.measured) if result.measured else ""
    seconds, made = time.monotonic() - began, to_json(result.generation)
    return {"generation": made, "pictures": result.pictures, "measured": measured, "seconds": seconds}


def _server_of(name: str, servers: Sequence[str]) -> str:
    """The server a worker drives: its own name where that is an address, else the one of its number."""
    return name if name.startswith("http") else servers[int(name)]
