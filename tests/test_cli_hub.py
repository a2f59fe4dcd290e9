"""The commands of the hubs, as they are typed, against hubs on this machine."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pack import local
from pack.cli import main
from pack.demo.write import write_models
from pack.plan import GIB, Machine

sys.path.insert(0, str(Path(__file__).parent / "hub"))  # the stand-ins are imported by their name
from standin import Fault, StandIn, toy, wait_until

ROOT = Path(__file__).parent.parent
KEY = "civitai-key-1234"
SD15 = {"baseModel": "SD 1.5"}
PIECE = 65_536


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys")
    write_models(folder, ["checkpoints/toy_sd15.safetensors"])
    return folder


@pytest.fixture
def hubs(tmp_path, monkeypatch):
    with StandIn(tmp_path / "standin") as started:
        for name in ("CIVITAI_API_KEY", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {**started.environ(), "HF_HOME": str(tmp_path / "hf"), "LC_ALL": "en_US.UTF-8"}.items():
            monkeypatch.setenv(name, value)
        yield started


@pytest.fixture
def comfyui(tmp_path, toys, monkeypatch):
    """A ComfyUI's folder with an SD 1.5 checkpoint."""
    folder = tmp_path / "ComfyUI"
    (folder / "models" / "loras").mkdir(parents=True)
    (folder / "models" / "checkpoints").mkdir()
    (folder / "models" / "checkpoints" / "toy_sd15.safetensors").symlink_to(toys / "checkpoints" / "toy_sd15.safetensors")
    (folder / "comfyui_version.py").write_text('__version__ = "0.33.0"\n')
    monkeypatch.setenv("COMFYUI_PATH", str(folder))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    return folder


@pytest.fixture
def run(hubs, comfyui, capsys):
    """Type a command: (exit code, stdout, stderr)."""

    def typed(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return typed


@pytest.fixture
def told(run):
    """The JSON document of a command that succeeds."""

    def typed(*words: str):
        code, out, err = run(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    return typed


def started(*words: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(ROOT), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def slowly(hubs) -> None:
    hubs.cdn.fault("*", Fault(drip=(PIECE, 0.1)))


def part_grown(folder: Path) -> bool:
    return any(part.stat().st_size > 2 * PIECE for part in folder.glob("*.part"))


# --------------------------------------------------------------------------- search


def test_search_shows_a_table_with_what_to_type(hubs, run):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15)
    hubs.huggingface.add("artist/ink-style", {"ink_hf.safetensors": toy("hf")}, tags=("lora",))
    code, out, _ = run("search", "ink", "--hub", "civitai", "--hub", "huggingface")
    assert code == 0
    assert "Ink Drawing" in out and "SD 1.5" in out and "fits" in out and "commercial" in out
    assert f"{added.ref}#{added.file_ids['ink.safetensors']}" in out and "artist/ink-style" in out
    assert len({line.index("loras") for line in out.splitlines() if "loras" in line}) == 1, "columns stand in line"


def test_search_in_spanish_says_why(hubs, run):
    hubs.civitai.add({"ink.safetensors": toy("ink")})
    code, out, _ = run("search", "ink", "--hub", "civitai", "--verbose", "--language", "es")
    assert code == 0 and "no encaja" in out and "en tus modelos" in out and "does" not in out


def test_search_as_json_goes_on_with_a_cursor(hubs, told):
    for number in range(3):
        hubs.civitai.add({f"ink{number}.safetensors": toy(str(number))}, name=f"Ink {number}", version=SD15)
    first = told("search", "ink", "--hub", "civitai", "--limit", "2")
    more = told("search", "ink", "--hub", "civitai", "--limit", "2", "--cursor", first["cursors"]["civitai"])
    titles = [result["title"] for page in (first, more) for result in page["results"]]
    assert sorted(titles) == ["Ink 0", "Ink 1", "Ink 2"] and more["cursors"] == {}
    assert {"ref", "size_bytes", "sha256", "licence", "fit", "reasons"} <= first["results"][0].keys()


def test_a_cursor_needs_its_hub(run):
    code, _, err = run("search", "ink", "--cursor", "2")
    assert code == 1 and "--hub" in err


def test_fitting_shows_what_works_with_ones_own_models(hubs, told, run):
    hubs.civitai.add({"a.safetensors": toy("a")}, name="Ink SD", version=SD15)
    hubs.civitai.add({"b.safetensors": toy("b")}, name="Ink XL")
    found = told("search", "ink", "--hub", "civitai", "--fitting")
    assert [result["title"] for result in found["results"]] == ["Ink SD"]
    assert hubs.civitai.asked("/api/v1/models")[-1].query["baseModels"][0] == "SD 1.5"


def test_fitting_without_models_is_explained(hubs, tmp_path, run):
    (tmp_path / "empty").mkdir()
    code, _, err = run("search", "ink", "--fitting", "--models", str(tmp_path / "empty"))
    assert code == 1 and "checkpoint first" in err


def test_a_hub_in_trouble_is_told_beside_the_others(hubs, run):
    hubs.civitai.add({"ink.safetensors": toy("ink")})
    hubs.huggingface.fault("/api/models", Fault(status=403))
    code, out, err = run("search", "ink", "--hub", "civitai", "--hub", "huggingface")
    assert code == 0 and "Ink Drawing" in out and "huggingface" in err


def test_searching_needs_no_place(hubs, told, monkeypatch, tmp_path):
    hubs.civitai.add({"ink.safetensors": toy("ink")})
    monkeypatch.delenv("COMFYUI_PATH")
    monkeypatch.setattr(local, "CACHE", tmp_path / "cache")
    [found] = told("search", "ink", "--hub", "civitai")["results"]
    assert found["title"] == "Ink Drawing" and found["fit"] == "does_not_fit"


def test_hub_texts_cannot_steer_the_terminal(hubs, run):
    hubs.civitai.add({"ink.safetensors": toy("ink")}, name="Ink \x1b[2J\x1b]0;owned\x07\u202e")
    code, out, _ = run("search", "ink", "--hub", "civitai")
    assert code == 0 and "Ink" in out and not {"\x1b", "\x07", "\u202e"} & set(out)


# --------------------------------------------------------------------------- download


def test_download_says_what_it_fetches_and_what_it_is(hubs, comfyui, run, told):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15)
    code, out, _ = run("download", added.ref)
    assert code == 0
    assert added.sha256["ink.safetensors"] in out and str(comfyui / "models" / "loras") in out and "commercial" in out
    assert "inkstyle" in out and "verified" in out and "0.7 (0.6–0.8)" in out
    assert (comfyui / "models" / "loras" / "ink.safetensors").read_bytes() == toy("ink")
    [file] = told("library", "ink")
    assert file["verification"] == "verified" and file["hub_id"] == added.ref and file["trigger_groups"]
    assert (comfyui / "user" / "__intelligent_generation" / "library.sqlite").exists()
    scanned = next(file for file in told("scan") if file["name"] == "ink.safetensors")
    assert scanned["hub_id"] == added.ref, "plans know it as well"


def test_typing_it_is_consent_for_that_very_file(hubs, comfyui, run):
    from pack.hub.ledger import Ledger
    from pack.offers import Ref

    added = hubs.civitai.add({"ink.safetensors": toy("ink"), "other.safetensors": toy("other")}, version=SD15)
    assert run("download", added.ref, "--file", "other.safetensors")[0] == 0
    ledger = Ledger(comfyui / "user" / "__intelligent_generation")
    given = {name: ledger.has_consent(Ref.parse(f"{added.ref}#{number}")) for name, number in added.file_ids.items()}
    assert given == {"ink.safetensors": False, "other.safetensors": True}
    assert [path.name for path in (comfyui / "models" / "loras").iterdir()] == ["other.safetensors"]


def test_an_unknown_file_is_answered_with_those_there_are(hubs, run):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15)
    code, _, err = run("download", added.ref, "--file", "none.safetensors")
    assert code == 1 and str(added.file_ids["ink.safetensors"]) in err


def test_download_as_json_is_one_document(hubs, told):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15)
    done = told("download", added.ref)
    assert done["state"] == "done" and done["name"] == "ink.safetensors" and done["verification"] == "verified"
    assert done["sha256"] == added.sha256["ink.safetensors"] and ["inkstyle"] in done["trigger_words"]


def test_the_same_bytes_are_not_fetched_twice(hubs, run):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15)
    assert run("download", added.ref)[0] == 0
    again = hubs.civitai.add({"copy.safetensors": toy("ink")}, version=SD15)
    before = len(hubs.cdn.asked())
    code, out, _ = run("download", again.ref, "--language", "es")
    assert code == 0 and "Ya tienes este archivo: ink.safetensors" in out
    assert len(hubs.cdn.asked()) == before


def test_asking_again_finds_it_done(hubs, run):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15)
    assert run("download", added.ref)[1].count("Done: ") == 1
    code, out, _ = run("download", added.ref)
    assert code == 0 and "You have this file already" in out and "Done: " not in out
    assert len(hubs.cdn.asked()) == 1


def test_a_wrong_hash_is_one_sentence(hubs, comfyui, run):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15, sha256={"ink.safetensors": "0" * 64})
    code, _, err = run("download", added.ref)
    assert code == 1 and "is not the file the hub describes" in err and "Traceback" not in err
    assert not list((comfyui / "models" / "loras").iterdir())


def test_no_hash_is_said_before_and_after(hubs, run):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15, hashed=False)
    code, out, _ = run("download", added.ref)
    assert code == 0 and "the hub gives none" in out and "no sum to compare" in out


def test_pickles_are_refused_until_allowed(hubs, comfyui, run):
    content = b"\x80\x02" + bytes(4000)
    added = hubs.civitai.add({"old.pt": content}, type="TextualInversion", version=SD15)
    code, _, err = run("download", added.ref)
    assert code == 1 and "--allow-pickle" in err and not hubs.cdn.asked()
    code, _, err = run("download", added.ref, "--allow-pickle")
    assert code == 0, err
    assert (comfyui / "models" / "embeddings" / "old.pt").read_bytes() == content


def test_what_does_not_fit_needs_a_yes(hubs, comfyui, run):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")})
    code, out, err = run("download", added.ref)
    assert code == 1 and "does not load on your models" in out and "--yes" in err and not hubs.cdn.asked()
    code, out, err = run("download", added.ref, "--json")
    assert code == 1 and not out and "does not load on your models" in err
    assert run("download", added.ref, "--yes")[0] == 0
    assert (comfyui / "models" / "loras" / "ink.safetensors").exists()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "language", "fetched"), [("y", "en", True), ("", "en", False), ("s", "es", True)])
def test_on_a_terminal_it_asks(answer, language, fetched, hubs, comfyui, monkeypatch):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")})
    shown = _Terminal()
    monkeypatch.setattr("sys.stdin", _Terminal(f"{answer}\n"))
    monkeypatch.setattr("sys.stderr", shown)
    assert main(["download", added.ref, "--language", language]) == (0 if fetched else 1)
    assert "?" in shown.getvalue()
    assert (comfyui / "models" / "loras" / "ink.safetensors").exists() is fetched


def test_what_a_bare_model_needs_beside_it_is_offered(hubs, comfyui, run):
    base = {"baseModel": "Flux.1 D"}
    bare = {"bare.safetensors": {"type": "UNet"}}
    added = hubs.civitai.add({"bare.safetensors": toy("bare")}, type="Checkpoint", version=base, file=bare)
    code, out, err = run("download", added.ref, "--yes")
    assert code == 0, err
    assert (comfyui / "models" / "diffusion_models" / "bare.safetensors").exists()
    assert 'download "huggingface:' in out and "t5xxl" in out and "ae.safetensors" in out


def test_ctrl_c_pauses_and_the_same_command_goes_on(hubs, comfyui, run):
    content = toy("big", 4_000_000)
    added = hubs.civitai.add({"big.safetensors": content}, version=SD15)
    loras = comfyui / "models" / "loras"
    slowly(hubs)
    process = started("download", added.ref, "--language", "es")
    wait_until(lambda: part_grown(loras))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "está en pausa" in err and added.ref in err and "Traceback" not in err
    assert not (loras / "big.safetensors").exists() and part_grown(loras)
    assert "paused" in run("downloads")[1]
    hubs.cdn.heal()
    code, _, err = run("download", added.ref)
    assert code == 0 and (loras / "big.safetensors").read_bytes() == content
    assert any("range" in asked.headers for asked in hubs.cdn.asked())


def test_a_killed_download_is_gone_on_with(hubs, comfyui, run, told):
    content = toy("big", 4_000_000)
    added = hubs.civitai.add({"big.safetensors": content}, version=SD15)
    loras = comfyui / "models" / "loras"
    slowly(hubs)
    process = started("download", added.ref)
    wait_until(lambda: part_grown(loras))
    process.kill()
    process.communicate(timeout=60)
    assert told("library", "--kind", "lora") == [], "nothing unfinished is listed"
    hubs.cdn.heal()
    [listed] = told("downloads")
    code, out, err = run("downloads", "--resume", listed["id"])
    assert code == 0 and "verified" in out, err
    assert (loras / "big.safetensors").read_bytes() == content
    assert hubs.cdn.asked()[-1].headers["range"].startswith("bytes=")


def test_progress_is_a_line_for_each_tenth_in_a_log(hubs, run):
    added = hubs.civitai.add({"big.safetensors": toy("big", 3_000_000)}, version=SD15)
    hubs.cdn.fault("*", Fault(drip=(PIECE, 0.05)))
    code, _, err = run("download", added.ref)
    lines = [line for line in err.splitlines() if " %" in line]
    assert code == 0 and 3 <= len(lines) <= 12 and "MB/s" in err and "left" in err


def test_offline_nothing_is_asked(hubs, run, monkeypatch):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15)
    monkeypatch.setenv("INTELLIGENT_GENERATION_OFFLINE", "1")
    for words in (["download", added.ref], ["search", "ink", "--hub", "civitai"]):
        code, _, err = run(*words)
        assert code == 1 and "offline" in err and "Traceback" not in err
    assert not hubs.civitai.asked()


@pytest.mark.parametrize(
    "words", [["download", "what is this?"], ["downloads", "--pause", "none"], ["library", "--kind", "hat"]]
)
def test_faults_are_one_sentence(words, run):
    code, out, err = run(*words)
    assert code == 1 and not out and len(err.strip().splitlines()) == 1


def test_a_place_is_needed_and_must_be_there(run, monkeypatch, tmp_path):
    code, _, err = run("library", "--models", str(tmp_path / "none"))
    assert code == 1 and str(tmp_path / "none") in err
    monkeypatch.delenv("COMFYUI_PATH")
    code, _, err = run("library", "--language", "es")
    assert code == 1 and "--comfyui" in err


# --------------------------------------------------------------------------- the queue


def test_the_queue_is_listed_changed_and_forgotten(hubs, comfyui, run, told):
    added = hubs.civitai.add({"big.safetensors": toy("big", 4_000_000)}, version=SD15)
    slowly(hubs)
    process = started("download", added.ref)
    wait_until(lambda: part_grown(comfyui / "models" / "loras"))
    [listed] = told("downloads")
    assert listed["state"] == "running" and listed["ref"].startswith(added.ref)
    code, _, err = run("downloads", "--forget", listed["id"])
    assert code == 1 and "cancel it first" in err
    assert run("downloads", "--pause", listed["id"])[0] == 0
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and "--resume" in err, "the other one tells who waits for it"
    assert "paused" in run("downloads", "--language", "en")[1]
    assert "cancelada" in run("downloads", "--cancel", listed["id"], "--language", "es")[1]
    assert not list((comfyui / "models" / "loras").iterdir())
    assert told("downloads", "--forget", listed["id"]) == []


# --------------------------------------------------------------------------- identify and library


@pytest.fixture
def unknown(hubs, comfyui):
    """A file that a hub knows and the library does not yet."""
    added = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15)
    (comfyui / "models" / "loras" / "renamed.safetensors").write_bytes(toy("ink"))
    return added


def test_identify_recognises_all_files(unknown, hubs, comfyui, run, told):
    found = told("identify")
    assert found["hashed"] == 2 and found["identified"] == 1 and found["complete"]
    asked = len(hubs.civitai.asked())
    assert told("identify")["hashed"] == 0 and len(hubs.civitai.asked()) == asked, "nothing is asked twice"
    settings = json.loads((comfyui / "user" / "__intelligent_generation" / "hub.json").read_text())
    assert settings["recognise"] is True
    told("identify", "--refresh")
    assert len(hubs.civitai.asked()) > asked
    _, out, _ = run("library", "renamed", "--language", "es")
    assert "palabras de activación: ink drawing" in out and "verificado" in out and unknown.ref in out


@pytest.mark.parametrize("by", ["name", "path", "sha256", "autov2"])
def test_identify_one(by, unknown, comfyui, told, run):
    sha256 = unknown.sha256["ink.safetensors"]
    path = comfyui / "models" / "loras" / "renamed.safetensors"
    asked = {"name": "renamed", "path": str(path), "sha256": sha256, "autov2": sha256[:10]}[by]
    if by in ("sha256", "autov2"):
        told("identify", "renamed")
    found = told("identify", asked)
    assert found["offer"]["title"] == "Ink Drawing"
    [file] = found["files"]
    assert file["name"] == "renamed.safetensors" and file["verification"] == "verified" and file["hub_id"] == unknown.ref
    assert "inkstyle" in run("identify", asked)[1]


def test_identify_a_checksum_or_file_that_is_nowhere_listed(hubs, tmp_path, run, told):
    added = hubs.civitai.add({"ink.safetensors": toy("ink")})
    found = told("identify", added.sha256["ink.safetensors"].upper())
    assert found["files"] == [] and found["offer"]["title"] == "Ink Drawing"
    elsewhere = tmp_path / "elsewhere.safetensors"
    elsewhere.write_bytes(toy("ink"))
    assert "Ink Drawing" in run("identify", str(elsewhere))[1]
    code, _, err = run("identify", "0" * 64)
    assert code == 1 and "0" * 64 in err
    code, _, err = run("identify", "no such file")
    assert code == 1 and "no such file" in err


def test_identify_offline_hashes_and_says_what_is_missing(unknown, hubs, run, monkeypatch):
    monkeypatch.setenv("INTELLIGENT_GENERATION_OFFLINE", "1")
    code, out, err = run("identify")
    assert code == 1 and "Files hashed: 2" in out and "offline" in err and not hubs.civitai.asked()
    code, out, err = run("identify", "renamed")
    assert code == 0 and "loras/renamed.safetensors" in out and "offline" in err


def test_ctrl_c_ends_identify_in_order(unknown, hubs, run):
    hubs.civitai.fault("/api/v1/model-versions/by-hash/*", Fault(drip=(200, 0.2)))
    process = started("identify")
    wait_until(lambda: hubs.civitai.asked("/api/v1/model-versions/by-hash/*"))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Nothing is lost" in err and "Traceback" not in err


def test_updates_list_what_has_a_newer_version(unknown, hubs, told, run):
    told("identify")
    assert "newer" in run("library", "--updates")[2]
    newer = hubs.civitai.add({"ink2.safetensors": toy("ink2")}, model_id=unknown.model_id, version=SD15)
    run("cache", "--clear")
    code, out, _ = run("library", "--updates")
    assert code == 0 and f"download {newer.ref}" in out and "toy_sd15" not in out


def test_delete_asks_first(unknown, comfyui, run, told):
    path = comfyui / "models" / "loras" / "renamed.safetensors"
    code, _, err = run("library", "--delete", "renamed.safetensors")
    assert code == 1 and "--yes" in err and path.exists()
    code, out, _ = run("library", "--delete", "renamed.safetensors", "--yes", "--language", "es")
    assert code == 0 and str(path) in out and not path.exists()
    assert told("library", "renamed") == []
    code, _, err = run("library", "--delete", "renamed.safetensors", "--yes")
    assert code == 1 and "renamed.safetensors" in err


# --------------------------------------------------------------------------- keys, settings, cache


def test_a_key_comes_from_stdin_and_is_never_shown(hubs, comfyui, run, told, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
    code, out, err = run("token", "civitai")
    assert code == 0 and out.strip() == "civitai: present" and KEY not in out + err
    held = comfyui / "user" / "__intelligent_generation" / "tokens.json"
    assert os.name == "nt" or stat.S_IMODE(held.stat().st_mode) == 0o600
    assert told("token") == {"civitai": True, "huggingface": False, "templates": False}
    gated = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15, gate="login")
    code, out, err = run("download", gated.ref)
    assert code == 0 and KEY not in out + err
    assert all("authorization" not in asked.headers for asked in hubs.cdn.asked())
    assert all(KEY not in str(run(command, "--json")) for command in ("hub-settings", "downloads", "library", "cache"))
    assert "ausente" in run("token", "civitai", "--forget", "--language", "es")[1]


def test_a_missing_or_rejected_key_is_told_with_its_remedy(hubs, run, monkeypatch):
    gated = hubs.civitai.add({"ink.safetensors": toy("ink")}, version=SD15, gate="login")
    code, _, err = run("download", gated.ref)
    assert code == 1 and "token civitai" in err
    monkeypatch.setattr("sys.stdin", io.StringIO("wrong-key-9999\n"))
    run("token", "civitai")
    code, out, err = run("search", "other", "--hub", "civitai")
    assert code == 1 and "rejected your key" in err and "wrong-key-9999" not in out + err


def test_on_a_terminal_the_key_is_read_without_echo(run, monkeypatch):
    from pack import cli_settings

    asked = []
    monkeypatch.setattr("sys.stdin", _Terminal(""))
    monkeypatch.setattr(cli_settings, "getpass", lambda text: asked.append(text) or KEY)
    assert run("token", "civitai", "--language", "es")[:2] == (0, "civitai: presente\n")
    assert asked == ["Clave de civitai (no se muestra): "]


def test_an_empty_key_or_unknown_hub_is_refused(run):
    assert run("token", "civitai")[0] == 1
    code, _, err = run("token", "elsewhere")
    assert code == 1 and err


def test_no_command_takes_a_key_as_an_argument(run):
    with pytest.raises(SystemExit):
        run("token", "civitai", KEY)


def test_settings_are_shown_and_changed(told, run):
    changed = told("hub-settings", "parallel=3", "allowed=civitai:1*, civitai:2*", "nsfw=true")
    assert changed["parallel"] == 3 and changed["allowed"] == ["civitai:1*", "civitai:2*"] and changed["nsfw"] is True
    assert told("hub-settings", "allowed=")["allowed"] == []
    code, out, _ = run("hub-settings")
    assert code == 0 and "parallel" in out and "3" in out
    for wrong in ("parallel", "parallel=many", "nothing=1"):
        code, _, err = run("hub-settings", wrong)
        assert code == 1 and err, wrong
    assert told("hub-settings")["parallel"] == 3


def test_the_cache_is_shown_and_cleared_by_kind(hubs, told, run):
    hubs.civitai.add({"ink.safetensors": toy("ink")})
    told("search", "ink", "--hub", "civitai")
    assert told("cache")["kinds"]["search"]["count"] == 1
    assert told("cache", "--clear", "hash")["cleared"] == 0
    assert told("cache", "--clear", "search") == {"kinds": told("cache")["kinds"], "cleared": 1}
    assert told("cache")["kinds"]["search"] == {"count": 0, "bytes": 0}
    code, _, err = run("cache", "--clear", "hats")
    assert code == 1 and "hats" in err


# --------------------------------------------------------------------------- the machine


def test_the_machine_is_told_as_far_as_it_can_be(comfyui, monkeypatch, tmp_path):
    fake = tmp_path / "bin"
    fake.mkdir()
    script = fake / "nvidia-smi"
    script.write_text("#!/bin/sh\necho 24564\necho 8192\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:/usr/bin:/bin")
    machine = local.machine_here(comfyui)
    assert (machine.device, machine.vram_bytes, machine.host_version) == ("cuda", 23 * GIB, "0.33.0")
    assert machine.ram_bytes > 0 and machine.ram_bytes % GIB == 0
    script.write_text("#!/bin/sh\nexit 9\n")
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert local.machine_here(None).ram_bytes > 0
    assert local.machine_here(None).vram_bytes == 0 and local.machine_here(None).host_version == Machine().host_version
