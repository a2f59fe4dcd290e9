"""A pack for the tests' ComfyUI: it stops or breaks a stage from within, and tells how ComfyUI's settings stand. ComfyUI
loads this file; pytest only finds it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

SEEN: list[dict[str, Any]] = []
HELD: dict[str, Any] = {}


def look(place: str) -> dict[str, Any]:
    import comfy.model_management as management

    return {
        "place": place,
        "vram_state": management.vram_state.name,
        "reserve": management.EXTRA_RESERVED_VRAM,
        "models": [type(each.model.model).__name__ for each in management.current_loaded_models if each.model is not None],
        "hooks": sum(len(module._forward_pre_hooks) for module in HELD.get("modules", ())),
        "wrappers": str(HELD["model"].wrappers) if "model" in HELD else "",
    }


def act(action: str) -> None:
    import comfy.model_management as management

    if action == "error":
        raise RuntimeError("the probe broke it")
    if action == "interrupt":
        management.interrupt_current_processing()
        management.throw_exception_if_processing_interrupted()


@contextmanager
def stopping(network: Any, action: str) -> Any:
    """The first module of the network that computes acts."""
    hooks = [module.register_forward_pre_hook(lambda *_: act(action)) for module in network.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class ProbeModel:
    """A model that tells how things stand when it is about to load and when it samples, and acts there."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("MODEL",), "probe", "test"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"model": ("MODEL",), "place": ("STRING",), "action": ("STRING",)}}

    def probe(self, model: Any, place: str, action: str) -> tuple[Any]:
        from comfy.patcher_extension import WrappersMP

        def at(here: str) -> Any:
            def wrapper(executor: Any, *args: Any, **kwargs: Any) -> Any:
                SEEN.append(look(here))
                if here == place:
                    act(action)
                return executor(*args, **kwargs)

            return wrapper

        HELD["model"] = model
        probed = model.clone()
        probed.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, "probe", at("load"))
        probed.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "probe", at("sample"))
        return (probed,)


class ProbeEncode:
    RETURN_TYPES, FUNCTION, CATEGORY = ("CONDITIONING",), "probe", "test"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"clip": ("CLIP",), "text": ("STRING",), "action": ("STRING",)}}

    def probe(self, clip: Any, text: str, action: str) -> tuple[Any]:
        HELD["modules"] = list(clip.cond_stage_model.modules())
        with stopping(clip.cond_stage_model, action):
            return (clip.encode_from_tokens_scheduled(clip.tokenize(text)),)


class ProbeDecode:
    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE",), "probe", "test"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"samples": ("LATENT",), "vae": ("VAE",), "action": ("STRING",)}}

    def probe(self, samples: Any, vae: Any, action: str) -> tuple[Any]:
        HELD["modules"] = list(vae.first_stage_model.modules())
        SEEN.append(look("decode"))
        with stopping(vae.first_stage_model, action):
            return (vae.decode(samples["samples"]),)


def _add_route() -> None:
    from aiohttp import web
    from server import PromptServer

    @PromptServer.instance.routes.get("/iig_probe")
    async def tell(request: Any) -> Any:
        seen, SEEN[:] = list(SEEN), []
        return web.json_response({"now": look("now"), "seen": seen})


NODE_CLASS_MAPPINGS = {"ProbeModel": ProbeModel, "ProbeEncode": ProbeEncode, "ProbeDecode": ProbeDecode}
_add_route()
