"""Matrices held in 8 bits by ComfyUI's own layers, quantised while a file is loaded: int8 and fp8 where it can hold single
layers in them (0.33 and newer), scaled fp8 where it is older.

Which form of int8, measured by ``bench/precision.py`` (relative error of an SD 3 of noise): one scale per matrix 0.085, one
per row 0.015; what flows through in 8 bits, too: 0.021, the same rotated ("convrot") 0.016. So a GPU that multiplies in int8 does so, rotated,
as ComfyUI's own int8 files do; elsewhere the weights alone are in 8 bits.
"""

from __future__ import annotations

import json
from typing import Any

from ..choices import Precision
from ..errors import UserError
from .precision import is_quantised

_FORMATS = {Precision.INT8: "int8_tensorwise", Precision.FP8: "float8_e4m3fn"}
_ROTATED = (256, 64)  # features rotated together: powers of four, the largest is ComfyUI's usual
# fp8 is as exact near its largest value as far below it: room for what LoRAs add costs nothing.
_FP8_PEAK = 448 / 8


def is_native() -> bool:
    """Whether this ComfyUI can hold single layers in 8 bits."""
    import comfy.ops

    return hasattr(comfy.ops, "mixed_precision_ops")


def operations(form: Precision, compute_dtype: Any, device: Any) -> Any:
    """ComfyUI's layers of mixed precision, computing in ``compute_dtype`` on ``device``; those matrices that ``is_quantised`` names
    are turned into 8 bits as they are loaded."""
    import comfy.ops
    import torch
    from comfy.quant_ops import QuantizedTensor

    in_int8 = form is Precision.INT8 and _multiplies_in_int8(device)
    base = comfy.ops.mixed_precision_ops({"mixed_ops": True}, compute_dtype, full_precision_mm=not in_int8)

    class Linear(base.Linear):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.held_dtype = kwargs.get("dtype") or compute_dtype
            self.weight_comfy_model_dtype = self.held_dtype  # what ComfyUI makes of weights that stay in their file

        def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
            weight = state_dict.get(f"{prefix}weight")
            if weight is not None and is_quantised(prefix.rstrip("."), weight.shape):
                state_dict.update(_entries(prefix, weight.to(compute_dtype), form, in_int8))
                super()._load_from_state_dict(state_dict, prefix, *rest)
                return
            # As in any other layer, where ComfyUI's would be held in the type it computes in, and be none if it is missing.
            empty = torch.zeros(self._orig_shape, dtype=self.held_dtype, device=self.factory_kwargs["device"])
            self.weight = torch.nn.Parameter(empty, requires_grad=False)
            torch.nn.Module._load_from_state_dict(self, state_dict, prefix, *rest)

        # Hooks ask the layer for everything by the name it has in its state.
        weight_scale = property(lambda self: self.state_dict()["weight_scale"])
        comfy_quant = property(lambda self: self.state_dict()["comfy_quant"])

        def set_weight(self, weight: Any, inplace_update: bool = False, **more: Any) -> Any:
            """Only hooks ask for "in place". ComfyUI puts back the numbers of an 8-bit weight afterwards, but not its scale:
            the model would be another one from then on."""
            if inplace_update and isinstance(self.weight, QuantizedTensor):
                raise UserError("hooks_on_8_bits")
            return super().set_weight(weight, **more)

        def _forward(self, input: Any, weight: Any, bias: Any) -> Any:
            if not in_int8 and isinstance(weight, QuantizedTensor):  # else torch would quantise the input, too
                weight = weight.dequantize()
            return torch.nn.functional.linear(input, weight, bias)

    return type("Operations", (base,), {"Linear": Linear})


def _multiplies_in_int8(device: Any) -> bool:
    """Whether there is a kernel of ComfyUI's for it: without one torch would do it, slowly and with much memory."""
    import comfy_kitchen
    from comfy.quant_ops import TensorWiseINT8Layout

    cuda = comfy_kitchen.list_backends().get("cuda", {})
    ready = bool(cuda.get("available")) and not cuda.get("disabled")
    return device.type == "cuda" and ready and bool(TensorWiseINT8Layout.supports_fast_matmul())


def _entries(prefix: str, weight: Any, form: Precision, in_int8: bool) -> dict[str, Any]:
    """What a quantised file has for this layer."""
    import torch
    from comfy.quant_ops import QUANT_ALGOS, QuantizedTensor

    told: dict[str, Any] = {} if in_int8 else {"full_precision_matrix_mult": True}
    how: dict[str, Any] = {"per_channel": True} if form is Precision.INT8 else {"scale": "recalculate"}
    group = next((size for size in _ROTATED if weight.shape[1] % size == 0), None)
    if in_int8 and group:
        told |= {"convrot": True, "convrot_groupsize": group}
        how |= {"convrot": True, "convrot_groupsize": group}
    quantised = QuantizedTensor.from_float(weight, QUANT_ALGOS[_FORMATS[form]]["comfy_tensor_layout"], **how)
    mark = torch.tensor(list(json.dumps({"format": _FORMATS[form], **told}).encode()), dtype=torch.uint8)
    return {**quantised.state_dict(f"{prefix}weight"), f"{prefix}comfy_quant": mark}


def scaled_fp8() -> Any:
    """The layers that older hosts read scaled fp8 files with, for those matrices alone that ``is_quantised`` names. A
    plain cast of everything, which their own loaders offer, errs twice as much."""
    import comfy.ops
    import torch

    base = comfy.ops.scaled_fp8_ops()

    class Linear(base.Linear):  # type: ignore[misc, name-defined]
        def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
            key = f"{prefix}weight"
            if key in state_dict and is_quantised(prefix.rstrip("."), state_dict[key].shape):
                weight = state_dict[key].to(self.weight.device).float()
                scale = (weight.abs().max() / _FP8_PEAK).clamp(min=1e-12)
                held = (weight / scale).to(torch.float8_e4m3fn)
                self.weight: Any = torch.nn.Parameter(held, requires_grad=False)
                state_dict |= {key: held, f"{prefix}scale_weight": scale}
            super()._load_from_state_dict(state_dict, prefix, *rest)

    return type("ScaledFp8", (base,), {"Linear": Linear})
