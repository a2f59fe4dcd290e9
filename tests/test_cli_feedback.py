"""The commands of feedback and learning, as they are typed, on a place of their own; no ComfyUI runs."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest
from pack.cli import main
from pack.feedback import Action, Rating
from pack.history import History
from pack.intelligence.analyze import analyze
from pack.local import data_folder
from pack.pipeline import make_plan
from pack.plan import PNG_KEY, Generation, LoraUse, Measured, Request, Taste
from pack.tests.shelf import checkpoint, gpu, library, lora
from pack.values import to_json
from PIL import Image
from PIL.PngImagePlugin import PngInfo

NOWHERE = "postgresql://nobody:hidden@127.0.0.1:1/nothing"  # port 1: refused at once
INK = "ink_one.safetensors"


def made(identity: str) -> Generation:
    shelf = library(checkpoint(), lora(INK, title="Ink wash painting", tags=("ink wash",)))
    prompt = "ink wash painting of a fox"
    request = Request(prompt, loras=(LoraUse(INK, 0.8, 0.8),))
    return Generation(make_plan(request, analyze(prompt), shelf, Taste(), gpu()), 7, identity)


@pytest.fixture
def comfyui(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "ComfyUI"
    folder.mkdir()
    monkeypatch.setenv("COMFYUI_PATH", str(folder))
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.delenv("INTELLIGENT_GENERATION_DATABASE", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    return folder


@pytest.fixture
def history(comfyui):
    """What ComfyUI's own process would have recorded."""
    history = History(data_folder(argparse.Namespace(comfyui=comfyui, models=None)))
    history.began(made("fox"))
    history.finished(made("fox"), Measured(3.0, 2 * 1024**3), ("fox.png",))
    yield history
    history.close()


@pytest.fixture
def run(comfyui, capsys):
    """Type a command: (exit code, stdout, stderr)."""

    def typed(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(words))
        return code, *capsys.readouterr()

    return typed


@pytest.fixture
def told(run):
    """The JSON document of a command that succeeds."""

    def typed(*words: str):
        code, out, err = run(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    return typed


def picture(path: Path, text: str | None) -> Path:
    chunks = PngInfo()
    if text:
        chunks.add_itxt(PNG_KEY, text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=chunks)
    return path


# --------------------------------------------------------------------------- rate


def test_rate_by_id_then_take_it_back(history, run, told):
    code, out, _ = run("rate", "fox", "--stars", "5", "--quality", "4", "--comment", "¡qué zorro!", "--tag", "fox")
    assert code == 0 and "fox" in out
    assert history.find("fox").standing.rating == Rating(5, 4, comment="¡qué zorro!", tags=("fox",))
    assert told("rate", "fox", "--withdraw") == {"id": "fox", "stored": True}
    assert history.find("fox").standing.rating is None


def test_rate_a_picture_of_another_machine(history, run, tmp_path):
    path = picture(tmp_path / "Zorro ñ.png", to_json(made("elsewhere")))
    code, out, err = run("rate", str(path), "--stars", "2", "--language", "es")
    assert code == 0 and "Valorada: elsewhere" in out, err
    assert history.find("elsewhere").standing.rating == Rating(2)


def test_an_action_with_and_without_a_rating(history, run):
    assert "favourite" in run("rate", "fox", "--action", "favourited")[1]
    assert run("rate", "fox", "--action", "saved", "--stars", "4")[0] == 0
    standing = history.find("fox").standing
    assert standing.actions == {Action.FAVOURITED, Action.SAVED} and standing.rating == Rating(4)
    assert run("rate", "fox", "--action", "saved", "--withdraw")[0] == 0
    standing = history.find("fox").standing
    assert standing.actions == {Action.FAVOURITED} and standing.rating == Rating(4)


@pytest.mark.parametrize("stars", ["0", "6", "-1"])
def test_stars_there_are_not(history, run, stars):
    code, _, err = run("rate", "fox", f"--stars={stars}", "--language", "es")
    assert code == 1 and "fuera de" in err and history.find("fox").standing.rating is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("never", "--stars", "3"), "No picture never"),
        (("fox",), "out of range"),
        (("fox", "--stars", "3", "--withdraw"), "--withdraw"),
        (("fox", "--comment", "x" * 1_000_000), "comment 1000000"),
        (("nowhere.png", "--stars", "3"), "not a picture"),
    ],
)
def test_what_cannot_be_rated_is_said(history, run, words, said):
    code, _, err = run("rate", *words)
    assert code == 1 and said in err and history.overview().rated == 0


def test_a_picture_without_a_plan(history, run, tmp_path):
    code, _, err = run("rate", str(picture(tmp_path / "plain.png", None)), "--stars", "3")
    assert code == 1 and "carries no plan" in err


def test_without_a_place_nothing_is_guessed(run, monkeypatch):
    monkeypatch.delenv("COMFYUI_PATH")
    assert "--comfyui" in run("rate", "fox", "--stars", "3")[2]
    assert "no folder" in run("feedback", "--comfyui", "/no/such/place")[2]


def test_a_rating_waits_where_the_database_is_away(history, run, told, monkeypatch):
    monkeypatch.setenv("INTELLIGENT_GENERATION_DATABASE", NOWHERE)
    code, _, err = run("rate", "fox", "--stars", "5")
    assert code == 0 and "waits" in err and "hidden" not in err
    monkeypatch.delenv("INTELLIGENT_GENERATION_DATABASE")
    assert told("feedback")["tables"]["ratings"][4] == {"stars": 5, "times": 1}


# --------------------------------------------------------------------------- insights


def test_feedback_of_nothing_says_what_to_do(run, told):
    code, out, _ = run("feedback")
    assert code == 0 and "Rate Image" in out
    assert told("feedback") == {"session": "", "tables": {}, "plots": []}


def test_feedback_shows_tables_and_plots(history, run, told, tmp_path):
    run("rate", "fox", "--stars", "5")
    code, out, _ = run("feedback", "--plots", str(tmp_path / "plots"), "--language", "es")
    assert code == 0 and "VALORACIONES" in out and "ink_one" in out and "Valoradas" not in out
    lines = out.splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith("ink_one"))
    assert lines[row].index("5.0") == lines[row - 1].index("estrellas"), "columns stand in line"
    drawn = sorted((tmp_path / "plots").iterdir())
    assert [path.stem for path in drawn] == ["loras", "ratings", "styles", "time"]
    assert all(str(path) in out and Image.open(path).size == (900, 600) for path in drawn)
    tables = told("feedback", "--about", "loras")["tables"]
    assert tables.keys() == {"loras"}
    assert tables["loras"][0] | {"low": 0, "high": 0} == {
        "name": INK,
        "family": made("x").plan.family,
        "liked": 1.0,
        "low": 0,
        "high": 0,
        "weight": 1.0,
        "ratings": 1,
        "stars": 5.0,
        "strength": 0.8,
    }


def test_feedback_of_one_session(history, told, run):
    run("rate", "fox", "--stars", "4")
    session = history.find("fox").made.session
    shown = told("feedback", "--session", session[:6])
    assert shown["session"] == session and "loras" not in shown["tables"]
    assert shown["tables"]["sessions"][0]["pictures"] == 1
    code, _, err = run("feedback", "--session", "nope")
    assert code == 1 and session in err


def test_plots_into_a_file_are_refused(history, run, tmp_path):
    (tmp_path / "taken").write_text("")
    code, _, err = run("feedback", "--plots", str(tmp_path / "taken"))
    assert code == 1 and "cannot be written" in err


def test_topics_are_those_of_the_insights():
    from pack.cli_feedback import TOPICS
    from pack.intelligence.insights import ABOUT

    assert TOPICS == ABOUT


# --------------------------------------------------------------------------- forget


def test_forget_a_lora_by_its_short_name(history, run, told):
    run("rate", "fox", "--stars", "5")
    code, out, _ = run("forget", "lora", "INK_one")
    assert code == 0 and INK in out
    assert "loras" not in told("feedback")["tables"] and "checkpoints" in told("feedback")["tables"]
    assert history.find("fox").standing.rating == Rating(5), "the record stays"


def test_forget_a_style_as_people_call_it(history, run, told):
    run("rate", "fox", "--stars", "5")
    from pack.intelligence.insight_tables import style_label

    style = told("feedback")["tables"]["styles"][0]["style"]
    assert run("forget", "style", style_label(style, "es"), "--language", "es")[0] == 0
    assert "styles" not in told("feedback")["tables"]


def test_forget_what_was_never_learned(history, run):
    code, _, err = run("forget", "checkpoint", "nobody")
    assert code == 1 and "nobody" in err
    code, _, err = run("forget", "all", "ink")
    assert code == 1 and "forget lora" in err


def test_forget_all_asks_first(history, run, told):
    run("rate", "fox", "--stars", "5")
    code, _, err = run("forget", "all")
    assert code == 1 and "--yes" in err and "loras" in told("feedback")["tables"]
    assert run("forget", "all", "--yes")[0] == 0
    assert told("feedback")["tables"].keys() == {"ratings", "sessions", "time"}


# --------------------------------------------------------------------------- settings


def test_learning_shows_and_changes_its_settings(history, run, told):
    assert told("learning")["enabled"] is True
    changed = told("learning", "enabled=false", "explore=0", "keep-days=30")
    assert (changed["enabled"], changed["explore"], changed["keep_days"]) == (False, 0, 30)
    assert history.options.enabled is False, "the running ComfyUI sees it"
    assert "enabled" in run("learning")[1] and "false" in run("learning")[1]


@pytest.mark.parametrize("change", ["explore=2", "colour=red", "explore", "enabled=maybe"])
def test_settings_that_do_not_fit_change_nothing(history, run, told, change):
    before = told("learning")
    code, _, err = run("learning", change)
    assert code == 1 and err and told("learning") == before


def test_a_password_is_never_shown(history, run, told):
    code, out, err = run("learning", f"database={NOWHERE}")
    assert code == 0 and "hidden" not in out + err and "127.0.0.1" in out
    assert "hidden" not in json.dumps(told("learning"))


# --------------------------------------------------------------------------- in and out


def test_out_and_in_again(history, run, told, tmp_path):
    run("rate", "fox", "--stars", "5")
    before, file = told("feedback")["tables"], tmp_path / "out" / "mine.jsonl"
    assert told("feedback-export", str(file)) == {"file": str(file), "events": 3}
    assert len(list(map(json.loads, file.read_text(encoding="utf-8").splitlines()))) == 3
    assert run("feedback-export", str(file))[0] == 1, "nothing is overwritten"
    assert told("feedback-import", str(file)) == {"new": 0, "known": 3, "faulty_lines": []}
    assert run("feedback-erase")[0] == 1 and told("feedback")["tables"] == before
    assert told("feedback-erase", "--yes") == {"erased": True} and told("feedback")["tables"] == {}
    assert told("feedback-import", str(file))["new"] == 3 and told("feedback")["tables"] == before


def test_lines_that_are_no_events_are_named(history, run, tmp_path):
    file = tmp_path / "mine.jsonl"
    run("feedback-export", str(file))
    file.write_text("nonsense\n" + file.read_text(encoding="utf-8") + "{}\n", encoding="utf-8")
    code, out, err = run("feedback-import", str(file), "--language", "es")
    assert code == 1 and "ya conocidos: 2" in out and "(1, 4)" in err


def test_files_that_cannot_be_read(run, tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x81")
    for name in ("missing", "binary", "."):
        code, _, err = run("feedback-import", str(tmp_path / name))
        assert code == 1 and "cannot be read" in err


def test_piped_out_and_in(history, run, monkeypatch):
    lines = run("feedback-export", "-")[1]
    assert len(lines.splitlines()) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert "known before: 2" in run("feedback-import", "-")[1]
