import json
import struct

import numpy as np
import pytest
from pack.demo.sparse import F16, F32, Weights, Zeros, is_complete, save


def read(path):
    """An independent reader: {name: array}, metadata."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    rows = json.loads(raw[8 : 8 + length])
    metadata = rows.pop("__metadata__", {})
    kinds = {"F16": np.float16, "F32": np.float32}
    arrays = {}
    for name, row in rows.items():
        start, end = (8 + length + offset for offset in row["data_offsets"])
        arrays[name] = np.frombuffer(raw[start:end], kinds[row["dtype"]]).reshape(row["shape"])
    return arrays, metadata


def some_weights():
    weights = Weights(
        {"zeros": Zeros((3, 5000)), "ones": np.ones(7, F16), "scale": np.array(0.5, F32), "empty": np.zeros(0, F32)}
    )
    weights.at("zeros")[1, 4321] = 2
    random = np.random.default_rng(1).standard_normal((37, 411)).astype(F16)
    return weights.put({"noise": random, "odd": np.arange(4097, dtype=F16)}, "part.")


def test_every_value_comes_back(tmp_path):
    weights = some_weights()
    save(tmp_path / "a.safetensors", weights, {"b": "2", "a": "1"})
    arrays, metadata = read(tmp_path / "a.safetensors")
    assert metadata == {"a": "1", "b": "2"}
    assert arrays.keys() == weights.keys()
    for name, tensor in weights.items():
        assert np.array_equal(arrays[name], tensor), name


def test_reads_with_the_reference_implementation(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    save(tmp_path / "a.safetensors", some_weights())
    loaded = safetensors.load_file(tmp_path / "a.safetensors")
    assert loaded["zeros"][1, 4321] == 2 and loaded["zeros"].sum() == 2
    assert loaded["empty"].shape == (0,)


def test_at_materialises_zeros_once():
    weights = Weights({"a": Zeros((2, 2))})
    weights.at("a")[0, 1] = 5
    assert weights.at("a").sum() == 5 and weights["a"].dtype == F16


@pytest.mark.parametrize("kept_bytes", [0, 5, 30, 2000])
def test_a_truncated_file_is_not_complete(tmp_path, kept_bytes):
    path = tmp_path / "a.safetensors"
    save(path, some_weights())
    assert is_complete(path)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    assert not is_complete(path)


def test_what_is_no_safetensors_file_is_not_complete(tmp_path):
    (tmp_path / "a").write_bytes(b"\x02\0\0\0\0\0\0\0[]")
    assert not is_complete(tmp_path / "a")
    assert not is_complete(tmp_path / "missing")
    assert not is_complete(tmp_path)


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    weights = Weights({"a": np.ones(3, F16)})
    weights["b"] = np.array([object()])
    with pytest.raises(KeyError):
        save(path, weights)
    assert path.read_bytes() == b"old" and [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
