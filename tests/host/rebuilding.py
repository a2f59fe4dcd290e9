"""Run by ``test_loaders.py`` in a process of its own: root of the pack, ComfyUI, checkpoint → a JSON line of differences."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def main(root: str, host: str, checkpoint: str) -> None:
    os.chdir(host)
    sys.path.insert(0, host)
    sys.argv = ["main.py", "--cpu"]
    import comfy.options

    comfy.options.enable_args_parsing()
    spec = importlib.util.spec_from_file_location("pack", f"{root}/__init__.py", submodule_search_locations=[root])
    assert spec and spec.loader
    sys.modules["pack"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    import torch

    with torch.inference_mode():
        print(json.dumps(differences(Path(checkpoint))))


def differences(checkpoint: Path) -> dict[str, Any]:
    from pack.memory.load import load_checkpoint

    loaded = load_checkpoint(checkpoint, "int8", "int8")
    patchers = {"model": loaded.model, "encoder": loaded.clip.patcher, "vae": loaded.vae.patcher}
    told = {name: rebuilt(patcher) for name, patcher in patchers.items()}
    share = loaded.model.model_size() / load_checkpoint(checkpoint, "fp16", "fp16").model.model_size()
    return {**told, **patched(loaded.model), "state": reloaded(loaded.model), "of_fp16": round(share, 2)}


def rebuilt(patcher: Any) -> float:
    """Largest difference of a weight after the factory made the model anew, as a dynamic host asks it to."""
    factory, arguments = patcher.cached_patcher_init[:2]
    return difference(patcher.model.state_dict(), factory(*arguments, disable_dynamic=True).model.state_dict())


def patched(patcher: Any) -> dict[str, bool]:
    """Whether a patch changes a quantised weight by what it says, and whether the weight is back to the bit afterwards."""
    import comfy.model_management as management
    import torch

    key = "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
    before, held = value(patcher.model, key), raw(patcher.model, key)
    change = torch.randn(before.shape, generator=torch.Generator().manual_seed(1)) * before.std() * 0.5
    clone = patcher.clone()
    clone.add_patches({key: ("diff", (change,))}, 1.0)
    management.load_models_gpu([clone])
    after = value(patcher.model, key)
    near = (after - before - change).abs().mean() < 0.1 * change.abs().mean()
    management.load_models_gpu([patcher])
    return {"patched": bool(near), "restored": bool((raw(patcher.model, key) == held).all())}


def reloaded(patcher: Any) -> float:
    """Largest difference of a weight after its state went through a new model of the same kind."""
    import torch
    from pack.memory.load import _read, _types, load_diffusion_model
    from safetensors.torch import save_file

    state = {key: tensor.detach().contiguous() for key, tensor in patcher.model.diffusion_model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved.safetensors"
        save_file(state, path)
        again = load_diffusion_model(path)
        assert again.reasons[0].key == "load.already"
        plain = Path(folder) / "plain.safetensors"  # without the prefix that checkpoints have
        save_file({key: value.float().half() for key, value in state.items() if "transformer_blocks" not in key}, plain)
        assert _types(*_read(plain))[0] == torch.float16
        return difference(state, again.model.model.diffusion_model.state_dict())


def value(model: Any, key: str) -> Any:
    import comfy.utils

    layer = comfy.utils.get_attr(model, key.rsplit(".", 1)[0])
    return layer.convert_weight(layer.weight.clone()).float()


def raw(model: Any, key: str) -> Any:
    import comfy.utils

    weight = comfy.utils.get_attr(model, key)
    return getattr(weight, "_qdata", weight).clone()


def difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    assert one.keys() == other.keys()
    given = [key for key in one if one[key].numel() and "text_projection" not in key]  # no file has that one: memory as it was
    return max(float((one[key].float() - other[key].float()).abs().max()) for key in given)


if __name__ == "__main__":
    main(*sys.argv[1:])
