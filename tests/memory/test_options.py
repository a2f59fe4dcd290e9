"""The settings of memory: a file under the environment, refused where they make no sense."""

from __future__ import annotations

import json

import pytest
from pack.errors import BadRequest
from pack.memory.options import FILE, MemoryOptions, change_options, read_options


def test_without_a_file_the_usual_settings_hold(tmp_path):
    assert read_options(tmp_path, {}) == MemoryOptions()


def test_changes_are_kept_beside_what_was_set_before(tmp_path):
    change_options(tmp_path, {"pool_gb": 8})
    assert change_options(tmp_path, {"retry": False}) == MemoryOptions(pool_gb=8.0, retry=False)
    assert read_options(tmp_path, {}) == MemoryOptions(pool_gb=8.0, retry=False)
    assert json.loads((tmp_path / FILE).read_text()) == {"pool_gb": 8.0, "retry": False}
    assert change_options(tmp_path, {"pool_gb": None}).pool_gb is None


@pytest.mark.parametrize(
    "changes",
    [
        {"pool_gb": -1},
        {"pool_gb": 1e9},
        {"pool_gb": float("nan")},
        {"clean_below": 1},
        {"clean_below": -0.1},
        {"clean_below": None},
        {"retry": "perhaps"},
        {"retry": None},
        {"poolgb": 3},
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(tmp_path, changes):
    change_options(tmp_path, {"clean_below": 0.1})
    with pytest.raises(BadRequest):
        change_options(tmp_path, changes)
    assert json.loads((tmp_path / FILE).read_text()) == {"clean_below": 0.1}


def test_the_environment_wins_over_the_file(tmp_path):
    change_options(tmp_path, {"pool_gb": 8, "clean_below": 0.1, "retry": True})
    environ = {
        "INTELLIGENT_GENERATION_MEMORY_POOL_GB": "auto",
        "INTELLIGENT_GENERATION_MEMORY_CLEAN_BELOW": "0",
        "INTELLIGENT_GENERATION_MEMORY_RETRY": "off",
    }
    assert read_options(tmp_path, environ) == MemoryOptions(pool_gb=None, clean_below=0.0, retry=False)
    assert read_options(tmp_path, {"INTELLIGENT_GENERATION_MEMORY_RETRY": "1"}).retry is True
    assert read_options(tmp_path, {"INTELLIGENT_GENERATION_MEMORY_POOL_GB": ""}).pool_gb == 8
    assert json.loads((tmp_path / FILE).read_text())["pool_gb"] == 8


@pytest.mark.parametrize("text", ["{", "[1]x", '{"pool": 1}', '{"retry": "maybe"}'])
def test_an_unreadable_file_is_named(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BadRequest) as raised:
        read_options(tmp_path, {})
    assert "retry" in str(raised.value) or str(tmp_path / FILE) in str(raised.value)


def test_the_pool_takes_a_third_of_the_ram_unless_told_otherwise():
    assert MemoryOptions().pool_bytes(48_000_000_000) == 16_000_000_000
    assert MemoryOptions(pool_gb=2.5).pool_bytes(48_000_000_000) == 2_500_000_000
    assert MemoryOptions(pool_gb=0).pool_bytes(48_000_000_000) == 0
