"""A plan becomes native nodes, for expansion inside ComfyUI or as a workflow of its own."""

from __future__ import annotations

from typing import Any

from ..data.families import families
from ..errors import BadRequest
from ..plan import Plan
from .builder import Builder, Graph, Link
from .parts import Job
from .recipes import RECIPES
from .staged import staged


def build(plan: Plan, seed: int, prefix: str = "", image: Link | None = None) -> Graph:
    """The native graph of a plan. Only sampler and noise nodes depend on ``seed``; ``image`` links to an
    IMAGE to start from. Raises ``BadRequest`` for a family or recipe this version does not know and
    ``MissingModel`` for a plan without its files."""
    family, recipe = families().get(plan.family), RECIPES.get(plan.recipe)
    if family is None:
        raise BadRequest("plan_family_unknown", plan.request.language, family=plan.family)
    if recipe is None:
        raise BadRequest("plan_recipe_unknown", plan.request.language, family=family.label, recipe=plan.recipe)
    job = Job(plan, family, int(seed), Builder(prefix), image)
    return staged(recipe(job), plan, job.nodes)


def api(plan: Plan, seed: int, filename_prefix: str, image: str | None = None) -> dict[str, Any]:
    """A complete API-format workflow that saves the picture; ``image`` is a file in ComfyUI's input folder."""
    return dict(saving(plan, seed, filename_prefix, image).nodes)


def saving(plan: Plan, seed: int, filename_prefix: str, image: str | None = None) -> Graph:
    """The graph of ``api``."""
    graph = build(plan, seed, image=["load_image", 0] if image else None)
    nodes = dict(graph.nodes)
    if image:
        nodes["load_image"] = {"class_type": "LoadImage", "inputs": {"image": image}}
    inputs = {"images": list(graph.outputs["image"]), "filename_prefix": filename_prefix}
    nodes["save"] = {"class_type": "SaveImage", "inputs": inputs}
    return Graph(nodes, graph.outputs)
