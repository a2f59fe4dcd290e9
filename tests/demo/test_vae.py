import numpy as np
import pytest
from pack.demo.vae import vae


@pytest.mark.parametrize("channels", [4, 16])
def test_encoding_averages_and_decoding_gives_it_back(channels):
    torch = pytest.importorskip("torch")
    weights = {name: torch.tensor(np.asarray(tensor)).float() for name, tensor in dense(vae(channels)).items()}
    pixels = torch.tensor([0.9, 0.5, 0.2])[None, :, None, None].expand(1, 3, 32, 32)
    latent = encode(torch, weights, pixels)
    assert latent.shape == (1, channels, 4, 4)
    assert latent[0, :3, 1, 1].tolist() == pytest.approx([0.8, 0.0, -0.6], abs=2e-3)
    decoded = decode(torch, weights, latent)
    assert decoded[0, :, 16, 16].tolist() == pytest.approx([0.9, 0.5, 0.2], abs=0.02)


def dense(weights):
    return {name: weights.at(name) for name in list(weights)}


def block(torch, weights, name, x):
    h = x
    for layer in (0, 2, 4):
        h = convolve(torch, weights, f"{name}.conv.{layer}", h)
        h = h if layer == 4 else torch.relu(h)
    return torch.relu(h + x)


def convolve(torch, weights, name, x, stride=1):
    return torch.nn.functional.conv2d(x, weights[name + ".weight"], weights.get(name + ".bias"), stride=stride, padding=1)


def run(torch, weights, part, x, count, samplings, upward):
    for number in range(1, count):
        name = f"{part}{number}"
        if f"{name}.conv.0.weight" in weights:
            x = block(torch, weights, name, x)
        elif number in samplings:
            x = convolve(torch, weights, name, x, 1 if upward else 2)
        elif f"{name}.weight" in weights:
            x = convolve(torch, weights, name, x)
        elif upward and number in (2,):
            x = torch.relu(x)
        elif upward:
            x = torch.nn.functional.interpolate(x, scale_factor=2)
    return x


def encode(torch, weights, pixels):
    x = convolve(torch, weights, "taesd_encoder.0", pixels)
    x = run(torch, weights, "taesd_encoder.", x, 14, (2, 6, 10), False)
    return convolve(torch, weights, "taesd_encoder.14", x)


def decode(torch, weights, latent):
    x = run(torch, weights, "taesd_decoder.", torch.tanh(latent / 3) * 3, 19, (7, 12, 17), True)
    return convolve(torch, weights, "taesd_decoder.19", x)
