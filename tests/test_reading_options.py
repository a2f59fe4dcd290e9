"""Which language model reads prompts: the person's file, the environment over it, and what neither may hold."""

from __future__ import annotations

import json

import pytest
from pack.errors import BadRequest
from pack.reading_options import DEFAULT_URL, FILE, ReadingOptions, change_options, read_options

HOME = {"OLLAMA_HOST": "http://me:secret@10.0.0.7:11434", "INTELLIGENT_GENERATION_OLLAMA_MODEL": "qwen3:4b"}


def test_what_is_kept_is_read_again(tmp_path):
    assert read_options(tmp_path, {}) == ReadingOptions(DEFAULT_URL, "")
    change_options(tmp_path, {"url": " http://localhost:9999/ "})
    change_options(tmp_path, {"model": "llama3:8b"})
    assert read_options(tmp_path, {}) == ReadingOptions("http://localhost:9999", "llama3:8b")
    change_options(tmp_path, {"url": ""})
    assert read_options(tmp_path, {}) == ReadingOptions(DEFAULT_URL, "llama3:8b")


def test_the_environment_comes_first_and_its_password_is_not_told(tmp_path):
    change_options(tmp_path, {"url": "http://localhost:9999", "model": "llama3:8b"})
    options = read_options(tmp_path, HOME)
    assert (options.url, options.model) == (HOME["OLLAMA_HOST"], "qwen3:4b")
    assert options.shown_url == "http://10.0.0.7:11434"
    assert read_options(tmp_path, {"OLLAMA_HOST": " "}).url == "http://localhost:9999"
    assert read_options(tmp_path, {"OLLAMA_HOST": "host:1"}).shown_url == "host:1"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://localhost",
        "localhost:11434",
        "file:///etc/passwd",
        "http://",
        "http://me:secret@localhost",
        "http://localhost:99999",
        "http://localhost?x=1",
        "http://local host",
        "javascript:alert(1)",
    ],
)
def test_other_addresses_are_refused_and_nothing_is_written(tmp_path, url):
    with pytest.raises(BadRequest) as refused:
        change_options(tmp_path, {"url": url, "model": "x"})
    assert refused.value.code == "ollama_address_refused" and "secret" not in str(refused.value)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("changes", [{"url": 5}, {"model": None}, {"model": "a\nb"}, {"model": "x" * 301}, {"colour": "red"}])
def test_what_does_not_fit_is_refused(tmp_path, changes):
    with pytest.raises(BadRequest):
        change_options(tmp_path, changes)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("text", ["{", "[1]", '{"url": 5}', '{"other": "x"}'])
def test_a_spoilt_file_is_said(tmp_path, text):
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(BadRequest):
        read_options(tmp_path, {})


def test_only_known_values_are_written(tmp_path):
    change_options(tmp_path, {"model": "a"})
    assert json.loads((tmp_path / FILE).read_text(encoding="utf-8")) == {"url": DEFAULT_URL, "model": "a"}
