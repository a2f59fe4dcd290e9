"""Telling and asking, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pack.errors import BadRequest
from pack.feedback import Action, Relation, Trait
from pack.learning.store import Store
from told import HALF_LIFE, RULES, acted, changed, finished, forgot, made, rated, sums


def test_what_was_made_is_found_as_it_was_told(store: Store) -> None:
    event = made(
        changes=(changed(), changed("strength", "0.8", "0.5", "ink")), relation=Relation.EDIT, parent="g0", batch="b", place=3
    )
    assert store.tell(event)
    store.tell(finished())
    found = store.find("g1")
    assert found and found.made == event.fact and found.made.generation.seed == 2**64 - 1
    assert (found.seconds, found.peak_bytes, found.pictures) == (4.0, 5 * 10**9, ("a.png",))
    assert store.find("nothing") is None


def test_told_twice_counts_once(store: Store) -> None:
    events = [made(), rated(5), acted(Action.SAVED), finished(), forgot("style", "photo")]
    assert [store.tell(event) for event in events] == [True] * 5
    before, version = sums(store), store.version()
    assert [store.tell(event) for event in events] == [False] * 5
    assert (sums(store), store.version()) == (before, version)


def test_a_verdict_is_counted_for_every_trait(store: Store) -> None:
    store.tell(made(loras={"ink": 0.8, "glow": 0.4}))
    assert sums(store) == {}
    store.tell(rated(4))
    assert sums(store) == {
        ("checkpoint", "base.safetensors", "*"): (0.75, 0.25, 0.0, 4.0, 1),
        ("checkpoint", "base.safetensors", "style:anime"): (0.75, 0.25, 0.0, 4.0, 1),
        ("lora", "ink", "*"): (0.75, 0.25, 0.8, 4.0, 1),
        ("lora", "ink", "style:anime"): (0.75, 0.25, 0.8, 4.0, 1),
        ("lora", "glow", "*"): (0.75, 0.25, 0.4, 4.0, 1),
        ("lora", "glow", "style:anime"): (0.75, 0.25, 0.4, 4.0, 1),
        ("pair", "glow|ink", "style:anime"): (0.75, 0.25, 0.0, 4.0, 1),
    }
    assert sums(store, "style:photo") == {}


def test_evidence_halves_with_later_verdicts(store: Store) -> None:
    store.tell(made("old", loras={"old": 1.0}))
    store.tell(rated(5, "old"))
    store.tell(made("new", loras={"new": 1.0}))
    for stars in range(int(HALF_LIFE)):
        store.tell(rated(1 + stars % 2, "new"))
    held = sums(store, "*")
    assert held["lora", "old", "*"] == (0.5, 0.0, 1.0, 5.0, 1)
    assert held["lora", "new", "*"] == (0.25, 0.75, 1.0, 2.0, 1)
    both = 0.5 + 0.25
    assert held["checkpoint", "base.safetensors", "*"][0] == pytest.approx(both)


def test_what_has_faded_or_stands_alone_is_not_told(where: str) -> None:
    both = [Trait("lora", "ink", "sdxl"), Trait("pair", "glow|ink", "sdxl")]
    store = Store(where, replace(RULES, traits=lambda made: both if made.session == "s1" else []))
    for id in ("g1", "g2"):
        store.tell(made(id))
        store.tell(rated(5, id))
        assert sorted(tally.kind for tally in store.tallies(["*"])) == (["lora"] if id == "g1" else ["lora", "pair"])
    store.tell(made("other", session="s2"))
    for turn in range(60):
        store.tell(rated(1 + turn % 2, "other"))
    assert store.tallies(["*"]) == []
    store.tell(made("again"))
    store.tell(rated(1, "again"))
    tally = store.tallies(["*"])[0]
    assert 0.02 < tally.liked < 0.04 and (tally.disliked, tally.rated) == (1.0, 3), "what faded is not lost"


def test_the_latest_rating_counts_and_can_be_taken_back(store: Store) -> None:
    store.tell(made())
    store.tell(rated(1))
    store.tell(rated(5, comment="better now", tags=("armour",)))
    assert sums(store, "*")["lora", "ink", "*"] == (1.0, 0.0, 0.8, 5.0, 1)
    found = store.find("g1")
    assert found and found.standing.rating and found.standing.rating.tags == ("armour",)
    store.tell(rated(None))
    assert sums(store) == {}
    assert store.overview().rated == 0 and store.overview().stars_given == (0, 0, 0, 0, 0)
    assert store.latest("here")[0].rated is False


def test_actions_stand_until_undone(store: Store) -> None:
    store.tell(made())
    store.tell(acted(Action.SAVED))
    store.tell(acted(Action.SAVED))
    assert sums(store, "*")["lora", "ink", "*"] == (0.5, 0.0, 0.8, None, 0)
    assert store.overview().actions == {"saved": 1}
    store.tell(acted(Action.SAVED, undone=True))
    assert sums(store) == {} and store.overview().actions == {}
    store.tell(acted(Action.DELETED))
    found = store.find("g1")
    assert found and found.standing.actions == {Action.DELETED}
    assert sums(store, "*")["lora", "ink", "*"][:2] == (0.0, 0.5)


def test_hints_in_the_making_stay(store: Store) -> None:
    store.tell(made(changes=(changed("steps", "20", "30"),)))
    assert sums(store)["steps", "30", "*"] == (0.5, 0.0, 0.0, None, 0)


def test_the_version_follows_what_people_say(store: Store) -> None:
    changes = []
    for event in (
        made(),
        finished(),
        acted(Action.KEPT),
        acted(Action.REROLLED),
        rated(3),
        rated(3),
        acted(Action.SHARED),
        forgot("all"),
        made("g2", changes=(changed(),)),
    ):
        before = store.version()
        store.tell(event)
        changes.append(store.version() != before)
    assert changes == [False, False, False, False, True, True, True, True, False]


def test_forgetting_drops_what_it_names_and_nothing_comes_back(store: Store) -> None:
    for id, style in (("g1", "anime"), ("g2", "photo")):
        store.tell(made(id, loras={"ink": 0.8, "glow": 0.4}, style=style))
        store.tell(rated(5, id))
    store.tell(forgot("lora", "ink"))
    left = sums(store)
    assert {name for kind, name, _ in left if kind in ("lora", "pair")} == {"glow"}
    store.tell(forgot("style", "photo"))
    assert {context for _, _, context in sums(store)} == {"*", "style:anime"}
    store.tell(forgot("checkpoint", "base.safetensors"))
    assert {kind for kind, _, _ in sums(store)} == {"lora"}
    store.tell(forgot("all"))
    assert sums(store) == {} and len(store.recent(9)) == 2


def test_a_verdict_from_before_a_reset_is_not_taken_off_again(store: Store) -> None:
    for id in ("g1", "g2"):
        store.tell(made(id))
        store.tell(rated(5, id))
    store.tell(forgot("lora", "ink"))
    store.tell(made("g3"))
    store.tell(rated(5, "g3"))
    store.tell(rated(1, "g1"))
    share = 0.5 ** (1 / HALF_LIFE)
    held = sums(store, "*")
    assert held["lora", "ink", "*"] == (round(share, 6), 1.0, 0.8, 3.0, 2)
    assert held["checkpoint", "base.safetensors", "*"][3:] == ((5 + 5 + 1) / 3, 3)


def test_the_same_picture_again_is_another_run_of_it(store: Store) -> None:
    store.tell(made())
    assert store.tell(made(prompt="told otherwise", at=2000.0)) is False
    found = store.find("g1")
    assert found and found.made.generation.plan.prompt == "a knight"
    assert store.overview().generations == 1


@pytest.mark.parametrize("event", [rated(3, "nobody"), acted(Action.SAVED, "nobody"), finished("nobody")])
def test_what_nobody_made_cannot_be_rated(store: Store, event: object) -> None:
    with pytest.raises(BadRequest, match="nobody"):
        store.tell(event)
    store.tell(made("nobody"))
    assert store.tell(event), "the refused event left a trace"


def test_order_is_that_of_arrival_whatever_the_clocks_say(store: Store) -> None:
    for number, at in enumerate((5000.0, 4000.0, 3000.0)):
        store.tell(made(f"g{number}", at=at, lineage=f"l{number // 2}"))
    store.tell(rated(2, "g0", at=90.0))
    store.tell(rated(4, "g0", at=10.0))
    assert [found.id for found in store.recent(2)] == ["g2", "g1"]
    assert [found.id for found in store.recent(5, before="g1")] == ["g0"]
    assert [glimpse.id for glimpse in store.latest("here")] == ["g2", "g1", "g0"]
    assert store.latest("elsewhere") == []
    found = store.find("g0")
    assert found and found.standing.rating and found.standing.rating.overall == 4
    session = store.session("s1")
    assert session and (session.started, session.ended, session.generations, session.lineages) == (3000.0, 5000.0, 3, 2)
    assert (session.rated, session.stars) == (1, 4.0)


def test_what_was_counted(store: Store) -> None:
    store.tell(made("g1", changes=(changed(), changed("cfg", "7.0", "5.0"))))
    store.tell(made("g2", changes=(changed(),), session="s2"))
    store.tell(finished("g1"))
    store.tell(finished("g1", None, None))
    store.tell(rated(4, "g1"))
    store.tell(rated(1, "g2"))
    store.tell(rated(2, "g2"))
    store.tell(acted(Action.SHARED, "g2"))
    seen = store.overview()
    assert (seen.generations, seen.rated, seen.stars, seen.stars_given) == (2, 2, 3.0, (0, 1, 0, 1, 0))
    assert seen.changes == (("steps", "", "20", "30", 2), ("cfg", "", "7.0", "5.0", 1))
    assert seen.runs == (("sdxl", 4.0, 5 * 10**9),) and seen.actions == {"shared": 1}
    assert [session.id for session in seen.sessions] == ["s2", "s1"]
    second = store.overview("s2")
    assert (second.generations, second.rated, second.stars_given, second.actions) == (1, 1, (0, 1, 0, 0, 0), {"shared": 1})
    assert second.changes == (("steps", "", "20", "30", 1),) and second.runs == ()
    assert store.overview("s9").generations == 0


def test_runs_are_told_newest_first(store: Store) -> None:
    store.tell(made())
    store.tell(finished(seconds=9.0, workload="slow"))
    store.tell(finished(seconds=None))
    store.tell(finished(seconds=3.0, peak=None, workload="fast"))
    assert store.runs("here") == [("fast", 3.0, 20, "sdxl", None, 6 * 10**9), ("slow", 9.0, 20, "sdxl", 5 * 10**9, 6 * 10**9)]
    assert store.runs("elsewhere") == [] and len(store.runs("here", 1)) == 1


def test_text_no_database_holds_is_cleaned(store: Store) -> None:
    store.tell(made(prompt="nul \0 and half \ud800 a pair"))
    store.tell(rated(5, comment="odd \0 \udfff", tags=("a\0b",)))
    found = store.find("g1")
    assert found and "half ? a pair" in found.made.generation.plan.prompt
    assert found.standing.rating and found.standing.rating.comment == "odd  ?"
    store.tell(made("g2", loras={"l\0ra \udc00": 1.0}))
    for stars in (1, 5):
        store.tell(rated(stars, "g2"))
    assert sums(store, "*")["lora", "lra ?", "*"] == (1.0, 0.0, 1.0, 5.0, 1)


def test_what_is_out_of_range_is_refused(store: Store) -> None:
    for event in (made("g" * 81), made("", id_of_event="e"), rated(5, id_of_event="x" * 100), finished(peak=2**70)):
        with pytest.raises(BadRequest):
            store.tell(event)
    assert store.overview().generations == 0


def test_tallies_of_a_kind(store: Store) -> None:
    store.tell(made(loras={"ink": 0.8, "glow": 0.4}))
    store.tell(rated(5))
    assert {(tally.name, tally.context) for tally in store.tallies_of("lora")} == {
        (name, context) for name in ("ink", "glow") for context in ("*", "style:anime")
    }
    assert [tally.name for tally in store.tallies_of(["pair"], ["style:anime"])] == ["glow|ink"]
    assert len(store.tallies_of()) == 7
