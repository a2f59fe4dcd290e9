"""ComfyUI's side: V3 nodes, routes, and everything that needs the host.

What only a run needs (planner, registry, explanations) is imported inside functions: loading the pack costs
ComfyUI's start no time.
"""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .auto import AutoPipeline
from .batches import BatchVariations, ContactSheet
from .feedback import FeedbackInsights, RateImage
from .hub import DownloadModel, ModelInfo, SearchHub
from .keep import forget_with_host, register_provider
from .loaders import LoadCheckpoint, LoadDiffusionModel
from .lora import ApplyLoraStack, CheckLora
from .memory import FreeMemory, MemoryStrategy, Pooled
from .monitor import MemoryMonitor
from .routes import add_routes, ask_anew_for_scripts
from .save import SaveImageWithPlan
from .single import AnalyzePrompt, ChooseModel, ExplainPlan, NegativePrompt, OptimizeParameters, RecommendLoras


class IntelligentGeneration(ComfyExtension):
    """The pack as ComfyUI loads it."""

    def __init__(self) -> None:
        add_routes()  # here, since older hosts never call on_load
        ask_anew_for_scripts()
        forget_with_host()

    async def on_load(self) -> None:
        await register_provider()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            AutoPipeline,
            AnalyzePrompt,
            ChooseModel,
            RecommendLoras,
            ApplyLoraStack,
            OptimizeParameters,
            NegativePrompt,
            ExplainPlan,
            SaveImageWithPlan,
            CheckLora,
            SearchHub,
            DownloadModel,
            ModelInfo,
            RateImage,
            FeedbackInsights,
            BatchVariations,
            ContactSheet,
            LoadCheckpoint,
            LoadDiffusionModel,
            MemoryStrategy,
            FreeMemory,
            Pooled,
            MemoryMonitor,
        ]
