"""Native nodes as plain values: ComfyUI's API format, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Link = list[Any]
"""``[node id, output slot]``, as ComfyUI writes a link."""


@dataclass(frozen=True)
class Graph:
    """``nodes`` maps an id to ``{"class_type", "inputs"}``; ``outputs`` names the links worth going on from:
    image, latent, model, clip, vae, positive, negative."""

    nodes: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Link]


@dataclass(frozen=True)
class Node:
    """A node that was added; ``out`` links to one of its outputs."""

    id: str

    def out(self, slot: int = 0) -> Link:
        return [self.id, slot]


class Builder:
    """Collects nodes under readable ids, each with ``prefix`` before it."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.nodes: dict[str, dict[str, Any]] = {}

    def add(self, name: str, class_type: str, **inputs: Any) -> Node:
        """Adds one node. Raises ``ValueError`` for a name that is taken."""
        node_id = self._prefix + name
        if node_id in self.nodes:
            raise ValueError(f"node id {node_id} is taken")
        self.nodes[node_id] = {"class_type": class_type, "inputs": inputs}
        return Node(node_id)
