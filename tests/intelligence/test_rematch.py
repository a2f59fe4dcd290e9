"""A plan made on one machine, on another one: which files are meant, which are here, which are not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pack.intelligence.analyze import analyze
from pack.intelligence.explain import render
from pack.intelligence.rematch import rematch, sources_of, wanted_files, with_sources
from pack.pipeline import make_plan
from pack.plan import Kind, Library, LoraUse, ModelFile, Request, Source, Taste
from pack.tests.shelf import checkpoint, gpu, library, lora
from pack.values import from_json, to_json

BASE = checkpoint("base.safetensors", sha256="AA" * 32, hub_id="civitai:1@10", base_model="SDXL 1.0")
INK = lora("styles/ink.safetensors", sha256="bb" * 32, hub_id="civitai:2@20", size_bytes=1000)
BLOT = ModelFile(Kind.EMBEDDING, "blot.safetensors", 500, sha256="cc" * 32, family="sdxl")
HERE = library(BASE, INK, BLOT)


def plan_on(shelf: Library = HERE, prompt: str = "a fox, embedding:blot", **asked):
    request = Request(prompt, loras=(LoraUse("ink", 0.7, 0.6),), **asked)
    return make_plan(request, analyze(prompt), shelf, Taste(), gpu())


def files(found):
    plan = found.plan
    return plan.models.checkpoint, [choice.use.name for choice in plan.loras], [source.name for source in plan.sources]


def keys(found):
    return [note.key for note in found.notes]


def test_the_planner_tells_which_files_it_means():
    told = {source.kind: source for source in plan_on().sources}
    assert told[Kind.CHECKPOINT] == Source(
        Kind.CHECKPOINT, "base.safetensors", "aa" * 32, "civitai:1@10", BASE.size_bytes, "SDXL 1.0"
    )
    assert told[Kind.LORA].name == "styles/ink.safetensors" and told[Kind.LORA].size_bytes == 1000
    assert told[Kind.EMBEDDING].sha256 == "cc" * 32 and len(told) == len(plan_on().sources) == 3


def test_where_nothing_changed_nothing_is_said():
    plan = plan_on()
    found = rematch(plan, HERE)
    assert found.plan == plan and not found.notes and not found.missing
    assert from_json(type(plan), to_json(found.plan)) == plan


def test_another_systems_slashes_are_no_other_name():
    windows = library(BASE, replace(INK, name="styles\\ink.safetensors"), BLOT)
    found = rematch(plan_on(), windows)
    assert not found.notes and not found.missing
    assert files(found)[1] == ["styles\\ink.safetensors"]
    assert rematch(found.plan, HERE).plan == plan_on()


def test_a_renamed_file_is_known_by_its_bytes_everywhere_in_the_plan():
    plan = plan_on()
    renamed = library(
        replace(BASE, name="mine.safetensors"), replace(INK, name="my_ink.safetensors"), replace(BLOT, name="b/smear.pt")
    )
    found = rematch(plan, renamed)
    assert files(found) == (
        "mine.safetensors",
        ["my_ink.safetensors"],
        ["mine.safetensors", "my_ink.safetensors", "b/smear.pt"],
    )
    assert keys(found) == ["rematch.renamed"] * 3 and not found.missing
    assert "embedding:b/smear" in found.plan.prompt and "blot" not in found.plan.prompt
    assert [use.name for use in found.plan.proposed.loras] == ["my_ink.safetensors"]
    assert found.plan.loras[0].use.strength_model == 0.7
    assert rematch(found.plan, renamed).notes == ()


def test_bytes_come_before_names():
    impostor = replace(INK, sha256="dd" * 32, hub_id=None)
    both = library(BASE, impostor, replace(INK, name="real.safetensors"), BLOT)
    assert files(rematch(plan_on(), both))[1] == ["real.safetensors"]
    alone = rematch(plan_on(), library(BASE, impostor, BLOT))
    assert [source.name for source in alone.missing] == ["styles/ink.safetensors"] and keys(alone) == ["rematch.other_bytes"]


def test_another_size_is_another_file_though_nobody_hashed_it():
    other = replace(INK, sha256=None, hub_id=None, size_bytes=999)
    assert keys(rematch(plan_on(), library(BASE, other, BLOT))) == ["rematch.other_bytes"]
    unhashed = replace(INK, sha256=None, hub_id=None)
    assert not rematch(plan_on(), library(BASE, unhashed, BLOT)).notes


def test_the_same_version_in_another_file_will_do_and_is_said():
    half = replace(INK, name="ink_fp16.safetensors", sha256="ee" * 32, size_bytes=500)
    found = rematch(plan_on(), library(BASE, half, BLOT))
    assert files(found)[1] == ["ink_fp16.safetensors"] and keys(found) == ["rematch.same_version"]
    assert found.plan.sources[1].sha256 == "ee" * 32, "the plan now means the file it will load"
    newer = replace(half, hub_id="civitai:2@21")
    assert keys(rematch(plan_on(), library(BASE, newer, BLOT))) == ["rematch.missing"]


def test_a_repository_holds_many_files():
    plan = plan_on(library(BASE, replace(INK, sha256=None, hub_id="huggingface:a/b@main"), BLOT))
    other = replace(INK, name="oil.safetensors", sha256=None, size_bytes=7, hub_id="huggingface:a/b@main")
    assert keys(rematch(plan, library(BASE, other, BLOT))) == ["rematch.missing"]
    moved = replace(other, name="kept/INK.safetensors")
    assert keys(rematch(plan, library(BASE, moved, BLOT))) == ["rematch.same_version"]


def test_what_may_be_it_is_named_and_never_taken_unproved():
    maybe = replace(INK, name="unknown.safetensors", sha256=None, hub_id=None)
    found = rematch(plan_on(), library(BASE, maybe, BLOT))
    assert keys(found) == ["rematch.unproven"] and [source.kind for source in found.missing] == [Kind.LORA]
    assert "unknown.safetensors" in render(found.notes[0], "en") and "Reconocer" in render(found.notes[0], "es")


def test_another_kind_of_the_same_bytes_will_not_do():
    wrong = replace(INK, kind=Kind.CHECKPOINT)
    assert keys(rematch(plan_on(), library(BASE, wrong, BLOT))) == ["rematch.missing"]
    broken = replace(INK, name="other.safetensors", problem="file_damaged")
    assert keys(rematch(plan_on(), library(BASE, broken, BLOT))) == ["rematch.missing"]


def test_plans_without_sources_are_matched_by_name():
    old = replace(plan_on(), sources=())
    assert not rematch(old, HERE).notes
    found = rematch(old, library(BLOT))
    assert [source.name for source in found.missing] == ["base.safetensors", "styles/ink.safetensors"]
    assert files(found)[:2] == ("base.safetensors", ["styles/ink.safetensors"])


def test_what_is_missing_is_wanted_by_the_hubs_name_and_with_its_sum():
    found = rematch(plan_on(), library(BLOT))
    first, second = wanted_files(found.missing)
    assert (first.ref, first.sha256, first.kind, first.search) == ("civitai:1@10", "aa" * 32, Kind.CHECKPOINT, "")
    assert (second.name, second.size_bytes) == ("ink.safetensors", 1000)
    unknown = wanted_files((Source(Kind.LORA, "deep\\add_detail_v2.safetensors"),))[0]
    assert (unknown.ref, unknown.search, unknown.name, unknown.size_bytes) == (
        "",
        "add detail",
        "add_detail_v2.safetensors",
        None,
    )


def test_sources_follow_what_is_loaded():
    plan = plan_on()
    oil = lora("oil.safetensors", sha256="ff" * 32)
    swapped = replace(plan, loras=(replace(plan.loras[0], use=LoraUse("oil.safetensors", 1, 1)),))
    told = with_sources(swapped, library(BASE, oil))
    assert [(source.name, source.sha256) for source in told.sources] == [
        ("base.safetensors", "aa" * 32),
        ("oil.safetensors", "ff" * 32),
        ("blot.safetensors", "cc" * 32),
    ]
    unknown = with_sources(plan, Library())
    assert unknown.sources == plan.sources, "what this machine does not know stays told"
    assert len(with_sources(replace(plan, prompt="a fox"), HERE).sources) == 2
    off = replace(plan.loras[0], chosen=False)
    assert Kind.LORA not in {source.kind for source in sources_of(plan.models, (off,), HERE)}


@pytest.mark.parametrize("language", ["en", "es"])
def test_notes_are_sentences(language):
    for shelf in (library(BLOT), library(BASE, replace(INK, name="x.safetensors"), BLOT)):
        for note in rematch(plan_on(), shelf).notes:
            assert "“" in render(note, language) or "«" in render(note, language)
    for wanted in wanted_files(rematch(plan_on(), library(BLOT)).missing):
        assert "models/" in render(wanted.why, language)
