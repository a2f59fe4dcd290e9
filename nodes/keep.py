"""Keep the children of Auto Pipeline cached on hosts whose cache forgets them.

ComfyUI's RAM-pressure cache (its default since 0.4x) drops whatever the current prompt has not touched yet
each time a node finishes. Children of an expanded node are touched only when the node expands, so a changed
upstream node, or a run in which the node itself was cached, would load the checkpoint again. ComfyUI offers
external cache providers for this; ours remembers what leads to the sampler for the last model sets.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from threading import Lock
from typing import Any

MARK = ".iig."
# What a new seed changes, by class or, of the borders between stages, by place; everything else is worth keeping.
RUN_ANEW = ("Sampler", "Decode", "Noise", "after_decode")
MAX_MODEL_SETS = 2
MAX_ENTRIES = 64
UNLOADED_WITHIN_S = 60.0
UNLOADED_CHECK_S = 0.2
SCARCE = 0.25  # share of RAM that must be free for a second set of models to stay


class Keeper:
    """Node outputs by cache key, bundled by the set of model files they come from, so that dropping a set
    frees every reference to its weights."""

    def __init__(self) -> None:
        self._lock = Lock()  # ComfyUI is asked to free memory in its server thread
        # Dropping the last reference to a model while ComfyUI goes through its loaded models ends its worker.
        self._going: list[Any] = []
        self._bundles: OrderedDict[str, OrderedDict[str, Any]] = OrderedDict()
        self._bundle_of: dict[str, str] = {}

    def expect(self, node_id: str, models: str) -> None:
        """Children of ``node_id`` from now on belong to this set of model files."""
        most = 1 if _memory_is_scarce() else MAX_MODEL_SETS
        with self._lock:
            self._going.clear()
            self._bundle_of[node_id] = models
            self._bundles.setdefault(models, OrderedDict())
            self._bundles.move_to_end(models)
            while len(self._bundles) > most:
                self._bundles.popitem(last=False)

    def keeps(self, node_id: str, class_type: str) -> bool:
        return MARK in node_id and not any(part in f"{class_type} {node_id.split(MARK)[-1]}" for part in RUN_ANEW)

    def look_up(self, key: str) -> Any | None:
        with self._lock:
            self._going.clear()
            return next((bundle[key] for bundle in self._bundles.values() if key in bundle), None)

    def store(self, node_id: str, key: str, value: Any) -> None:
        with self._lock:
            bundle = self._bundles.get(self._bundle_of.get(node_id.split(MARK)[0], ""))
            if bundle is None:
                return
            bundle[key] = value
            while len(bundle) > MAX_ENTRIES:
                bundle.popitem(last=False)

    def keep_current(self) -> None:
        """Only the latest set of models stays: another may hold weights that the pool just dropped."""
        with self._lock:
            while len(self._bundles) > 1:
                self._going.append(self._bundles.popitem(last=False)[1])

    def forget(self) -> bool:
        """Know nothing any more, as ComfyUI's "free memory" asks; whether there is something to let go of. It is let go of
        when the worker next comes by, or by ``let_go``."""
        with self._lock:
            self._going += self._bundles.values()
            self._bundles.clear()
            return bool(self._going)

    def let_go(self) -> None:
        """Drop what was forgotten. Only while ComfyUI has no model loaded: then it goes through none."""
        with self._lock:
            self._going.clear()


KEEPER = Keeper()


def _memory_is_scarce() -> bool:
    import psutil

    memory = psutil.virtual_memory()
    return bool(memory.available < SCARCE * memory.total)


async def register_provider() -> None:
    """Hand the keeper to hosts that take cache providers; nothing on older ones, whose cache keeps children."""
    try:
        from comfy_api.latest import Caching, ComfyAPI
    except ImportError:
        return

    class Provider(Caching.CacheProvider):  # type: ignore[misc]
        def should_cache(self, context: Any, value: Any = None) -> bool:
            return KEEPER.keeps(context.node_id, context.class_type)

        async def on_lookup(self, context: Any) -> Any:
            return KEEPER.look_up(context.cache_key_hash)

        async def on_store(self, context: Any, value: Any) -> None:
            KEEPER.store(context.node_id, context.cache_key_hash, value)

    await ComfyAPI().caching.register_provider(Provider())


async def _let_go_once_unloaded() -> None:
    """ComfyUI unloads in its worker, when that is idle; a worker that is not comes by itself."""
    from .watching import let_go_if_idle

    deadline = time.monotonic() + UNLOADED_WITHIN_S
    while time.monotonic() < deadline:
        await asyncio.sleep(UNLOADED_CHECK_S)
        if await asyncio.to_thread(let_go_if_idle):
            return


async def _forget(request: Any) -> bool:
    """Whether there is something to let go of. The pool forgets where results are to go, too: models that only leave the
    GPU wait in RAM."""
    from .pooling import pool

    asked = await request.json()
    forgotten = KEEPER.forget()
    if asked.get("free_memory"):
        forgotten = pool().forget() or forgotten
    return forgotten


def forget_with_host() -> None:
    """Forget whenever someone asks ComfyUI to free its memory (``POST /free``)."""
    from server import PromptServer

    letting_go: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly

    async def watch(request: Any, response: Any) -> None:
        asked = request.method == "POST" and request.path in ("/free", "/api/free") and response.status == 200
        if asked and await _forget(request):
            task = asyncio.create_task(_let_go_once_unloaded())
            letting_go.add(task)
            task.add_done_callback(letting_go.discard)

    PromptServer.instance.app.on_response_prepare.append(watch)
