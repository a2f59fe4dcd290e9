"""Intelligent Generation for ComfyUI: from a prompt to a picture with the models on your own disk."""

__version__ = "0.1.0"

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():  # type: ignore[no-untyped-def]
    """ComfyUI's V3 entry point; the node layer is imported here, late, so that the package imports anywhere."""
    from .nodes import IntelligentGeneration

    return IntelligentGeneration()
