"""all-MiniLM-L6-v2 on the host's torch and ``tokenizers``: the same vectors as sentence-transformers, loaded in a
twentieth of a second. Imported late, by ``embedding`` only.

Architecture: BERT, post-layer-norm, mean pooling over real tokens, unit length (model card
sentence-transformers/all-MiniLM-L6-v2 with its config.json and 1_Pooling/config.json).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

MAX_TOKENS = 256


class MiniLm:
    """Encodes texts to unit vectors of ``dimensions`` numbers, on the CPU with one thread."""

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.name = "all-MiniLM-L6-v2"
        self.dimensions: int = config["hidden_size"]
        self._heads: int = config["num_attention_heads"]
        self._layers: int = config["num_hidden_layers"]
        self._epsilon: float = config["layer_norm_eps"]
        self._weights = {key.removeprefix("bert."): tensor for key, tensor in load_file(folder / "model.safetensors").items()}
        self._tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokens.enable_truncation(MAX_TOKENS)
        self._tokens.enable_padding()

    def encode(self, texts: Sequence[str]) -> Any:
        """Float32 of shape (texts, dimensions), each row of length 1."""
        batch = self._tokens.encode_batch(list(texts))
        ids = torch.tensor([row.ids for row in batch])
        mask = torch.tensor([row.attention_mask for row in batch], dtype=torch.bool)
        with torch.inference_mode(), _one_thread():
            hidden = self._forward(ids, mask)
            pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            vectors: Any = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return vectors

    def _forward(self, ids: Any, mask: Any) -> Any:
        get = self._weights
        hidden = get["embeddings.word_embeddings.weight"][ids] + get["embeddings.token_type_embeddings.weight"][0]
        hidden = self._norm(hidden + get["embeddings.position_embeddings.weight"][: ids.shape[1]], "embeddings")
        for layer in range(self._layers):
            hidden = self._layer(hidden, mask[:, None, None, :], f"encoder.layer.{layer}.")
        return hidden

    def _layer(self, hidden: Any, mask: Any, at: str) -> Any:
        query, key, value = (
            self._split(self._linear(hidden, f"{at}attention.self.{part}")) for part in ("query", "key", "value")
        )
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)
        hidden = self._norm(hidden + self._linear(mixed, f"{at}attention.output.dense"), f"{at}attention.output")
        inner = gelu(self._linear(hidden, f"{at}intermediate.dense"))
        return self._norm(hidden + self._linear(inner, f"{at}output.dense"), f"{at}output")

    def _split(self, tensor: Any) -> Any:
        return tensor.unflatten(-1, (self._heads, -1)).transpose(1, 2)

    def _linear(self, tensor: Any, at: str) -> Any:
        return linear(tensor, self._weights[f"{at}.weight"], self._weights[f"{at}.bias"])

    def _norm(self, tensor: Any, at: str) -> Any:
        weight, bias = self._weights[f"{at}.LayerNorm.weight"], self._weights[f"{at}.LayerNorm.bias"]
        return layer_norm(tensor, weight.shape, weight, bias, self._epsilon)


@contextmanager
def _one_thread() -> Iterator[None]:
    # Two threads beside a busy core wait for each other: 468 ms instead of 11 ms a prompt.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
