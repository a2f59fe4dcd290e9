import random

import pytest

np = pytest.importorskip("numpy")
from pack.intelligence.ranking import Vectors, VectorTable, Weights, factors_of, index_of, profile, rank, score  # noqa: E402
from pack.intelligence.text import name_words, rarity, units, words  # noqa: E402
from pack.plan import Analysis, Kind, Leaning, Library, Liking, ModelFile, Taste  # noqa: E402


def lora(name, title="", tags=(), triggers=(), family="sdxl", **more):
    return ModelFile(
        Kind.LORA, name, family=family, title=title, tags=tags, trigger_groups=(triggers,) if triggers else (), **more
    )


def library(*files):
    return Library(files, " ".join(file.name + file.title for file in files))


def first(prompt, *files, **more):
    return rank(Analysis(prompt, prompt), "sdxl", library(*files), **more)[0].file.name


def test_words_of_tags_prose_and_file_names_agree():
    assert words("long_hair") == words("Long hairs") == ["long", "hair"]
    assert words("<lora:x:0.8> (glowing eyes:1.3)") == ["glow", "eye"]
    assert name_words("animeStyle_v2") == words("anime style v 2") or name_words("animeStyle_v2")[:2] == words("anime style")
    assert words("Pokémon") == ["pokemon"] and words("初音") == ["初", "音"]
    assert list(units("a cat, ((red)) hat\nBREAK moon")) == ["a cat", "red)) hat", "moon"]


def test_rarity_is_what_a_word_is_worth_in_prompts_in_general():
    assert rarity("masterpiec") < 0.05 < rarity("victorian") < rarity("zorblaxian") <= 1
    assert rarity("the") == 0


def test_a_name_outweighs_common_words():
    named = lora("a", "Hatsune Miku")
    common = lora("b", "Girl with long hair", ("girl", "long hair", "blue eyes"))
    assert first("masterpiece, 1girl, long hair, blue eyes, hatsune miku", common, named) == "a"


@pytest.mark.parametrize("prompt", ["spider man on a roof", "spiderman on a roof"])
def test_compounds_meet_however_they_are_written(prompt):
    assert first(prompt, lora("b", "Roof garden"), lora("a", "SpiderMan")) == "a"
    assert first(prompt, lora("b", "Zebra"), lora("a", "spiderman")) == "a"


def test_family_name_first_or_last():
    assert (
        first("sakura chiyo, smile", lora("b", "Chiyo Matsuda"), lora("c", "Sakura Haruno"), lora("a", "Chiyo Sakura")) == "a"
    )


def test_popularity_breaks_ties_but_never_wins_alone():
    quiet, loud = lora("a", "Ink wash"), lora("b", "Ink wash", downloads=50_000)
    assert first("ink wash", quiet, loud) == "b"
    assert first("ink wash", lora("a", "Ink wash"), lora("b", "Detail", downloads=9_000_000, likes=9_000_000)) == "a"


def test_ten_likes_do_not_beat_ten_thousand_downloads():
    assert first("ink wash", lora("a", "Ink wash", likes=10), lora("b", "Ink wash", downloads=10_000)) == "b"


def test_history_moves_a_liked_lora_up_and_a_disliked_one_down():
    twins = lora("a", "Ink wash"), lora("b", "Ink wash")
    assert first("ink wash", *twins, taste=Taste(1, families={"sdxl": Leaning({"b": Liking(0.3)})})) == "b"
    assert first("ink wash", *twins, taste=Taste(1, families={"sdxl": Leaning({"a": Liking(-0.3)})})) == "b"
    _, parts = score(index_of(library(*twins)), Analysis("ink wash", "ink wash"), Leaning({"a": Liking(-1.0)}))
    assert list(parts[3]) == [0, 0.5]


def test_what_is_lifted_for_all_unknown_loras_leaves_the_known_ones_alone():
    twins = lora("a", "Ink wash"), lora("b", "Ink wash")
    _, parts = score(index_of(library(*twins)), Analysis("ink", "ink"), Leaning({"a": Liking(0.0), "*": Liking(0.2)}))
    assert list(parts[3]) == pytest.approx([0.5, 0.6])


def test_the_gate_is_hard_and_parents_pay():
    index = index_of(library(lora("a", family="sdxl"), lora("b", family="sd15"), lora("c", family=None)))
    assert list(factors_of(index, "sdxl")) == [1, 0, 0]
    assert [
        entry.file.name for entry in rank(Analysis("b", "b"), "sdxl", library(lora("a", "b"), lora("b", "b", family="sd15")))
    ] == ["a"]


def test_partial_scores_are_calibrated_and_vectors_count_when_present():
    files = library(lora("a", "Koi pond"), lora("b", "Steel bridge"))
    analysis = Analysis("fish in the water", "fish in the water")
    table = VectorTable(("a", "b"), np.array([[1, 0], [0, 1]], dtype=np.float32))
    vectors = Vectors(np.array([1, 0], dtype=np.float32), table)
    total, parts = score(index_of(files), analysis, vectors=vectors)
    assert total[0] > total[1] and parts[0][0] > parts[0][1]
    assert all(part.min() >= 0 and part.max() <= 1 for part in parts)
    half = Vectors(vectors.prompt, VectorTable(("b",), table.matrix[1:]))
    assert score(index_of(files), analysis, vectors=half)[1][0][0] == 0


def test_without_vectors_the_other_weights_fill_the_gap():
    files = library(lora("a", "Koi pond"))
    analysis = Analysis("koi pond", "koi pond")
    with_gap = score(index_of(files), analysis, weights=Weights(0.4, 0.3, 0.2, 0.1))[0]
    without = score(index_of(files), analysis, weights=Weights(0.0, 0.3, 0.2, 0.1))[0]
    assert with_gap[0] == pytest.approx(without[0])
    assert profile() == Weights(0.4, 0.3, 0.2, 0.1)


def test_any_text_is_survived():
    chance = random.Random(1)
    index = index_of(library(lora("a", "Ink (wash", ("x",), ("((a", "\\"), description="<b>\0")))
    for _ in range(200):
        text = "".join(chance.choice("ab,()[]{}<>:|\\\n 1.9é漢_&BREAK ") for _ in range(chance.randrange(300)))
        assert np.isfinite(score(index, Analysis(text, text))[0]).all()
    assert rank(Analysis("a", "a"), "sdxl", Library((), "none")) == []
