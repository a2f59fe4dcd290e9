"""The command line without ComfyUI, from a checkout and installed."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pack.cli import main
from pack.demo.write import write_demo
from pack.local import local_library
from pack.plan import Kind

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_demo(folder)
    return folder


def test_plan_prints_an_explanation(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--prompt", "anime girl, sunset", "--models", str(models), "--language", "es"]) == 0
    said = capsys.readouterr().out
    assert "Complejidad" in said


def test_plan_as_json_is_a_plan(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--prompt", "a red cat", "--models", str(models), "--json", "--steps", "12"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["settings"]["steps"] == 12
    assert plan["models"]["checkpoint"] == "toy_sd15.safetensors"


def test_a_plan_becomes_a_workflow_for_the_canvas(models: Path, tmp_path: Path) -> None:
    place = tmp_path / "workflow.json"
    ask = ["plan", "--prompt", "a red cat", "--models", str(models), "--workflow", str(place)]
    assert main(ask) == 0
    types = {node["type"] for node in json.loads(place.read_text(encoding="utf-8"))["nodes"]}
    assert {"CheckpointLoaderSimple", "KSampler", "SaveImage"} <= types
    assert main(ask) == 1, "nothing is overwritten"


def test_models_in_older_and_extra_folders_are_seen(models: Path, tmp_path: Path) -> None:
    comfyui, elsewhere = tmp_path / "ComfyUI", tmp_path / "Modelos de Ñandú"
    (comfyui / "models" / "unet").mkdir(parents=True)
    elsewhere.mkdir()
    shutil.copy(models / "checkpoints" / "toy_sd15.safetensors", elsewhere)
    lines = f"mine:\n  base_path: {tmp_path}\n  checkpoints: |\n    Modelos de Ñandú\n    none\n"
    (comfyui / "extra_model_paths.yaml").write_text(lines, encoding="utf-8")
    found = local_library(argparse.Namespace(models=None, comfyui=str(comfyui)))
    assert [file.name for file in found.of(Kind.CHECKPOINT)] == ["toy_sd15.safetensors"]


def test_make_hands_the_prompt_over_as_it_is(tmp_path: Path) -> None:
    prompt = f'a sign "OPEN" $(touch {tmp_path / "made"}) `id` $HOME; #x'
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = recipe.replace("bootstrap.py run --prompt", "-c 'import sys; print(sys.argv[1])'")
    (tmp_path / "Makefile").write_text(shown, encoding="utf-8")
    # The tests themselves run under make, whose variables would reach this one.
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    make = ["make", "--no-print-directory", "run", f"PROMPT={prompt}"]
    done = subprocess.run(make, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == prompt
    assert not (tmp_path / "made").exists()


def test_scan_lists_what_is_there(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (models / "loras" / "page.safetensors").write_text("<!DOCTYPE html><html></html>", encoding="utf-8")
    assert main(["scan", "--models", str(models)]) == 0
    said = capsys.readouterr().out
    assert "sd15" in said and "page.safetensors" in said


def test_run_without_comfyui_prints_the_plan_and_writes_the_workflow(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    out = tmp_path / "out"
    assert main(["run", "--prompt", "a red cat", "--models", str(models), "--output", str(out), "--language", "en"]) == 0
    workflow = json.loads((out / "workflow_api.json").read_text(encoding="utf-8"))
    assert {"CheckpointLoaderSimple", "KSampler", "SaveImage"} <= {node["class_type"] for node in workflow.values()}
    assert "Get ComfyUI" in capsys.readouterr().out


def test_faults_are_one_sentence_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(tmp_path / "none.png"), "--language", "es"]) == 1
    assert "no es una imagen" in capsys.readouterr().err
    assert main(["generate", "--prompt", "x", "--server", "http://127.0.0.1:9", "--language", "en"]) == 1
    assert "Start it" in capsys.readouterr().err


def test_the_checkout_runs_as_a_command(models: Path) -> None:
    command = [sys.executable, str(ROOT), "plan", "--prompt", "a red cat", "--models", str(models), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/", check=True)
    assert json.loads(done.stdout)["family"] == "sd15"


def test_installed_it_has_one_import_name_and_one_command(tmp_path: Path, models: Path) -> None:
    source = tmp_path / "source"  # a copy, since building leaves traces
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(".*", "__pycache__", "output", "build"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--target", str(tmp_path / "site"), str(source)], check=True, timeout=180)
    code = "import intelligent_generation.api as api; print(api.PipelineConfig().mode.value)"
    environ = {"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.strip() == "auto"
    command = tmp_path / "site" / "bin" / "intelligent-generation"
    plan = [str(command), "plan", "--prompt", "a red cat", "--models", str(models), "--json"]
    done = subprocess.run(plan, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["family"] == "sd15"
