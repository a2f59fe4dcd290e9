"""Save Image with Plan: the picture, how it came about, and a text other programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..choices import Verbosity
from ..files import write_whole
from ..values import to_json
from . import asking, host, schema
from .pictures import pictures, write_png

if TYPE_CHECKING:
    from ..plan import Generation


class SaveImageWithPlan(io.ComfyNode):
    """Writes PNG files with plan, explanation and ``parameters``; sidecars on request."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            io.Image.Input("images"),
            schema.PlanType.Input("plan"),
            io.String.Input("filename_prefix", default="IIG"),
            io.Boolean.Input("sidecars", default=False),
            *schema.speech(),
            schema.advanced(io.String.Input("batch", default="", optional=True)),
        ]
        hidden = [io.Hidden.prompt, io.Hidden.extra_pnginfo]
        return schema.schema(
            "IIG_SaveImage",
            inputs,
            [io.String.Output("explanation")],
            is_output_node=True,
            hidden=hidden,
            search_aliases=["save", "guardar"],
        )

    @classmethod
    def fingerprint_inputs(cls, batch: str | None = None, **widgets: Any) -> str:
        """An item of a batch that is queued again was not recorded as done, so its picture is saved again."""
        return schema.each_time() if batch else ""

    @classmethod
    def execute(
        cls,
        images: Any,
        plan: Generation,
        filename_prefix: str,
        sidecars: bool,
        language: str,
        verbosity: str,
        batch: str = "",
    ) -> io.NodeOutput:
        from ..intelligence.explain import explain
        from ..plan import PNG_KEY
        from . import batch_queue, recall, runs

        spoken = host.language(language)
        with host.speaking(spoken):
            level = asking.choice(Verbosity, verbosity)
        measured, plan = runs.end(plan), runs.counted(plan)
        said = explain(plan.plan, level, spoken, measured)
        texts = texts_of(plan, said)
        results = []
        for picture in pictures(images, filename_prefix):
            write_png(picture, {**_workflow(cls.hidden), **texts})
            if sidecars:
                _write_sidecars(picture.path, texts)
            results.append({"filename": picture.path.name, "subfolder": picture.subfolder, "type": "output"})
        names = [f"{result['subfolder']}/{result['filename']}".replace("\\", "/").lstrip("/") for result in results]
        recall.finished(plan, measured, names)
        batch_queue.record(batch, plan, names)
        shown = {"images": results, "text": [said], "generation": [texts[PNG_KEY]]}
        return io.NodeOutput(said, ui=shown | ({"measured": [to_json(measured)]} if measured else {}))


def texts_of(generation: Generation, said: str) -> dict[str, str]:
    """The PNG text chunks of a generation: ours, and the ``parameters`` that A1111-style readers know."""
    from ..graph.parameters import parameters_text
    from ..plan import PNG_KEY

    return {
        "parameters": parameters_text(generation.plan, generation.seed),
        PNG_KEY: to_json(generation),
        "explanation": said,
    }


def _workflow(hidden: Any) -> dict[str, str]:
    """What ComfyUI's own Save Image writes, so that dropping the picture on the canvas brings the graph back."""
    texts = {"prompt": json.dumps(hidden.prompt)} if hidden.prompt is not None else {}
    return texts | {key: json.dumps(value) for key, value in (hidden.extra_pnginfo or {}).items()}


def _write_sidecars(picture: Path, texts: dict[str, str]) -> None:
    from ..plan import PNG_KEY

    write_whole(picture.with_suffix(".md"), texts["explanation"])
    write_whole(picture.with_suffix(".plan.json"), texts[PNG_KEY])
    write_whole(picture.with_suffix(".txt"), texts["parameters"])
