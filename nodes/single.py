"""The steps of the Auto Pipeline as nodes of their own, each useful beside native ones. All ask the same
planner, so that a step never disagrees with the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..choices import Priority, Verbosity
from ..values import to_json
from . import asking, host, schema

if TYPE_CHECKING:
    from ..plan import Analysis, Generation, Plan


class AnalyzePrompt(io.ComfyNode):
    """What the prompt asks for."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [_prompt(), io.Combo.Input("reader", options=["auto", "rules"], default="auto")]
        outputs = [
            schema.AnalysisType.Output("analysis"),
            io.String.Output("text"),
            io.String.Output("style"),
            io.String.Output("content"),
            io.String.Output("complexity"),
            io.String.Output("analysis_json"),
        ]
        return schema.schema("IIG_AnalyzePrompt", inputs, outputs, search_aliases=["prompt", "intent", "analizar"])

    @classmethod
    def execute(cls, prompt: str, reader: str) -> io.NodeOutput:
        from .planning import read

        analysis = read(prompt, reader)
        outputs = (analysis, analysis.text, analysis.style, analysis.content, analysis.complexity.level.value)
        return io.NodeOutput(*outputs, to_json(analysis))


class Planned(io.ComfyNode):
    """A step that asks the planner: run again when library or taste have changed."""

    @classmethod
    def fingerprint_inputs(cls, **widgets: Any) -> str:
        from .planning import fingerprint

        return fingerprint()


class ChooseModel(Planned):
    """The best local model for a prompt, as file names that plug into loaders."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            _prompt(),
            _priority(),
            io.Float.Input("max_vram_gb", default=0.0, min=0.0, max=1024.0, step=0.5),
            *_analysis(),
        ]
        outputs = [
            io.AnyType.Output("checkpoint_name"),
            io.AnyType.Output("diffusion_model_name"),
            io.AnyType.Output("text_encoder_1"),
            io.AnyType.Output("text_encoder_2"),
            io.AnyType.Output("vae_name"),
            io.String.Output("family"),
            io.String.Output("explanation"),
            io.AnyType.Output("text_encoder_3"),
            io.AnyType.Output("text_encoder_4"),
            io.AnyType.Output("second_model"),
        ]
        return schema.schema("IIG_ChooseModel", inputs, outputs, search_aliases=["checkpoint", "model", "elegir modelo"])

    @classmethod
    def execute(cls, **widgets: Any) -> io.NodeOutput:
        plan = _plan(widgets)
        models, said = plan.models, _said(plan)
        first, second, third, fourth = (*models.text_encoders, "", "", "", "")[:4]
        loaded = (models.checkpoint or "", models.diffusion_model or "", first, second, models.vae or "")
        return io.NodeOutput(*loaded, plan.family, said, third, fourth, models.second or "")


class RecommendLoras(Planned):
    """The LoRAs a prompt wants, as a stack, and the prompt with their trigger words."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            _prompt(),
            io.String.Input("checkpoint", default=""),
            io.Int.Input("max_loras", default=4, min=0, max=50),
            io.String.Input("blocked", default=""),
            io.Boolean.Input("allow_nsfw", default=False),
            *_analysis(),
        ]
        outputs = [
            schema.LoraStackType.Output("stack"),
            io.String.Output("prompt_used"),
            io.String.Output("explanation"),
            schema.PlanType.Output("plan"),
        ]
        return schema.schema("IIG_RecommendLoras", inputs, outputs, search_aliases=["lora", "suggest", "recomendar"])

    @classmethod
    def execute(cls, **widgets: Any) -> io.NodeOutput:
        from ..plan import Generation

        plan = _plan(widgets)
        stack = [(choice.use.name, choice.use.strength_model, choice.use.strength_clip) for choice in plan.loras]
        return io.NodeOutput(stack, plan.prompt, _said(plan), Generation(plan))


class OptimizeParameters(Planned):
    """Settings for a prompt and a checkpoint, to plug into KSampler and Empty Latent Image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            _prompt(),
            io.String.Input("checkpoint", default=""),
            _priority(),
            io.Int.Input("width", default=0, min=0, max=16384, step=8),
            io.Int.Input("height", default=0, min=0, max=16384, step=8),
            schema.LoraStackType.Input("lora_stack", optional=True),
            *_analysis(),
        ]
        outputs = [
            io.Int.Output("steps"),
            io.Float.Output("cfg"),
            io.AnyType.Output("sampler_name"),
            io.AnyType.Output("scheduler"),
            io.Int.Output("width_out"),
            io.Int.Output("height_out"),
            io.Int.Output("batch_size"),
            io.Float.Output("denoise"),
            io.Float.Output("guidance"),
            io.Int.Output("stop_at_clip_layer"),
            io.String.Output("explanation"),
        ]
        return schema.schema("IIG_OptimizeParameters", inputs, outputs, search_aliases=["steps", "cfg", "sampler", "optimizar"])

    @classmethod
    def execute(cls, **widgets: Any) -> io.NodeOutput:
        plan = _plan(widgets)
        chosen = plan.settings
        return io.NodeOutput(
            chosen.steps,
            chosen.cfg,
            chosen.sampler,
            chosen.scheduler,
            chosen.width,
            chosen.height,
            chosen.batch,
            chosen.denoise,
            chosen.guidance or 0.0,
            -(chosen.clip_skip or 1),
            _said(plan),
        )


class NegativePrompt(Planned):
    """A negative prompt that fits family and content and never contradicts the prompt."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            _prompt(),
            io.String.Input("checkpoint", default=""),
            io.String.Input("own", multiline=True, default=""),
            *_analysis(),
        ]
        outputs = [io.String.Output("negative"), io.Boolean.Output("has_effect")]
        return schema.schema("IIG_NegativePrompt", inputs, outputs, search_aliases=["negative", "negativo"])

    @classmethod
    def execute(cls, own: str, **widgets: Any) -> io.NodeOutput:
        plan = _plan({**widgets, "negative": own})
        return io.NodeOutput(plan.negative or "", plan.negative is not None)


class ExplainPlan(io.ComfyNode):
    """Why a plan is what it is; with the picture connected, what it really took."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [schema.PlanType.Input("plan"), *schema.speech(), io.Image.Input("image", optional=True)]
        outputs = [io.String.Output("explanation"), io.String.Output("plan_json")]
        return schema.schema("IIG_ExplainPlan", inputs, outputs, is_output_node=True, search_aliases=["why", "explicar"])

    @classmethod
    def execute(cls, plan: Generation, language: str, verbosity: str, image: Any = None) -> io.NodeOutput:
        from ..intelligence.explain import explain
        from . import recall, runs

        measured = runs.end(plan) if image is not None else None
        if measured:
            recall.finished(plan, measured)
        plan = runs.counted(plan)
        said = explain(plan.plan, asking.choice(Verbosity, verbosity), host.language(language), measured)
        return io.NodeOutput(said, to_json(plan), ui={"text": [said]})


def _prompt() -> Any:
    return io.String.Input("prompt", multiline=True, dynamic_prompts=True, default="")


def _priority() -> Any:
    return io.Combo.Input("priority", options=[member.value for member in Priority], default=Priority.BALANCED.value)


def _analysis() -> list[Any]:
    language = io.Combo.Input("language", options=["auto", "en", "es"], default="auto")
    return [schema.advanced(language), schema.AnalysisType.Input("analysis", optional=True)]


def _plan(widgets: dict[str, Any]) -> Plan:
    from .planning import plan_in_run

    analysis: Analysis | None = widgets.get("analysis")
    with host.speaking(host.language(widgets["language"])):
        request = asking.request_from({"mode": "auto", "priority": "balanced", **widgets})
        return plan_in_run(request, analysis=analysis)


def _said(plan: Plan) -> str:
    from ..intelligence.explain import explain

    return explain(plan, Verbosity.STANDARD, plan.request.language)
