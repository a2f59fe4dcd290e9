import pytest
from pack.intelligence.triggers import best_group, insert, triggers_for
from pack.plan import Dialect, Kind, ModelFile


def lora(*groups):
    return ModelFile(Kind.LORA, "a.safetensors", trigger_groups=groups)


def test_the_group_the_prompt_speaks_of_is_taken_never_all():
    file = lora(("casual, denim jacket",), ("nurse, white cap",))
    assert triggers_for(file, "a nurse in a corridor") == ("white cap",)
    assert triggers_for(file, "a forest") == ("casual", "denim jacket")


def test_words_that_stand_in_the_prompt_are_not_repeated():
    assert triggers_for(lora(("ghibli style",)), "Ghibli_Style meadow") == ()


def test_whole_prompts_pasted_as_triggers_are_cut_to_their_telling_words():
    pasted = "1girl, solo, zorblax, long hair, blue eyes, smile, looking at viewer"
    assert triggers_for(lora((pasted,)), "a girl") == ("zorblax",)


@pytest.mark.parametrize("useless", ["<lora:thing:0.8>", "see description", "No trigger needed", "https://example.org"])
def test_what_is_no_trigger_word_is_ignored(useless):
    assert triggers_for(lora((useless,)), "a girl") == ()
    assert best_group(((useless,), ("real one",)), frozenset()) == ("real one",)


def test_tags_get_them_after_the_opening_block():
    assert (
        insert("masterpiece, best quality, 1girl, castle", ["zorblax"], Dialect.TAGS)
        == "masterpiece, best quality, 1girl, zorblax, castle"
    )
    assert insert("castle, tower", ["zorblax"], Dialect.TAGS) == "zorblax, castle, tower"


def test_an_emphasis_bracket_is_not_torn():
    prompt = "(masterpiece, best quality, castle:1.2), tower"
    assert insert(prompt, ["zorblax"], Dialect.TAGS) == f"zorblax, {prompt}"


def test_prose_gets_them_at_the_end():
    assert insert("A castle on a hill.", ["zorblax"], Dialect.PROSE) == "A castle on a hill, zorblax"
    assert insert("A castle on a hill.", [], Dialect.PROSE) == "A castle on a hill."


def test_brackets_of_names_stay_literal():
    file = lora(("saber \\(fate\\)",))
    assert insert("a duel", triggers_for(file, "a duel"), Dialect.PROSE) == "a duel, saber \\(fate\\)"
    assert triggers_for(file, "saber \\(fate\\), a duel") == ()
