"""LoRAs on the canvas: apply a stack with native loaders, and count what each one really changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..choices import Kind
from ..errors import BadRequest
from . import asking, host, schema
from .keep import KEEPER, MARK

if TYPE_CHECKING:
    from ..graph.builder import Builder
    from ..plan import LoraUse


_ALIASES = ["lora stack", "load loras", "aplicar"]


class ApplyLoraStack(io.ComfyNode):
    """Load every LoRA of a ``LORA_STACK`` with ComfyUI's own loader."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            schema.raw_link(io.Model, "model"),
            schema.raw_link(io.Clip, "clip"),
            schema.LoraStackType.Input("lora_stack"),
        ]
        outputs = [io.Model.Output("model_out"), io.Clip.Output("clip_out")]
        return schema.schema(
            "IIG_ApplyLoraStack", inputs, outputs, enable_expand=True, hidden=[io.Hidden.unique_id], search_aliases=_ALIASES
        )

    @classmethod
    def execute(cls, lora_stack: Any, model: Any = None, clip: Any = None) -> io.NodeOutput:
        from ..graph.builder import Builder
        from .expand import behind_check, with_checks

        with host.speaking(host.language("auto")):
            uses = stack_of(model, lora_stack)
        builder = Builder(f"{cls.hidden.unique_id}{MARK}")
        KEEPER.expect(cls.hidden.unique_id, repr((model, clip)))
        for use in uses:
            model, clip = _load(builder, use, model, clip)
        nodes = with_checks(builder.nodes)
        return io.NodeOutput(behind_check(model, nodes), behind_check(clip, nodes), expand=nodes)


def stack_of(model: Any, lora_stack: Any) -> tuple[LoraUse, ...]:
    """What to load. Raises ``BadRequest`` for a missing model or a stack that cannot be read."""
    if model is None:
        raise BadRequest("input_missing", name="model")
    return asking.stack(lora_stack, ()) or ()


def _load(builder: Builder, use: LoraUse, model: Any, clip: Any) -> tuple[Any, Any]:
    from ..graph.parts import lora_id

    inputs = {"model": model, "lora_name": use.name, "strength_model": use.strength_model}
    if clip is None:
        return builder.add(lora_id(use.name), "LoraLoaderModelOnly", **inputs).out(0), None
    lora = builder.add(lora_id(use.name), "LoraLoader", **inputs, clip=clip, strength_clip=use.strength_clip)
    return lora.out(0), lora.out(1)


class CheckLora(io.ComfyNode):
    """Passes a model on after counting the patches a LoRA added; none at all is an error."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            io.Model.Input("model"),
            io.Model.Input("model_before"),
            io.String.Input("lora_name"),
            io.Clip.Input("clip", optional=True),
            io.Clip.Input("clip_before", optional=True),
        ]
        outputs = [io.Model.Output("model_out"), io.Clip.Output("clip_out")]
        return schema.schema("IIG_CheckLora", inputs, outputs, is_dev_only=True)

    @classmethod
    def execute(cls, model: Any, model_before: Any, lora_name: str, clip: Any = None, clip_before: Any = None) -> io.NodeOutput:
        from . import runs

        applied = patches(model) - patches(model_before)
        if clip is not None and clip_before is not None:
            applied += patches(clip.patcher) - patches(clip_before.patcher)
        total = modules_of(lora_name)
        runs.count(lora_name, applied, total)
        host.send("lora", {"lora": lora_name, "applied": applied, "total": total})
        if total and not applied:
            raise BadRequest("lora_applied_nothing", host.language("auto"), lora=lora_name, total=total)
        if total and applied < total:
            host.log.warning("%s: applied %d of %d", lora_name, applied, total)
        return io.NodeOutput(model, clip)


def patches(patcher: Any) -> int:
    """How many weight patches a model carries."""
    return sum(len(entries) for entries in patcher.patches.values())


def modules_of(lora_name: str) -> int:
    """How many modules of a model the LoRA file has weights for; 0 when it cannot be told."""
    from ..hub.headers import read_header
    from ..hub.lora_keys import lora_modules

    path = host.model_path(Kind.LORA, lora_name)
    if path is None:
        return 0
    return len(lora_modules(read_header(str(path), path.suffix, path.stat().st_size).tensors))
