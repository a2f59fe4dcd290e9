import json
import struct

import pytest
from pack.errors import LANGUAGES, sentence
from pack.hub.headers import read_header

GOOD = {"a": {"dtype": "F16", "shape": [2, 2], "data_offsets": [0, 8]}}


def packed(header, data=b"\0" * 8, length=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def problem_of(tmp_path, content, extension=".safetensors"):
    path = tmp_path / f"file{extension}"
    path.write_bytes(content)
    return read_header(str(path), extension, len(content)).problem


def test_a_header_gives_tensors_and_metadata(tmp_path):
    path = tmp_path / "a.safetensors"
    content = packed({"__metadata__": {"ss_base_model_version": "sd_v1"}, **GOOD})
    path.write_bytes(content)
    header = read_header(str(path), ".safetensors", len(content))
    assert header.problem is None
    assert header.tensors["a"]["shape"] == [2, 2]
    assert header.metadata == {"ss_base_model_version": "sd_v1"}


def test_a_header_longer_than_the_first_read_is_read_whole(tmp_path):
    many = {f"layer.{n}.weight": {"dtype": "F16", "shape": [1], "data_offsets": [2 * n, 2 * n + 2]} for n in range(5000)}
    assert problem_of(tmp_path, packed(many, b"\0" * 10_000)) is None


def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path):
    raw = json.dumps(GOOD).encode()
    assert problem_of(tmp_path, packed(raw + b" " * (0x0280 - len(raw)))) is None


@pytest.mark.parametrize(
    ("content", "extension", "problem"),
    [
        (b"", ".safetensors", "file_empty"),
        (b"abc", ".safetensors", "file_truncated"),
        (b"\n<!DOCTYPE html><html>sign in</html>", ".safetensors", "file_web_page"),
        (b'{"error":"Unauthorized"}', ".safetensors", "file_web_page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ".safetensors", "file_lfs_pointer"),
        (b"PK\x03\x04" + b"\0" * 60, ".safetensors", "file_pickle"),
        (b"\x80\x02}q\0." + b"\0" * 60, ".ckpt", "file_pickle"),
        (packed(GOOD), ".pt", "file_pickle"),
        (b"GGUF" + b"\0" * 60, ".gguf", "file_gguf"),
        (packed(GOOD, length=10**6), ".safetensors", "file_truncated"),
        (packed(GOOD, length=2**63), ".safetensors", "file_header_invalid"),
        (packed(GOOD, length=5), ".safetensors", "file_header_invalid"),
        (packed(GOOD, data=b"\0\0"), ".safetensors", "file_truncated"),
        (packed(b"{not json"), ".safetensors", "file_header_invalid"),
        (packed(b'{"a":' * 2000), ".safetensors", "file_header_invalid"),
        (packed(b"{}"), ".safetensors", "file_header_invalid"),
        (packed(b"[]"), ".safetensors", "file_header_invalid"),
        (packed(b"{\xff\xfe}"), ".safetensors", "file_header_invalid"),
        (packed({"a": 3}), ".safetensors", "file_header_invalid"),
        (packed({"a": {"dtype": "F16", "shape": [1]}}), ".safetensors", "file_header_invalid"),
        (packed({"a": {"dtype": "F16", "shape": [1], "data_offsets": [4, 2]}}), ".safetensors", "file_header_invalid"),
        (packed({"a": {"dtype": "F16", "shape": [1], "data_offsets": ["0", 2]}}), ".safetensors", "file_header_invalid"),
        (packed({"a": {"dtype": 1, "shape": [1], "data_offsets": [0, 2]}}), ".safetensors", "file_header_invalid"),
    ],
)
def test_broken_files_say_why_and_never_raise(tmp_path, content, extension, problem):
    assert problem_of(tmp_path, content, extension) == problem
    for language in LANGUAGES:
        assert "x.safetensors" in sentence("errors", problem, language, {"name": "x.safetensors"})


def test_a_missing_file_is_a_problem_not_an_error(tmp_path):
    assert read_header(str(tmp_path / "none.safetensors"), ".safetensors", 5).problem == "file_unreadable"
    assert read_header(str(tmp_path), ".safetensors", 5).problem == "file_unreadable"
