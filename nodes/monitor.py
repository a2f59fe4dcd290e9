"""The Memory Monitor node."""

from __future__ import annotations

import json
from typing import Any

from comfy_api.latest import io

from ..choices import Verbosity
from . import asking, host, schema


class MemoryMonitor(io.ComfyNode):
    """How full the memory is when what is connected is there, and what fills it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [io.AnyType.Input("value", optional=True), *schema.speech()]
        outputs = [io.AnyType.Output("value_out"), io.String.Output("report"), io.String.Output("readout_json")]
        aliases = ["vram", "ram", "gpu memory", "memory usage", "memoria"]
        return schema.schema("IIG_MemoryMonitor", inputs, outputs, is_output_node=True, search_aliases=aliases)

    @classmethod
    def fingerprint_inputs(cls, **widgets: Any) -> str:
        return schema.each_time()

    @classmethod
    def execute(cls, language: str, verbosity: str, value: Any = None) -> io.NodeOutput:
        from ..memory_report import figures, report
        from .watching import readout

        spoken = host.language(language)
        with host.speaking(spoken):
            level = asking.choice(Verbosity, verbosity)
        found = readout()
        text = report(found, level, spoken)
        return io.NodeOutput(value, text, json.dumps(figures(found, spoken), ensure_ascii=False), ui={"text": [text]})
