"""The guide and the settings of a running ComfyUI: what they tell, what they keep, and what they never show."""

from __future__ import annotations

import pytest
import requests
from pack.routes import GUARD_HEADER, GUIDE_PATH, HUB_PATH, READING_PATH, SETTINGS_PATH

from ..ollama_server import started
from ..openapi import answer_schema, faults

SENT = {GUARD_HEADER: "1"}


def get(host, path, **query):
    answer = requests.get(host.server.url + path, params=query, timeout=60)
    assert not list(faults(answer.json(), answer_schema("GET", path, answer.status_code)))
    return answer.json()


def post(host, path, body, status=200):
    answer = requests.post(host.server.url + path, json=body, headers=SENT, timeout=60)
    assert answer.status_code == status, answer.text
    assert not list(faults(answer.json(), answer_schema("POST", path, status)))
    return answer.json()


@pytest.fixture
def reading(host):
    """A language model's stand-in, set as the reader until the test is over."""
    server = started()
    post(host, READING_PATH, {"url": server.url, "model": ""})
    yield server
    post(host, READING_PATH, {"url": "", "model": ""})
    server.shutdown()
    server.server_close()


def test_the_guide_tells_what_is_here_in_both_languages(host):
    english, spanish = get(host, GUIDE_PATH, language="en"), get(host, GUIDE_PATH, language="es")
    assert english["complete"] and english["counts"]["checkpoints"] > 0 and english["wanted"] == []
    assert {family["family"] for family in english["families"]} >= {"sd15", "sdxl"}
    keys = [step["key"] for step in english["steps"]]
    assert keys == [step["key"] for step in spanish["steps"]] and {"models", "loras", "reader"} <= set(keys)
    assert not {step["said"] for step in english["steps"]} & {step["said"] for step in spanish["steps"]}


def test_the_address_of_the_reader_is_kept_and_tried(host, reading):
    tried = post(host, f"{READING_PATH}/try", {"language": "en"})
    assert tried["answers"] and tried["models"] == ["qwen3:4b"] and reading.url in tried["said"]
    assert get(host, SETTINGS_PATH)["reading"]["options"] == {"url": reading.url, "model": ""}
    step = next(step for step in get(host, GUIDE_PATH)["steps"] if step["key"] == "reader")
    assert step["state"] == "good" and "qwen3:4b" in step["said"]


def test_a_model_that_is_not_there_is_said(host, reading):
    post(host, READING_PATH, {"model": "llama3:8b"})
    said = post(host, f"{READING_PATH}/try", {"language": "es"})["said"]
    assert "ollama pull llama3:8b" in said and "qwen3:4b" in said


def test_the_reader_is_asked_at_its_new_address(host, reading):
    run = host.auto(prompt="a quokka in a hammock", reader="auto", checkpoint="toy_sd15.safetensors", max_loras=0)
    assert run and reading.requests


def test_what_is_no_http_address_is_refused_and_changes_nothing(host):
    before = get(host, READING_PATH)
    told = post(host, READING_PATH, {"url": "file:///etc/passwd", "language": "es"}, 400)
    assert told["error"] == "ollama_address_refused" and "dirección" in told["message"]
    assert get(host, READING_PATH) == before


def test_settings_are_changed_by_our_page_alone(host):
    for headers in ({}, {GUARD_HEADER: "1", "Origin": "https://evil.example"}):
        answer = requests.post(host.server.url + READING_PATH, json={"url": "http://10.0.0.1"}, headers=headers, timeout=60)
        assert answer.status_code in (400, 403), headers
    assert requests.get(host.server.url + SETTINGS_PATH, headers={"X-Forwarded-For": "8.8.8.8"}, timeout=60).status_code == 403


def test_all_settings_at_once_show_no_key(host):
    post(host, f"{HUB_PATH}/token", {"hub": "civitai", "token": "abcdefgh12345678"})
    answer = requests.get(host.server.url + SETTINGS_PATH, timeout=60)
    post(host, f"{HUB_PATH}/token", {"hub": "civitai", "token": None})
    assert answer.json()["hub"]["tokens"]["civitai"] is True and "abcdefgh" not in answer.text
    assert any("__intelligent_generation" in place["path"] for place in answer.json()["places"])
    assert get(host, SETTINGS_PATH)["hub"]["tokens"]["civitai"] is False
