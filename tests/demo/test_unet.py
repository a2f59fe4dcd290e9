"""Runs the UNet with a forward pass of its own, to see that it is the denoiser it claims to be."""

import math

import numpy as np
import pytest
from pack.demo.colours import PRIOR
from pack.demo.hints import controlnet, t2i_adapter
from pack.demo.schedule import sigmas
from pack.demo.shapes import SD15_FULL, SD15_NANO, SDXL, unet_shapes
from pack.demo.unet import NOISY, WANTED, unet
from pack.plan import Prediction

torch = pytest.importorskip("torch")
from torch.nn import functional as nn  # noqa: E402


class Network:
    """openaimodel.py's UNet, as far as the puppet uses it."""

    def __init__(self, shape, weights):
        self.shape = shape
        self.weights = {name: torch.from_numpy(weights.at(name)).float() for name in list(weights)}

    def __call__(self, x, timestep, context):
        embedding = self.time(timestep)
        skips = []
        for number in range(self.blocks("input_blocks")):
            name = f"input_blocks.{number}."
            if f"{name}0.op.weight" in self.weights:
                x = self.conv(name + "0.op", x, stride=2)
            elif number == 0:
                x = self.conv(name + "0", x)
            else:
                x = self.block(name, x, embedding, context)
            skips.append(x)
        for number in range(self.blocks("output_blocks")):
            name = f"output_blocks.{number}."
            x = self.block(name, torch.cat([x, skips.pop()], 1), embedding, context)
            if f"{name}1.conv.weight" in self.weights:
                x = self.conv(name + "1.conv", nn.interpolate(x, scale_factor=2))
        return self.conv("out.2", nn.silu(self.group_norm("out.0", x)))

    def blocks(self, part):
        return len({name.split(".")[1] for name in self.weights if name.startswith(part)})

    def time(self, timestep):
        angles = timestep * torch.exp(-math.log(10000) * torch.arange(160) / 160)
        wave = torch.cat([angles.cos(), angles.sin()])[None]
        return self.linear("time_embed.2", nn.silu(self.linear("time_embed.0", wave)))

    def block(self, name, x, embedding, context):
        x = self.residual(name + "0.", x, embedding)
        return self.transformer(name + "1.", x, context) if f"{name}1.norm.weight" in self.weights else x

    def residual(self, name, x, embedding):
        h = self.conv(name + "in_layers.2", nn.silu(self.group_norm(name + "in_layers.0", x)))
        h = h + self.linear(name + "emb_layers.1", nn.silu(embedding))[..., None, None]
        h = self.conv(name + "out_layers.3", nn.silu(self.group_norm(name + "out_layers.0", h)))
        return h + (self.conv(name + "skip_connection", x) if f"{name}skip_connection.weight" in self.weights else x)

    def transformer(self, name, x, context):
        """Only the first block's cross attention: everything else is zero."""
        block, heads = name + "transformer_blocks.0.", 5 if self.shape.linear else 8
        query = self.weights[block + "norm2.bias"].expand(1, 1, 320)  # norm2's weight is zero
        parts = [
            self.linear(f"{block}attn2.to_{part}", value) for part, value in (("q", query), ("k", context), ("v", context))
        ]
        split = [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts]
        seen = nn.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
        out = self.linear(block + "attn2.to_out.0", seen)
        leave = self.weights[name + "proj_out.weight"].reshape(320, 320)
        return x + (out @ leave.T).transpose(1, 2)[..., None]

    def group_norm(self, name, x):
        return nn.group_norm(x, 32, self.weights[name + ".weight"], self.weights[name + ".bias"])

    def linear(self, name, x):
        return nn.linear(x, self.weights[name + ".weight"], self.weights.get(name + ".bias"))

    def conv(self, name, x, stride=1):
        weight = self.weights[name + ".weight"]
        return nn.conv2d(x, weight, self.weights[name + ".bias"], stride=stride, padding=weight.shape[-1] // 2)


@pytest.mark.parametrize("shape", [SD15_NANO, SDXL], ids=["sd15", "sdxl"])
@pytest.mark.parametrize("prediction", [Prediction.EPS, Prediction.V])
def test_the_network_is_the_ideal_denoiser(shape, prediction):
    network, colour = Network(shape, unet(shape, prediction)), torch.tensor([0.25, -0.25, 0.1])
    context = torch.zeros(1, 77, shape.context)
    context[0, 5, :3], context[0, 5, 3] = colour, 1
    wanted = torch.cat([colour, torch.zeros(1)])[None, :, None, None]
    noise = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 4, 8, 8), np.float32))
    for timestep in (20, 300, 700, 980):
        sigma = float(sigmas()[timestep])
        x = wanted + noise * sigma
        output = network(x / math.hypot(1, sigma), timestep, context)
        if prediction is Prediction.V:
            guess = x / (sigma**2 + 1) - output * sigma / math.hypot(1, sigma)
        else:
            guess = x - sigma * output
        ideal = (PRIOR**2 * x + sigma**2 * wanted) / (sigma**2 + PRIOR**2)
        assert (guess - ideal).abs().max() < 0.1, timestep
        assert (guess - ideal).mean(dim=(0, 2, 3)).abs().max() < 0.01, timestep


@pytest.mark.parametrize("shape", [SD15_NANO, SD15_FULL, SDXL], ids=["nano", "full", "sdxl"])
def test_wiring_changes_no_shape(shape):
    empty, wired = unet_shapes(shape), unet(shape)
    assert {name: tensor.shape for name, tensor in wired.items()} == {name: tensor.shape for name, tensor in empty.items()}


def test_signal_channels_are_their_own():
    channels = [channel for pair in NOISY + WANTED for channel in pair]
    assert len(set(channels)) == 16
    assert {channel // 10 for channel in np.ravel(NOISY)} == {0, 1}
    assert {channel // 10 for channel in np.ravel(WANTED)} == {2, 3}


def test_a_control_hint_reaches_the_wanted_picture():
    weights = controlnet()
    weights = {
        name: torch.from_numpy(weights.at(name)).float() for name in list(weights) if "hint" in name or "zero_convs.0." in name
    }
    x = torch.tensor([1.0, 0.5, 0.0])[None, :, None, None].expand(1, 3, 64, 64)
    for layer in range(8):
        name = f"input_hint_block.{2 * layer}."
        x = nn.conv2d(x, weights[name + "weight"], weights[name + "bias"], stride=2 if layer in (2, 4, 6) else 1, padding=1)
        x = nn.silu(x) if layer < 7 else x
    out = nn.conv2d(x, weights["zero_convs.0.0.weight"], weights["zero_convs.0.0.bias"])[0, :, 4, 4]
    assert out.shape == (320,)
    for pair, expected in zip(WANTED, (1.0, 0.0, -1.0), strict=False):
        assert float(out[pair[0]] - out[pair[1]]) / 2 == pytest.approx(expected, abs=0.01)


def test_the_adapter_says_the_same():
    weights = t2i_adapter()
    assert sum(name.endswith("block1.weight") for name in weights) == 8
    hint = np.repeat([1.0, 0.5, 0.0], 64)  # 8 × 8 pixels unfolded per colour
    out = weights.at("conv_in.weight")[:, :, 1, 1].astype(float) @ hint + weights.at("conv_in.bias")
    assert [out[pair[0]] for pair in WANTED[:3]] == pytest.approx([1, 0, -1], abs=1e-3)
    assert [out[pair[1]] for pair in WANTED[:3]] == pytest.approx([-1, 0, 1], abs=1e-3)
