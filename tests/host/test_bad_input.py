"""What people really type and have on their disks: one clear sentence with the next step, and nothing lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pack.client import Client
from pack.errors import BadRequest
from pack.serve import serving

from .conftest import ROOT, Host, auto_graph, environ_of

SD15 = {"checkpoint": "toy_sd15.safetensors"}


@pytest.mark.parametrize(
    ("widgets", "said"),
    [
        ({"prompt": "  "}, "The prompt is empty. Write"),
        ({"sampler": "eulr"}, r"eulr.*(?s:.)*euler"),
        ({"scheduler": "karas"}, "karras"),
        ({"width": 8}, r"width 8 \(16"),
        ({"checkpoint": "nothing_like_it.safetensors"}, "nothing_like_it"),
        ({"checkpoint": "toy"}, "toy_sd15.safetensors"),
        ({"checkpoint": "../../etc/passwd"}, "passwd"),
        ({"accepted_plan": "{"}, "cannot be read"),
        ({"accepted_plan": '{"request": {"prompt": "x"}}'}, "cannot be read"),
        ({"language": "es", "sampler": "eulr"}, "No|no"),
    ],
)
def test_each_fault_is_one_sentence(host: Host, widgets: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said) as refused:
        host.auto(**{"prompt": "a red cat", **SD15, **widgets})
    assert "Traceback" not in str(refused.value)
    assert str(host.place) not in str(refused.value)


def test_sizes_beyond_the_hosts_limits_are_refused_before_the_run(host: Host) -> None:
    with pytest.raises(BadRequest, match="width"):
        host.auto(prompt="a red cat", width=100_000, **SD15)
    assert host.auto(prompt="a red cat", width=0, height=64, max_megapixels=0.05, **SD15).images()


def test_a_hundred_kilobytes_of_prompt_make_a_picture(host: Host) -> None:
    endless = "photography " * 8_100  # long words of one token each: ComfyUI's time goes with the tokens
    made = host.picture(host.auto(prompt="a red cat, " * 300 + endless, steps=1, **SD15))
    assert made.plan.settings.steps == 1


def test_control_characters_and_odd_text_make_a_picture(host: Host) -> None:
    prompt = "a red\x00 cat\x1b[31m \u202eevil ((((( [[[ {a|b} <lora:none:1e9> embedding:../x \ud83d\ude00 ñandú 漢字"
    made = host.picture(host.auto(prompt=prompt, steps=1, **SD15))
    assert made.texts["parameters"]


def test_a_lora_of_another_family_is_said_before_it_runs(host: Host) -> None:
    graph = auto_graph(prompt="a red cat", **SD15)
    graph["7"] = {"class_type": "IIG_RecommendLoras", "inputs": recommended("pixel art of a red cat", "toy_sdxl.safetensors")}
    graph["1"]["inputs"]["lora_stack"] = ["7", 0]
    with pytest.raises(BadRequest, match="applied 0 of"):
        host.client.run(graph)


def recommended(prompt: str, checkpoint: str) -> dict[str, Any]:
    return {"prompt": prompt, "checkpoint": checkpoint, "max_loras": 1, "blocked": "", "allow_nsfw": False, "language": "auto"}


def test_a_corrupt_lora_is_never_loaded(host: Host) -> None:
    made = host.picture(host.auto(prompt="a red cat <lora:broken_truncated:1>", steps=1, **SD15))
    assert made.plan.loras == ()
    assert any("broken_truncated" in str(warning.values) for warning in made.plan.warnings)
    assert "broken_truncated" in made.texts["explanation"]


def test_manual_mode_keeps_everything_and_checks_it(host: Host) -> None:
    fixed = {"steps": 3, "cfg": 4.0, "sampler": "heun", "scheduler": "simple", "negative": "blue"}
    plan = host.picture(host.auto(prompt="a red cat", mode="manual", **fixed, **SD15)).plan
    kept = plan.settings
    assert (kept.steps, kept.cfg, kept.sampler, kept.scheduler) == (3, 4.0, "heun", "simple")
    assert plan.negative == "blue" and plan.prompt == "a red cat" and not plan.loras


@pytest.fixture(scope="module", params=["multi-user", "blocked-folder"])
def odd_home(request: pytest.FixtureRequest, host: Host, toy_models: Path, tmp_path_factory: Any) -> Iterator[Client]:
    """A ComfyUI whose folders have blanks and letters beyond ASCII; in one case several users share it, in the
    other the pack's own folder cannot be made."""
    home = tmp_path_factory.mktemp("casa de Ñandú 漢字")
    arguments = ["--cpu", "--disable-api-nodes"]
    if request.param == "multi-user":
        arguments.append("--multi-user")
    else:
        (home / "user").mkdir()
        (home / "user" / "__intelligent_generation").write_text("a file where the folder should be", encoding="utf-8")
    environ = environ_of(host.place)
    with serving(host.place, pack=ROOT, models=toy_models, home=home, arguments=arguments, environ=environ) as server:
        yield Client(server.url)


def test_odd_folders_and_users_make_a_picture(odd_home: Client) -> None:
    assert odd_home.run(auto_graph(prompt="a red cat", steps=1, **SD15)).images()


def test_two_servers_share_one_registry(host: Host, toy_models: Path) -> None:
    arguments = ["--cpu", "--disable-api-nodes", "--database-url", "sqlite:///:memory:"]
    home = host.server.output.parent
    second_home = {"home": home, "output": home / "second"}
    with serving(
        host.place, pack=ROOT, models=toy_models, arguments=arguments, environ=environ_of(host.place), **second_home
    ) as two:
        other = Client(two.url)
        for number in range(3):
            assert other.run(auto_graph(prompt=f"a red cat {number}", steps=1, **SD15)).images()
            assert host.auto(prompt=f"a blue cat {number}", steps=1, **SD15).images()
        names = [client.get("/intelligent_generation/models", kind="loras", search="anime") for client in (other, host.client)]
    assert names[0] == names[1]


def test_a_replaced_lora_is_noticed(host: Host, toy_models: Path) -> None:
    def found() -> int:
        return int(host.client.get("/intelligent_generation/models", kind="loras", search="newcomer")["total"])

    assert found() == 0
    new = toy_models / "loras" / "newcomer.safetensors"
    new.write_bytes((toy_models / "loras" / "anime_style_v2.safetensors").read_bytes())
    try:
        assert found() == 1
        new.write_text("<!DOCTYPE html>", encoding="utf-8")
        assert found() == 0
    finally:
        new.unlink()


def test_the_plan_route_says_what_is_wrong(host: Host) -> None:
    headers = {"Content-Type": "application/json", "X-Intelligent-Generation": "1"}
    address = f"{host.server.url}/intelligent_generation/plan"
    for body in ("", "{", '{"prompt": 3}', json.dumps({"prompt": "x", "fixed": {"width": 100_000}})):
        answer = requests.post(address, data=body, headers=headers, timeout=60)
        assert answer.status_code == 400 and answer.json()["message"]
