"""Whole checkpoints: UNet, text encoders and autoencoder under the names each family gives them."""

from __future__ import annotations

import numpy as np

from ..plan import Prediction
from .clip import PROJECTION, clip, clip_random, to_openclip
from .layers import randomise
from .shapes import SD15_NANO, SDXL, UNetShape, unet_shapes
from .sparse import F32, Weights
from .unet import unet
from .vae import set_scale, vae, vae_shapes

SD15_SCALE, SDXL_SCALE = 0.18215, 0.13025  # comfy/latent_formats.py


def sd15(shape: UNetShape = SD15_NANO) -> Weights:
    """A wired SD 1.5 checkpoint."""
    return _sd15(unet(shape), clip(), vae(4, SD15_SCALE))


def sd15_random(seed: int = 1) -> Weights:
    """An SD 1.5 checkpoint of noise: every layer does something, nothing means anything."""
    autoencoder = set_scale(randomise(vae_shapes(), seed + 2, 1.4))
    return _sd15(randomise(unet_shapes(SD15_NANO), seed), clip_random(seed + 1), autoencoder)


def sdxl(prediction: Prediction = Prediction.EPS) -> Weights:
    """A wired SDXL checkpoint. ComfyUI knows one that predicts velocity by the empty tensor ``v_pred``."""
    weights = Weights().put(unet(SDXL, prediction), "model.diffusion_model.")
    weights.put(_without_projection(clip()), "conditioner.embedders.0.transformer.")
    weights.put(to_openclip(clip(1280, 32)), "conditioner.embedders.1.model.")
    weights.put(vae(4, SDXL_SCALE), "first_stage_model.")
    if prediction is Prediction.V:
        weights["v_pred"] = np.zeros(0, F32)
    return weights


def _sd15(network: Weights, encoder: Weights, autoencoder: Weights) -> Weights:
    weights = Weights().put(network, "model.diffusion_model.")
    weights.put(_without_projection(encoder), "cond_stage_model.transformer.")
    return weights.put(autoencoder, "first_stage_model.")


def _without_projection(encoder: Weights) -> Weights:
    return Weights({name: tensor for name, tensor in encoder.items() if name != PROJECTION})
