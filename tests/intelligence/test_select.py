import pytest
from pack.intelligence.matching import Nature, Wishes, nature_of
from pack.intelligence.ranking import Ranked
from pack.intelligence.select import candidate_of, same_model, select, wants_detail
from pack.intelligence.strength import rebalance, strength_for
from pack.plan import Analysis, Complexity, Concept, Constraints, Kind, Level, LoraUse, ModelFile, Scores


def lora(name, title="", tags=(), triggers=(), **more):
    return ModelFile(
        Kind.LORA, f"{name}.safetensors", title=title or name, tags=tags, trigger_groups=(triggers,) if triggers else (), **more
    )


def chosen_of(prompt, *files, style="none", concepts=(), **limits):
    ranked = [Ranked(file, Scores(keyword=0.5), 0.9 - 0.01 * at) for at, file in enumerate(files)]
    analysis = Analysis(prompt, prompt, concepts, style, complexity=Complexity(Level.COMPLEX, 0.5))
    wishes = Wishes.of(analysis)
    chosen, refused = select([candidate_of(entry, wishes) for entry in ranked], analysis, Constraints(**limits))
    return [each.file.name.split(".")[0] for each in chosen], {
        each.candidate.file.name.split(".")[0]: each.why for each in refused
    }


def test_two_versions_of_one_model_are_never_stacked():
    chosen, refused = chosen_of(
        "ink wash heron", lora("inkwash_v1", "Ink wash v1", ("style",)), lora("inkwash_v2", "Ink wash v2", ("style",))
    )
    assert chosen == ["inkwash_v1"] and refused == {"inkwash_v2": "duplicate"}
    assert same_model(lora("a", hub_id="civitai:1"), lora("b", hub_id="civitai:1"))
    assert not same_model(lora("a", "Rem"), lora("b", "Ram"))


def test_a_lora_that_covers_nothing_new_is_left_out():
    chosen, refused = chosen_of(
        "hatsune miku on stage",
        lora("m1", "Hatsune Miku", ("character",)),
        lora("m2", "Miku Hatsune concert", ("character",), ("hatsune miku",)),
    )
    assert chosen == ["m1"] and refused == {"m2": "covers_nothing_new"}


def test_no_more_than_two_styles():
    files = [lora(name, name.replace("_", " "), ("style",)) for name in ("ukiyoe_prints", "art_nouveau", "cubist_collage")]
    words = (Concept("style", "art_nouveau", ("art nouveau",)),)
    chosen, refused = chosen_of("ukiyoe prints, art nouveau, cubist collage", *files, concepts=words)
    assert len(chosen) == 2 and list(refused.values()) == ["styles_full"]


def test_a_photographic_style_is_refused_for_a_drawn_picture():
    film = lora("kodachrome", "Kodachrome slides", ("style", "photo"))
    words = (Concept("style", "anime", ("anime",)),)
    assert chosen_of("anime girl, kodachrome slides", film, style="anime", concepts=words)[1] == {
        "kodachrome": "conflict_style"
    }
    assert chosen_of("kodachrome slides of a street", film)[0] == ["kodachrome"]


def test_distillations_are_never_chosen_for_their_words():
    turbo = lora("hyperfoo", "Hyperfoo zorblax", ("style",), distillation="hyper")
    assert chosen_of("hyperfoo zorblax", turbo)[1] == {"hyperfoo": "distillation"}


@pytest.mark.parametrize(
    ("level", "said", "wanted"),
    [("simple", True, False), ("moderate", True, True), ("moderate", False, False), ("complex", False, True)],
)
def test_detail_is_wanted_by_rich_prompts_only(level, said, wanted):
    concepts = (Concept("detail", "detailed", ("detailed",)),) if said else ()
    assert wants_detail(Analysis("", "", concepts, complexity=Complexity(Level(level), 0.3))) is wanted


def test_natures():
    assert nature_of(lora("a", "Rem", ("Character", "detail"))) is Nature.CHARACTER
    assert nature_of(lora("add_detail", "Add Detail", ("tool",))) is Nature.DETAIL
    assert nature_of(lora("contrast_slider")) is Nature.UTILITY
    assert nature_of(lora("a", "Ghibli style")) is Nature.STYLE
    assert nature_of(lora("a", "Victorian mansion", ("background",))) is Nature.OTHER


def test_strength_follows_the_card_and_stays_in_its_range():
    assert strength_for(lora("a", strength=(0.6, None, 0.8)), Nature.STYLE, 4) == 0.7
    assert strength_for(lora("a", strength=(None, 1.2, None)), Nature.STYLE, 1) == 1.2
    assert strength_for(lora("a", strength=(0.9, None, None)), Nature.DETAIL, 1) == 0.9
    assert strength_for(lora("a"), Nature.STYLE, 4) < strength_for(lora("a"), Nature.STYLE, 2)


def test_the_stack_is_rebalanced_above_three_without_touching_distillations():
    uses = [LoraUse(name, strength, strength) for name, strength in (("turbo", 1.0), ("a", 1.5), ("b", -1.5))]
    turbo, first, second = rebalance(uses, frozenset({"turbo"}))
    assert turbo.strength_model == 1.0
    assert abs(first.strength_model) + abs(second.strength_model) == pytest.approx(2.0)
    assert second.strength_model < 0
    assert rebalance(uses[:2]) == tuple(uses[:2])


def test_a_distant_relative_is_refused_even_when_named():
    analysis = Analysis("hatsune miku", "hatsune miku")
    entry = Ranked(lora("miku", "Hatsune Miku", ("character",), family="pony"), Scores(), 0.5)
    for factor, why in ((0.3, ["distant_family"]), (0.9, [])):
        candidate = candidate_of(entry, Wishes.of(analysis), factor)
        assert [refusal.why for refusal in select([candidate], analysis, Constraints())[1]] == why
