"""Plan → native ComfyUI graph, as plain dicts."""

from .builder import Graph, Link
from .compile import api, build, saving

__all__ = ["Graph", "Link", "api", "build", "saving"]
