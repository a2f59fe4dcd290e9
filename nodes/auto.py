"""Auto Pipeline: from a prompt to a picture, every decision taken by the plan and run by native nodes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..choices import Mode, Offload, Priority, Reader, Verbosity
from ..values import to_json
from . import asking, host, schema

if TYPE_CHECKING:
    from ..plan import Generation, Request
    from .consent import Decided

MAX_SEED = 0xFFFF_FFFF_FFFF_FFFF


class AutoPipeline(io.ComfyNode):
    """Plans, then expands into the native graph of the plan."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema.schema(
            "IIG_AutoPipeline", _inputs(), _outputs(), enable_expand=True, hidden=_HIDDEN, search_aliases=_ALIASES
        )

    @classmethod
    def fingerprint_inputs(cls, **widgets: Any) -> str:
        from .planning import fingerprint

        return schema.each_time() if _is_asking(widgets) else fingerprint()

    @classmethod
    def execute(cls, seed: int, **widgets: Any) -> io.NodeOutput:
        from ..intelligence.explain import explain
        from ..plan import Generation
        from . import overflow, runs, watching
        from .expand import children, graph_id

        with host.speaking(host.language(widgets["language"])):
            watching.tidy()
            request, verbosity = asking.request_from(widgets), asking.choice(Verbosity, widgets["verbosity"])
            decided = _decided(request, widgets)
            if decided.waits:
                return _shown(cls.hidden.unique_id, decided, request.language, verbosity)
            plan = decided.plan
            graph = children(cls.hidden.unique_id, plan, seed, widgets.get("image"))
            said = explain(plan, verbosity, request.language)
        made = Generation(plan, seed, graph_id(graph))
        runs.begin(made)
        overflow.watch(cls.hidden.unique_id, plan, seed)
        _record(cls.hidden, made, decided.brought)
        _announce(cls.hidden, made)
        outputs = (graph.outputs["image"], graph.outputs["latent"], plan.prompt, plan.negative or "", made, said, made.id)
        return io.NodeOutput(*outputs, expand=graph.nodes, ui={"text": [said]})


def _is_asking(widgets: dict[str, Any]) -> bool:
    """Whether the person is asked each time the node runs."""
    has_plan = (widgets.get("accepted_plan") or "").strip() or widgets.get("run_anyway")
    return widgets.get("mode") == Mode.ASSISTED.value and not has_plan


def _decided(request: Request, widgets: dict[str, Any]) -> Decided:
    """The plan the person brought, through the socket or accepted on the node, else a new one."""
    from . import consent, planning, reading

    text, reader = (widgets.get("accepted_plan") or "").strip(), widgets["reader"]
    if text or widgets.get("plan") is not None or reader == Reader.RULES.value:
        reading.read_ahead()
    if (linked := widgets.get("plan")) is not None:
        return consent.Decided(linked.plan, brought=True)
    if request.mode is Mode.ASSISTED:
        return consent.decided(request, text, reader, bool(widgets.get("run_anyway")))
    if text:
        return consent.Decided(consent.as_it_is(text, request.language), brought=True)
    return consent.Decided(planning.plan_in_run(request, reader))


def _shown(node_id: str, decided: Decided, language: str, verbosity: Verbosity) -> io.NodeOutput:
    """A suggestion in the place of a picture: what hangs on the node waits for consent, the queue does not."""
    from comfy_execution.graph_utils import ExecutionBlocker

    from ..intelligence.explain import explain
    from ..intelligence.review import review
    from . import batches, consent

    library, machine = batches.seen()
    said = consent.sentences(decided.said, language)
    told = review(decided.plan, library, language, machine)
    host.send("suggestion", {"node": node_id, "review": told, "said": said})
    text = "\n\n".join((*said, explain(decided.plan, verbosity, language)))
    return io.NodeOutput(*[ExecutionBlocker(None)] * len(_outputs()), ui={"text": [text], "suggestion": [told]})


def _record(hidden: Any, made: Generation, is_brought: bool) -> None:
    """What the pack gave up when memory ran out is no edit of the person's."""
    from ..intelligence.edit import as_proposed
    from ..intelligence.relief import was_relieved
    from . import planning, recall

    proposed = as_proposed(made.plan) if is_brought else planning.proposal(made.plan)
    recall.began(made, None if was_relieved(made.plan) else proposed, hidden.prompt, hidden.unique_id)


def _announce(hidden: Any, made: Generation) -> None:
    """The plan travels in every picture's metadata and to the browser that waits."""
    from ..plan import PNG_KEY

    text = to_json(made)
    if hidden.extra_pnginfo is not None:
        hidden.extra_pnginfo[PNG_KEY] = json.loads(text)
    host.send("plan", {"node": hidden.unique_id, "generation": text})


_HIDDEN = [io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo]
_ALIASES = ["auto", "smart", "prompt to image", "text to image", "recommend", "automático", "generación inteligente"]


def widget_inputs() -> list[Any]:
    """Every input that has a widget, in the order workflows store their values: new ones come last."""
    return [*_main_widgets(), *_limits(), *_fixed(), *_saying()]


def _inputs() -> list[Any]:
    return [*widget_inputs(), *_sockets()]


def _main_widgets() -> list[Any]:
    return [
        io.String.Input("prompt", multiline=True, dynamic_prompts=True, default=""),
        io.String.Input("negative", multiline=True, dynamic_prompts=True, default=""),
        io.Combo.Input("mode", options=[mode.value for mode in Mode], default=Mode.AUTO.value),
        io.Combo.Input("priority", options=[member.value for member in Priority], default=Priority.BALANCED.value),
        io.Int.Input("seed", default=0, min=0, max=MAX_SEED, control_after_generate=True),
        io.Int.Input("width", default=0, min=0, max=16384, step=8),
        io.Int.Input("height", default=0, min=0, max=16384, step=8),
        io.String.Input("checkpoint", default=""),
    ]


def _limits() -> list[Any]:
    widgets = [
        io.Int.Input("max_loras", default=4, min=0, max=50),
        io.Float.Input("max_vram_gb", default=0.0, min=0.0, max=1024.0, step=0.5),
        io.Float.Input("max_seconds", default=0.0, min=0.0, max=86400.0, step=1.0),
        io.Int.Input("max_steps", default=0, min=0, max=10000),
        io.Float.Input("max_megapixels", default=0.0, min=0.0, max=256.0, step=0.1),
        io.String.Input("blocked", default=""),
        io.Boolean.Input("allow_nsfw", default=False),
    ]
    return [schema.advanced(widget) for widget in widgets]


def _fixed() -> list[Any]:
    widgets = [
        io.Int.Input("steps", default=0, min=0, max=10000),
        io.Float.Input("cfg", default=0.0, min=0.0, max=100.0, step=0.1),
        io.Float.Input("guidance", default=0.0, min=0.0, max=100.0, step=0.1),
        io.String.Input("sampler", default="auto"),
        io.String.Input("scheduler", default="auto"),
        io.Float.Input("shift", default=0.0, min=0.0, max=100.0, step=0.01),
        io.Int.Input("clip_skip", default=0, min=0, max=24),
        io.Int.Input("batch", default=0, min=0, max=4096),
        io.Float.Input("denoise", default=0.0, min=0.0, max=1.0, step=0.01),
    ]
    return [schema.advanced(widget) for widget in widgets]


def _saying() -> list[Any]:
    reader = io.Combo.Input("reader", options=["auto", "rules"], default="auto")
    memory = io.Combo.Input("memory", options=["auto", *(member.value for member in Offload)], default="auto")
    accepted = io.String.Input("accepted_plan", default="", multiline=False)
    anyway = io.Boolean.Input("run_anyway", default=False, optional=True)  # graphs of before have none
    return [schema.advanced(widget) for widget in (reader, *schema.speech(), memory, accepted, anyway)]


def _sockets() -> list[Any]:
    return [
        schema.LoraStackType.Input("lora_stack", optional=True),
        schema.PlanType.Input("plan", optional=True),
        schema.raw_link(io.Image, "image"),
    ]


def _outputs() -> list[Any]:
    return [
        io.Image.Output("image_out"),
        io.Latent.Output("latent_out"),
        io.String.Output("prompt_used"),
        io.String.Output("negative_used"),
        schema.PlanType.Output("plan_out"),
        io.String.Output("explanation"),
        io.String.Output("generation_id"),
    ]
