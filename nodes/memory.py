"""Memory on the canvas: how models share the GPU while one samples, giving memory back, loading through the pool."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..choices import Freed, Offload
from ..errors import BadRequest
from . import host, native_loaders, schema
from .keep import MARK

_STRATEGIES = ["auto", *(member.value for member in Offload)]
_WHATS = [each.value for each in Freed]


class MemoryStrategy(io.ComfyNode):
    """A model with a strategy on it, in force while it samples."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [io.Model.Input("model"), io.Combo.Input("strategy", options=_STRATEGIES, default="auto")]
        aliases = ["offload", "vram", "low vram", "memory", "memoria"]
        return schema.schema("IIG_MemoryStrategy", inputs, [io.Model.Output("model_out")], search_aliases=aliases)

    @classmethod
    def execute(cls, model: Any, strategy: str) -> io.NodeOutput:
        from ..memory.strategy import with_strategy

        chosen = _one_of(strategy, _STRATEGIES)
        return io.NodeOutput(with_strategy(model, None if chosen == "auto" else Offload(chosen)))


class FreeMemory(io.ComfyNode):
    """Gives memory back when what comes in is there, and passes it on."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            io.Combo.Input("what", options=_WHATS, default="models"),
            io.AnyType.Input("value", optional=True),
            io.AnyType.Input("also", optional=True),
        ]
        outputs = [io.AnyType.Output("value_out"), io.AnyType.Output("also_out"), io.String.Output("report")]
        return schema.schema(
            "IIG_FreeMemory",
            inputs,
            outputs,
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            search_aliases=["unload", "clear vram", "purge", "liberar"],
        )

    @classmethod
    def fingerprint_inputs(cls, what: str = "", **linked: Any) -> str:
        """With something wired in, it runs when that changes; by itself, each time. ComfyUI names what is wired here, and
        gives nothing for it."""
        return what if linked else schema.each_time()

    @classmethod
    def execute(cls, what: str, value: Any = None, also: Any = None) -> io.NodeOutput:
        from .pooling import give_back

        is_child = MARK in str(cls.hidden.unique_id)
        report = give_back(_one_of(what, _WHATS), noted=not is_child)
        # What a child shows would take the place of what its Auto Pipeline shows.
        return io.NodeOutput(value, also, report, ui=None if is_child else {"text": [report]})


class Pooled(io.ComfyNode):
    """Stands for a loader of ComfyUI's own inside an Auto Pipeline."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [io.String.Input("loader"), io.String.Input("inputs")]
        outputs = [io.AnyType.Output(name) for name in ("first", "second", "third")]
        return schema.schema("IIG_Pooled", inputs, outputs, is_dev_only=True)

    @classmethod
    def fingerprint_inputs(cls, loader: str = "", inputs: str = "") -> str:
        return native_loaders.fingerprint(loader, inputs)

    @classmethod
    def execute(cls, loader: str, inputs: str) -> io.NodeOutput:
        from .pooling import pooled_native

        loaded = pooled_native(loader, native_loaders.read(loader, inputs))
        return io.NodeOutput(*(*loaded, None, None, None)[:3])


def _one_of(value: str, known: list[str]) -> str:
    """Older hosts check no choices of newer nodes."""
    if value not in known:
        raise BadRequest("not_a_choice", host.language("auto"), value=value, choices=", ".join(known))
    return value
