"""A pack for the bench's ComfyUI: what each stage of a run takes of the GPU and how long it lasts. ComfyUI loads this file;
``memory_gpu.py`` puts it among the custom nodes and asks it by ``/iig_bench``."""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import functools
import threading
import time
from typing import Any

ROWS: list[dict[str, Any]] = []
EACH_S = 0.002  # between two looks at the driver's figure


class Watch:
    """The least free memory of the GPU while it looks, as the driver sees it: also what torch does not allocate."""

    def __init__(self) -> None:
        self.least, self.over = _free(), threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.over.wait(EACH_S):
            self.least = min(self.least, _free())


def _free() -> int:
    import torch

    return int(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else 0


def measured(stage: str, work: Any) -> Any:
    """The function, which also notes what it took."""

    @functools.wraps(work)
    def instead(*given: Any, **named: Any) -> Any:
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        before, began = _free(), time.perf_counter()
        with Watch() as watch:
            try:
                return work(*given, **named)
            finally:
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                ROWS.append(_row(stage, time.perf_counter() - began, before, watch))

    return instead


def _row(stage: str, seconds: float, before: int, watch: Watch) -> dict[str, Any]:
    import torch

    return {
        "stage": stage,
        "seconds": round(seconds, 3),
        "torch_peak": int(torch.cuda.max_memory_allocated()),
        "torch_after": int(torch.cuda.memory_allocated()),
        "free_before": before,
        "free_least": watch.least,
        "free_after": _free(),
        "models": _models(),
    }


def _models() -> list[tuple[str, int, int]]:
    """(network, bytes on the GPU, bytes in all) of each model ComfyUI has loaded."""
    import comfy.model_management as management

    held = [each.model for each in management.current_loaded_models if each.model is not None]
    return [(type(each.model).__name__, int(each.loaded_size()), int(each.model_size())) for each in held]


def _wrap() -> None:
    import nodes

    nodes.common_ksampler = measured("sample", nodes.common_ksampler)
    for kind, name, stage in (
        (nodes.CLIPTextEncode, "encode", "encode"),
        (nodes.VAEDecode, "decode", "decode"),
        (nodes.VAEDecodeTiled, "decode", "decode"),
        (nodes.CheckpointLoaderSimple, "load_checkpoint", "load"),
    ):
        setattr(kind, name, measured(stage, getattr(kind, name)))


def _add_routes() -> None:
    from aiohttp import web
    from server import PromptServer

    @PromptServer.instance.routes.get("/iig_bench")
    async def tell(request: Any) -> Any:
        import torch

        rows, ROWS[:] = list(ROWS), []
        return web.json_response({"rows": rows, "free": _free(), "models": _models(), "torch": torch.__version__})

    @PromptServer.instance.routes.post("/iig_bench")
    async def limit(request: Any) -> Any:
        """``bytes`` that torch may take from now on; 0 = all."""
        import torch

        most, total = int((await request.json())["bytes"]), int(torch.cuda.mem_get_info()[1])
        torch.cuda.set_per_process_memory_fraction(min(1.0, most / total) if most else 1.0)
        return web.json_response({})


NODE_CLASS_MAPPINGS: dict[str, Any] = {}
_wrap()
_add_routes()
