"""What a person sees of the pack on a real server, apart from pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import requests
from pack.serve import Server, serving

from .conftest import ROOT, Host, environ_of

NODES = {
    "IIG_AutoPipeline",
    "IIG_AnalyzePrompt",
    "IIG_ChooseModel",
    "IIG_RecommendLoras",
    "IIG_ApplyLoraStack",
    "IIG_OptimizeParameters",
    "IIG_NegativePrompt",
    "IIG_ExplainPlan",
    "IIG_SaveImage",
    "IIG_CheckLora",
    "IIG_SearchHub",
    "IIG_DownloadModel",
    "IIG_ModelInfo",
}


def test_importing_costs_nothing(host: Host, toy_models: Path) -> None:
    """0.04 s on a quiet machine, shown as 0.0; what must not load is in test_architecture."""
    arguments, environ = ["--cpu", "--disable-api-nodes"], environ_of(host.place)
    seconds = [import_seconds(host.server)]
    while min(seconds) > 0.1 and len(seconds) < 4:  # a busy machine takes its time, though not every time
        with serving(host.place, pack=ROOT, models=toy_models, arguments=arguments, environ=environ) as again:
            seconds.append(import_seconds(again))
    assert min(seconds) <= 0.1


def import_seconds(server: Server) -> float:
    log = server.log.read_text(encoding="utf-8", errors="replace")
    line = re.search(r"([\d.]+) seconds: \S*intelligent-generation", log)
    assert line, log[-2000:]
    return float(line.group(1))


def test_every_node_is_there_with_tooltips_and_help(host: Host) -> None:
    known = host.client.get("/object_info")
    assert known.keys() >= NODES
    for node in NODES:
        about = known[node]
        assert about["description"]
        for group in ("required", "optional"):
            for name, spec in about["input"].get(group, {}).items():
                assert spec[1].get("tooltip"), f"{node}.{name}"
        assert requests.get(f"{host.server.url}/extensions/intelligent-generation/docs/{node}/es.md", timeout=10).ok


def test_no_node_lists_model_files(host: Host) -> None:
    known = host.client.get("/object_info")
    text = json.dumps({node: known[node] for node in NODES})
    assert "toy_sd15" not in text
    assert len(text) < 40_000  # 32,467 for these nodes on 0.33; a list of models would grow it


def test_translations_are_served(host: Host) -> None:
    texts = host.client.get("/i18n")
    assert texts["es"]["nodeDefs"]["IIG_AutoPipeline"]["display_name"] == "Generación automática"


def test_scripts_that_are_loaded_late_are_asked_for_anew_on_every_load(host: Host) -> None:
    """Else a browser shows the last version's panel for days after an update."""
    for name in ("panel.js", "review_view.mjs"):
        answer = requests.get(f"{host.server.url}/extensions/intelligent-generation/js/{name}", timeout=10)
        assert answer.headers.get("Cache-Control") in ("no-cache", "no-store"), name


def test_templates_are_listed(host: Host) -> None:
    listed = host.client.get("/workflow_templates")
    assert "auto_pipeline" in next(names for pack, names in listed.items() if "intelligent" in pack)


def test_models_are_found_by_words(host: Host) -> None:
    found = host.client.get("/intelligent_generation/models", kind="loras", search="anime style")
    assert any("anime_style_v2" in row["name"] for row in found["models"])


def test_the_plan_route_needs_the_guard_header(host: Host) -> None:
    address = f"{host.server.url}/intelligent_generation/plan"
    body = json.dumps({"prompt": "a red cat"})
    assert requests.post(address, data=body, timeout=30).status_code == 400
    assert requests.post(address, data=body, headers={"Content-Type": "application/json"}, timeout=30).status_code == 400


def test_node_choices_are_checked_by_hand_on_hosts_that_do_not(host: Host) -> None:
    with pytest.raises(Exception, match=r"(?i)quality|not in list"):
        host.auto(prompt="a red cat", priority="nonsense")
