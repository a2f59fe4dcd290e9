import pytest
from pack.data import table
from pack.data.families import families
from pack.errors import sentence
from pack.intelligence.recommend import recommend
from pack.plan import (
    Analysis,
    Complexity,
    Concept,
    Constraints,
    Dialect,
    Kind,
    Leaning,
    Level,
    Library,
    Liking,
    LoraUse,
    ModelFile,
    Taste,
)

PROMPT = "anime girl, magical powers, Victorian mansion, detailed, masterpiece"


def lora(name, title="", tags=(), triggers=(), family="sdxl", **more):
    groups = tuple((group,) for group in triggers)
    return ModelFile(
        Kind.LORA, f"{name}.safetensors", family=family, title=title or name, tags=tuple(tags), trigger_groups=groups, **more
    )


DISTRACTORS = (
    lora("watercolor_wash", "Watercolor wash", ["style"], ["watercolor"], downloads=9_000),
    lora("kodak_portra", "Kodak Portra film", ["style", "photo"], ["kodak portra"], downloads=40_000),
    lora("comic_ink", "Comic ink", ["style", "comic"], ["comic ink"]),
    lora("pixel_art_xl", "Pixel Art XL", ["style"], ["pixel art"], downloads=90_000),
    lora("claymation", "Claymation", ["style"], ["claymation"]),
    lora("neon_noir", "Neon noir", ["style"], ["neon noir"]),
    lora("ukiyoe", "Ukiyo-e prints", ["style"], ["ukiyoe"]),
    lora("art_nouveau", "Art nouveau", ["style"], ["art nouveau"]),
    lora("rem_rezero", "Rem (Re:Zero)", ["character", "anime"], ["rem \\(re:zero\\)"], downloads=70_000),
    lora("saber_fsn", "Saber - Fate/stay night", ["character", "anime"], ["saber"]),
    lora("miku", "Hatsune Miku", ["character", "anime"], ["hatsune miku"], downloads=80_000),
    lora("zelda_botw", "Princess Zelda", ["character"], ["princess zelda"]),
    lora("kitsune_mask", "Kitsune mask", ["clothing"], ["kitsune mask"]),
    lora("school_swim", "School swimsuit", ["clothing"], ["school swimsuit"]),
    lora("steampunk_goggles", "Steampunk goggles", ["clothing"], ["steampunk goggles"]),
    lora("armor_gothic", "Gothic armor", ["clothing"], ["gothic armor"]),
    lora("mecha_cockpit", "Mecha cockpit", ["background"], ["mecha cockpit"]),
    lora("ramen_shop", "Ramen shop", ["background"], ["ramen shop"]),
    lora("forest_shrine", "Forest shrine", ["background"], ["forest shrine"]),
    lora("dragon_rider", "Dragon rider", ["concept"], ["dragon rider"]),
    lora("fisheye", "Fisheye lens", ["concept"], ["fisheye lens"]),
    lora("hand_fix", "Better hands", ["tool"], downloads=99_000),
    lora("contrast_slider", "Contrast slider", ["tool"], downloads=60_000),
    lora("more_details", "Add more details", ["tool"], downloads=900),
    lora("lightning_8", "SDXL Lightning 8 steps", ["tool"], distillation="lightning", downloads=500_000),
    lora("anime_flux", "Anime style for Flux", ["style", "anime"], ["anime style"], family="flux_dev", downloads=99_000),
    lora("anime_nsfw", "Anime style after dark", ["style", "anime"], ["anime"], nsfw=True, downloads=99_000),
    lora("nobody", "Anime style", ["style", "anime"], family=None),
)
WANTED = (
    lora("anime_style_v2", "Anime Style v2", ["style", "anime"], ["anime style"], downloads=20_000),
    lora("detail_enhancer", "Detail Enhancer", ["detail", "tool"], downloads=50_000),
)
LIBRARY = Library((*DISTRACTORS, *WANTED), "worked example")


def read(prompt, level=Level.COMPLEX, dialect=Dialect.TAGS, style="anime"):
    concepts = [Concept("style", "anime", ("anime",))] if "anime" in prompt else []
    concepts += [Concept("detail", "detailed", ("detailed",))] if "detailed" in prompt else []
    totals = {Level.SIMPLE: 0.1, Level.MODERATE: 0.3, Level.COMPLEX: 0.5}
    return Analysis(prompt, prompt, tuple(concepts), style, complexity=Complexity(level, totals[level]), dialect=dialect)


def names(choices):
    return [choice.use.name.removesuffix(".safetensors") for choice in choices]


def why(recommendation, name):
    miss = next(choice for choice in recommendation.near_misses if choice.use.name == f"{name}.safetensors")
    return miss.reasons[0].key


def test_worked_example_takes_the_style_and_the_detail_lora():
    given = recommend(read(PROMPT), "sdxl", LIBRARY)
    assert names(given.chosen) == ["anime_style_v2", "detail_enhancer"]
    assert [choice.use.strength_model for choice in given.chosen] == pytest.approx([0.8, 0.5], abs=0.05)
    assert given.prompt.count("anime style") == 1


def test_the_answer_follows_the_library_and_the_prompt():
    without = Library(tuple(file for file in LIBRARY.files if file.name != "anime_style_v2.safetensors"), "no style")
    assert names(recommend(read(PROMPT), "sdxl", without).chosen) == ["detail_enhancer"]
    painted = read("pixel art castle, detailed", style="pixel_art")
    assert "pixel_art_xl" in names(recommend(painted, "sdxl", LIBRARY).chosen)
    assert "anime_style_v2" not in names(recommend(painted, "sdxl", LIBRARY).chosen)


@pytest.mark.parametrize("prompt", ["a photo of a horse", "a red apple on a table", "a sheep in front of a key", ""])
def test_abstains_when_nothing_fits(prompt):
    given = recommend(read(prompt, Level.SIMPLE, Dialect.PROSE, "none"), "sdxl", LIBRARY)
    assert given.chosen == ()
    assert given.prompt == prompt
    assert given.reasons[0].key == "lora.none"


def test_detail_is_never_added_to_a_simple_prompt():
    assert "detail_enhancer" not in names(recommend(read("anime girl, detailed", Level.SIMPLE), "sdxl", LIBRARY).chosen)


def test_characters_only_when_named():
    named = recommend(read("hatsune miku singing on a stage"), "sdxl", LIBRARY)
    assert "miku" in names(named.chosen)
    assert "miku" not in names(recommend(read("a girl singing on a stage"), "sdxl", LIBRARY).chosen)


def test_other_families_are_named_but_never_chosen():
    given = recommend(read(PROMPT), "sdxl", LIBRARY)
    assert why(given, "anime_flux") == "lora.not.other_family"
    assert why(given, "nobody") == "lora.not.unknown_family"
    assert names(recommend(read(PROMPT), "flux_dev", LIBRARY).chosen) == ["anime_flux"]
    assert recommend(read(PROMPT), "sd2", LIBRARY).reasons[0].key == "lora.no_files"


def test_nsfw_only_where_allowed():
    small = Library((LIBRARY.find(Kind.LORA, "anime_nsfw.safetensors"),), "nsfw")
    assert why(recommend(read(PROMPT), "sdxl", small), "anime_nsfw") == "lora.not.nsfw"
    allowed = Constraints(allow_nsfw=True)
    assert recommend(read("anime style after dark"), "sdxl", small, constraints=allowed).chosen


@pytest.mark.parametrize(
    "block", [Constraints(blocked_ids=("anime_style_v2.safetensors",)), Constraints(blocked_tags=("Anime",))]
)
def test_blocked_files_and_tags_are_left_out_with_a_reason(block):
    given = recommend(read(PROMPT), "sdxl", LIBRARY, constraints=block)
    assert names(given.chosen) == ["detail_enhancer"]
    assert why(given, "anime_style_v2").startswith("lora.not.blocked_")


def test_the_limit_is_kept():
    assert recommend(read(PROMPT), "sdxl", LIBRARY, constraints=Constraints(max_loras=0)).chosen == ()
    one = recommend(read(PROMPT), "sdxl", LIBRARY, constraints=Constraints(max_loras=1))
    assert names(one.chosen) == ["anime_style_v2"]


def test_every_choice_and_miss_has_scores_and_sentences_in_both_languages():
    given = recommend(read(PROMPT), "sdxl", LIBRARY)
    reasons = [*given.reasons, *(reason for choice in (*given.chosen, *given.near_misses) for reason in choice.reasons)]
    for choice in (*given.chosen, *given.near_misses):
        assert any(reason.key == "lora.scores" for reason in choice.reasons)
    for reason in reasons:
        texts = [sentence("explain", reason.key, language, dict(reason.values)) for language in ("en", "es")]
        assert texts[0] != texts[1] and "{" not in "".join(texts)


def test_the_same_request_gets_the_same_answer():
    assert recommend(read(PROMPT), "sdxl", LIBRARY) == recommend(read(PROMPT), "sdxl", LIBRARY)


def test_a_disliked_lora_falls_behind_its_twin():
    twins = Library((lora("ink_a", "Ink wash", ["style"]), lora("ink_b", "Ink wash study", ["style"], ["ink wash"])), "twins")
    analysis = read("ink wash of a heron", style="none")
    first = recommend(analysis, "sdxl", twins).chosen[0].use.name
    disliked = recommend(analysis, "sdxl", twins, Taste(1, families={"sdxl": Leaning({first: Liking(-0.5, 50)})}))
    assert disliked.chosen[0].use.name != first


def test_both_languages_hold_the_same_keys_and_every_refusal_has_one():
    from pathlib import Path

    import pack

    source = Path(pack.__file__).parent
    import json

    english, spanish = (
        {
            key
            for key in json.loads((source / "locales" / language / "explain.json").read_text("utf-8"))
            if key.startswith("lora.")
        }
        for language in ("en", "es")
    )
    assert english == spanish
    assert {"documented", "measured"} <= set(table("recommend")["profiles"])


def test_loras_in_use_count_towards_the_limits_and_stay_as_they_are():
    given = (LoraUse("anime_style_v2.safetensors", 2.9, 2.9),)
    found = recommend(read(PROMPT), "sdxl", LIBRARY, given=given)
    assert names(found.chosen) == ["detail_enhancer"]
    assert found.chosen[0].use.strength_model == pytest.approx(0.1)
    assert any(reason.key == "lora.strength.rebalanced" for reason in found.chosen[0].reasons)
    assert recommend(read(PROMPT), "sdxl", LIBRARY, constraints=Constraints(max_loras=1), given=given).chosen == ()


def told(choice, language="en"):
    return sentence("explain", choice.reasons[0].key, language, dict(choice.reasons[0].values))


@pytest.mark.parametrize(
    ("title", "prompt"),
    [
        ("Blue Scarf", "a man with a blue scarf on a pier"),
        ("Steampunk Harbour", "steampunk harbour in the morning"),
        ("Old Windmill v3", "an old windmill, wheat"),
    ],
)
def test_a_whole_name_of_several_words_is_asked_for(title, prompt):
    shelf = Library((lora("one", title), *DISTRACTORS), title)
    read_prompt = read(prompt, Level.SIMPLE, Dialect.PROSE, "none")
    assert names(recommend(read_prompt, "sdxl", shelf).chosen) == ["one"]
    scattered = read(", ".join(reversed(prompt.split())), Level.SIMPLE, Dialect.PROSE, "none")
    assert recommend(scattered, "sdxl", Library((lora("one", "Blue Scarf"),), "scattered")).chosen == ()


def test_everyday_words_are_called_what_they_are():
    shelf = Library((lora("one", "Horse", ["animal"]),), "everyday")
    given = recommend(read("a photo of a horse", Level.SIMPLE, Dialect.PROSE, "none"), "sdxl", shelf)
    assert given.chosen == () and why(given, "one") == "lora.not.everyday"
    assert "horse" in told(given.near_misses[0]) and "corrientes" in told(given.near_misses[0], "es")


def test_nothing_is_a_near_miss_that_nothing_speaks_for():
    given = recommend(read("a sheep in front of a key", Level.SIMPLE, Dialect.PROSE, "none"), "sdxl", LIBRARY)
    kinds = {choice.reasons[0].key for choice in given.near_misses}
    assert kinds <= {"lora.not.detail_not_asked"}
    missed = recommend(read("a princess in a shop", Level.SIMPLE, Dialect.PROSE, "none"), "sdxl", LIBRARY).near_misses
    assert {"zelda_botw", "ramen_shop"} <= set(names(missed)) and "pixel_art_xl" not in names(missed)


def test_families_are_called_by_their_labels():
    given = recommend(read(PROMPT), "sdxl", LIBRARY)
    foreign = next(choice for choice in given.near_misses if choice.use.name == "anime_flux.safetensors")
    label = families()["flux_dev"].label
    assert label in told(foreign) and label in told(foreign, "es") and "flux_dev" not in told(foreign)
