"""The history of a place, on its own SQLite file: what is recorded, learned, and what happens when it cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pack.errors import BadRequest, UserError
from pack.feedback import Action, Rating, Relation
from pack.history import History
from pack.intelligence.analyze import analyze
from pack.intelligence.explain import explain
from pack.learning.journal import Journal
from pack.pipeline import make_plan
from pack.plan import Constraints, Fixed, Generation, LoraUse, Measured, Mode, Plan, Request, Taste
from pack.tests.shelf import checkpoint, gpu, library, lora

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"  # port 1: refused at once


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 10
        return self.now


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path, "here", Clock())


def plan_of(prompt: str = "ink wash painting of a fox", taste: Taste | None = None, **asked: object) -> Plan:
    shelf = library(checkpoint(), lora("ink_one.safetensors", title="Ink wash painting", tags=("ink wash",)))
    return make_plan(Request(prompt, **asked), analyze(prompt), shelf, taste or Taste(), gpu())


def made(identity: str, plan: Plan | None = None, seed: int = 1) -> Generation:
    return Generation(plan or plan_of(), seed, identity)


def test_a_rating_is_kept_and_changes_the_version(history: History) -> None:
    assert history.began(made("a"))
    before = history.version()
    assert history.rate("a", Rating(4, quality=5, comment="¡qué zorro!", tags=("fox",)))
    assert history.version() != before
    kept = history.find("a")
    assert kept is not None and kept.standing.rating == Rating(4, quality=5, comment="¡qué zorro!", tags=("fox",))


def test_what_nobody_made_cannot_be_rated(history: History) -> None:
    with pytest.raises(BadRequest) as refused:
        history.rate("never", Rating(4))
    assert refused.value.code == "generation_unknown"
    with pytest.raises(BadRequest):
        history.rate("x" * 5000, Rating(4))


def test_a_new_seed_changes_no_version(history: History) -> None:
    history.began(made("a"))
    before = history.version()
    history.began(made("b", seed=2))
    history.finished(made("b", seed=2), Measured(3.0), ("b.png",))
    assert history.version() == before
    assert history.find("b").made.relation is Relation.REROLL


def test_moving_on_says_which_picture_was_kept(history: History) -> None:
    for number in range(3):
        history.began(made(f"fox{number}", seed=number))
    history.began(made("ship", plan_of("a pirate ship in a storm")))
    assert history.find("fox2").standing.actions == {Action.KEPT}
    assert history.find("fox0").standing.actions == {Action.REROLLED}
    assert history.find("ship").made.relation is Relation.NEW
    assert history.find("ship").made.session == history.find("fox0").made.session


def test_items_of_a_batch_are_no_rerolls_of_each_other(history: History) -> None:
    for number in range(3):
        history.began(made(f"fox{number}", seed=number), batch="b1", place=number)
    history.began(made("ship", plan_of("a pirate ship in a storm")))
    assert not any(history.find(f"fox{number}").standing.actions for number in range(3))


def test_what_the_person_changed_is_recorded_as_a_change(history: History) -> None:
    free, fixed = plan_of(), plan_of(fixed=Fixed(steps=12, cfg=3.0))
    history.began(made("a", fixed), proposed=free)
    changes = {change.parameter: change for change in history.find("a").made.changes}
    assert changes["steps"].used == "12" and changes["steps"].proposed == str(free.settings.steps)
    assert changes["cfg"].used == "3"
    assert history.overview().changes


def test_fixed_widgets_count_once_and_leave_what_is_tried_alone(history: History) -> None:
    free, fixed = plan_of(), plan_of(fixed=Fixed(steps=12, cfg=3.0))
    version = history.version()
    history.began(made("a", fixed), proposed=free)
    evidence = history.tallies()
    history.began(made("b", fixed, 2), proposed=free)
    assert history.version() == version and evidence
    assert history.find("a").made.changes and not history.find("b").made.changes
    assert history.tallies() == evidence


def test_an_edited_plan_tells_its_edits_by_itself() -> None:
    plan = plan_of()
    edited = replace(plan, settings=replace(plan.settings, steps=11))
    assert edited.proposed is not None and edited.proposed.settings.steps != 11


def test_ratings_become_taste(history: History) -> None:
    """Two LoRAs of equal worth: the one whose pictures were liked goes first from then on."""
    twins = [
        lora(f"{name}.safetensors", title=f"Ink wash painting {name}", tags=("ink wash",), trigger_groups=(("ink wash",),))
        for name in ("aaa", "bbb")
    ]
    request = Request("ink wash painting of a fox", constraints=Constraints(max_loras=1))
    analysis, shelf = analyze(request.prompt), library(checkpoint(), *twins)
    first = make_plan(request, analysis, shelf, Taste(), gpu())
    (used,) = (choice.use.name for choice in first.loras)
    (other,) = {file.name for file in twins} - {used}
    for number in range(5):
        history.began(made(f"bad{number}", first, number))
        history.rate(f"bad{number}", Rating(1))
        fixed = replace(first, loras=(replace(first.loras[0], use=LoraUse(other, 0.8, 0.8)),))
        history.began(made(f"good{number}", fixed, number))
        history.rate(f"good{number}", Rating(5))
    taste = history.taste(analysis)
    assert taste.version and taste.on(first.family).loras[other].ratings == 5
    again = make_plan(request, analysis, shelf, taste, gpu())
    assert [choice.use.name for choice in again.loras] == [other]
    assert "5" in explain(again) and make_plan(request, analysis, shelf, taste, gpu()) == again
    assert make_plan(replace(request, mode=Mode.MANUAL, loras=()), analysis, shelf, taste, gpu()).loras == ()


def test_one_prompt_has_one_taste_until_something_is_said(history: History) -> None:
    plan = plan_of()
    history.began(made("a", plan))
    history.rate("a", Rating(5))
    first = history.taste(plan.analysis)
    assert history.taste(plan.analysis) is first
    history.began(made("b", plan, 2))
    assert history.taste(plan.analysis) is first
    other = plan_of("a pirate ship in a storm")
    before = history.taste(other.analysis)
    history.began(made("c", other))  # says that "b" was kept
    assert history.find("b").standing.actions == {Action.KEPT}
    assert history.taste(other.analysis) is before
    history.rate("b", Rating(2))
    later = history.taste(plan.analysis)
    assert later.version != first.version and later != first


def test_forgetting_everything_leaves_the_records(history: History) -> None:
    plan = plan_of()
    history.began(made("a", plan))
    history.rate("a", Rating(5))
    history.forget("all")
    assert history.taste(plan.analysis).on(plan.family).loras == {}
    assert history.find("a").standing.rating == Rating(5)
    history.erase()
    assert history.find("a") is None


def test_switched_off_nothing_is_recorded_or_used(history: History) -> None:
    history.change_options({"enabled": False})
    assert not history.began(made("a"))
    assert history.version() == 0 and history.taste(plan_of().analysis) == Taste()
    with pytest.raises(BadRequest) as refused:
        history.rate("a", Rating(5))
    assert refused.value.code == "learning_off"
    history.change_options({"enabled": True})
    assert not history.began(made("b", plan_of(learning=False)))
    assert history.find("a") is None and history.find("b") is None


def test_an_unreachable_database_stops_nobody_and_loses_nothing(tmp_path: Path) -> None:
    history = History(tmp_path, "here", Clock())
    history.change_options({"database": NOWHERE})
    assert not history.began(made("a"))
    assert not history.rate("a", Rating(5))
    assert history.taste(plan_of().analysis) == Taste()
    assert [note.code for note in history.notes()] == ["learning_unreachable"]
    assert Journal(tmp_path).waiting
    history.change_options({"database": ""})
    assert history.find("a").standing.rating == Rating(5)
    assert not Journal(tmp_path).waiting


def test_the_log_holds_every_event(tmp_path: Path) -> None:
    history = History(tmp_path, "here", Clock())
    history.change_options({"log": True})
    history.began(made("a"))
    history.rate("a", Rating(5))
    lines = [json.loads(line) for path in tmp_path.rglob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
    assert [line["fact"]["kind"] for line in lines] == ["made", "rated"]


def test_options_are_checked_and_seen_by_others(tmp_path: Path) -> None:
    one, two = History(tmp_path), History(tmp_path)
    assert two.options.explore == one.options.explore
    one.change_options({"explore": 0.0})
    assert two.options.explore == 0.0
    for nonsense in ({"explore": 7}, {"nothing": 1}, {"database": "no address"}, {"keep_days": -1}):
        with pytest.raises(BadRequest):
            one.change_options(nonsense)
    (tmp_path / "learning.json").write_text("{broken")
    with pytest.raises(BadRequest) as refused:
        History(tmp_path).options  # noqa: B018
    assert refused.value.code == "learning_settings_unreadable"


def test_a_picture_from_elsewhere_becomes_known_by_its_plan(history: History) -> None:
    history.knows(made("from-a-friend"))
    assert history.rate("from-a-friend", Rating(5))


def test_a_picture_from_elsewhere_waits_with_its_rating(tmp_path: Path) -> None:
    history = History(tmp_path, "here", Clock())
    history.change_options({"database": NOWHERE})
    history.knows(made("from-a-friend"))
    assert not history.rate("from-a-friend", Rating(5))
    history.change_options({"database": ""})
    assert history.find("from-a-friend").standing.rating == Rating(5)


def test_a_damaged_file_is_set_aside_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "learning.sqlite").write_bytes(b"this is no database, whatever it is called" * 100)
    history = History(tmp_path, "here", Clock())
    assert history.began(made("a"))
    assert [note.code for note in history.notes()] == ["learning_damaged"]
    assert list(tmp_path.glob("learning.sqlite.damaged*"))


def test_a_newer_schema_is_not_touched(tmp_path: Path) -> None:
    import sqlite3

    first = History(tmp_path, "here", Clock())
    first.began(made("a"))
    first.close()
    with sqlite3.connect(tmp_path / "learning.sqlite") as connection:
        connection.execute("UPDATE intelligent_generation_schema SET version_num = 'm999_from_the_future'")
    later = History(tmp_path, "here", Clock())
    assert not later.rate("a", Rating(5))
    assert [note.code for note in later.notes()] == ["learning_newer"]
    with pytest.raises(UserError):
        later.find("a")
