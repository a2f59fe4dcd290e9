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


@pytest.mark.parametrize("text", ["{", "[1]x", "[1]", '{"pool": 1}', '{"retry": "maybe"}', '{"clean_below": 2}'])
def test_an_unreadable_file_is_named(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    for attempt in (lambda: read_options(tmp_path, {}), lambda: change_options(tmp_path, {"pool_gb": 8})):
        with pytest.raises(BadRequest) as raised:
            attempt()
        assert raised.value.code == "memory_settings_unreadable" and str(tmp_path / FILE) in str(raised.value)
    assert (tmp_path / FILE).read_text() == text


def test_a_damaged_value_is_mended_by_another_and_the_environment_stands_in_for_it(tmp_path):
    (tmp_path / FILE).write_text('{"retry": "maybe", "pool_gb": 8}')
    assert read_options(tmp_path, {"INTELLIGENT_GENERATION_MEMORY_RETRY": "0"}) == MemoryOptions(pool_gb=8.0, retry=False)
    assert change_options(tmp_path, {"retry": False}) == MemoryOptions(pool_gb=8.0, retry=False)


def test_a_fault_that_is_not_the_files_does_not_blame_it(tmp_path):
    change_options(tmp_path, {"pool_gb": 8})
    with pytest.raises(BadRequest, match="retry: ") as asked:
        change_options(tmp_path, {"retry": "perhaps"})
    with pytest.raises(BadRequest, match="INTELLIGENT_GENERATION_MEMORY_… clean_below 2") as set_outside:
        read_options(tmp_path, {"INTELLIGENT_GENERATION_MEMORY_CLEAN_BELOW": "2"})
    for raised in (asked, set_outside):
        assert FILE not in str(raised.value) and "MemoryOptions" not in str(raised.value)


def test_the_pool_takes_a_third_of_the_ram_unless_told_otherwise():
    assert MemoryOptions().pool_bytes(48_000_000_000) == 16_000_000_000
    assert MemoryOptions(pool_gb=2.5).pool_bytes(48_000_000_000) == 2_500_000_000
    assert MemoryOptions(pool_gb=0).pool_bytes(48_000_000_000) == 0
