"""Save Image with Plan: the picture, how it came about, and a text other programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from comfy_api.latest import io

from ..plan import Generation, Verbosity
from ..values import to_json
from . import asking, host, schema
from .auto import EXTRA_PNGINFO_KEY
from .pictures import pictures, write_png, write_text


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
    def execute(
        cls, images: Any, plan: Generation, filename_prefix: str, sidecars: bool, language: str, verbosity: str
    ) -> io.NodeOutput:
        from ..intelligence.explain import explain
        from . import runs

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
        shown = {"images": results, "text": [said], "generation": [texts[EXTRA_PNGINFO_KEY]]}
        return io.NodeOutput(said, ui=shown | ({"measured": [to_json(measured)]} if measured else {}))


def texts_of(generation: Generation, said: str) -> dict[str, str]:
    """The PNG text chunks of a generation: ours, and the ``parameters`` that A1111-style readers know."""
    from ..graph.parameters import parameters_text

    return {
        "parameters": parameters_text(generation.plan, generation.seed),
        EXTRA_PNGINFO_KEY: to_json(generation),
        "explanation": said,
    }


def _workflow(hidden: Any) -> dict[str, str]:
    """What ComfyUI's own Save Image writes, so that dropping the picture on the canvas brings the graph back."""
    texts = {"prompt": json.dumps(hidden.prompt)} if hidden.prompt is not None else {}
    return texts | {key: json.dumps(value) for key, value in (hidden.extra_pnginfo or {}).items()}


def _write_sidecars(picture: Path, texts: dict[str, str]) -> None:
    write_text(picture.with_suffix(".md"), texts["explanation"])
    write_text(picture.with_suffix(".plan.json"), texts[EXTRA_PNGINFO_KEY])
    write_text(picture.with_suffix(".txt"), texts["parameters"])
