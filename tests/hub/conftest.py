"""Model files in the real format, with holes where the weights would be."""

from __future__ import annotations

import json
import math
import struct
import sys
from pathlib import Path

import pytest
from pack.hub.registry import Registry
from pack.plan import Kind

sys.path.insert(0, str(Path(__file__).parent))  # standin.py: tests and benches import it by its name
from standin import StandIn

BITS = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "U8": 1}


def header_of(shapes, metadata=None, dtype="F16"):
    header, at = {}, 0
    if metadata:
        header["__metadata__"] = metadata
    for name, shape in shapes.items():
        size = math.prod(shape) * BITS[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return header, at


@pytest.fixture
def write_model():
    def write(path: Path, shapes, metadata=None, dtype="F16"):
        header, size = header_of(shapes, metadata, dtype)
        raw = json.dumps(header).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(struct.pack("<Q", len(raw)) + raw)
            file.truncate(8 + len(raw) + size)
        return path

    return write


@pytest.fixture
def tree(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def registry(tmp_path, tree):
    return Registry(tmp_path / "user" / "registry.sqlite3", {kind: [tree / kind.value] for kind in Kind})


SD15_LORA = {
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 768),
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": (320, 4),
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.alpha": (),
}


@pytest.fixture
def sd15_lora():
    return dict(SD15_LORA)


@pytest.fixture
def standin(tmp_path):
    """CivitAI, Hugging Face and their CDN on this machine; see ``standin.py``."""
    with StandIn(tmp_path / "hub") as hubs:
        yield hubs
