import pytest
from pack.data.families import families
from pack.intelligence.write_prompt import says, without_emphasis, write_prompt
from pack.plan import Analysis, Dialect, Mode, Request


def written(text, family="sdxl", triggers=(), **analysis):
    return write_prompt(Request(text), Analysis(text, text, **analysis), families()[family], triggers)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("(red:1.2) cat", "red cat"),
        ("(a (red:1.2) cat:1.1)", "a red cat"),
        ("((red)) cat", "red cat"),
        (r"saber \(fate\), (gold:0.8)", "saber (fate), gold"),
        ("a clock at 10:30 (evening)", "a clock at 10:30 (evening)"),
        ("(unclosed:1.2", "(unclosed:1.2"),
    ],
)
def test_weights_are_taken_out_and_sentences_stay(text, plain):
    assert without_emphasis(text) == plain


@pytest.mark.parametrize(
    "text", ["(" * 100_000, "(a:1)" * 20_000, "(" * 5_000 + "a" + ":1.1)" * 5_000, "((" * 30_000 + "))" * 30_000]
)
def test_hostile_brackets_take_no_time(text):
    assert isinstance(without_emphasis(text), str)


def test_words_are_found_whole_and_spelled_either_way():
    assert says("best_quality, cat", "best quality") and says(r"saber \(fate\)", "saber (fate)")
    assert not says("cathedral", "cat")


def test_translation_replaces_the_text_visibly():
    text, reasons = written("un gato", translation="a cat")
    assert text == "a cat" and reasons[0].key == "prompt.translated"


def test_trigger_words_are_added_once():
    assert written("a cat, inkwash", triggers=("inkwash", "Inkwash"))[0] == "a cat, inkwash"
    assert written("a cat", triggers=("inkwash", "inkwash"))[0] == "a cat, inkwash"


def test_family_prefix_and_quality_tags():
    text, reasons = written("1girl", "netayume", dialect=Dialect.TAGS)
    assert text.startswith("You are an assistant") and text.endswith("1girl")
    assert [reason.key for reason in reasons] == ["prompt.prefix"]
    assert written(text, "netayume")[0] == text
    assert written("score_9, cat", "pony")[0].count("score_9") == 1


def test_manual_changes_nothing():
    text, reasons = write_prompt(Request("x", mode=Mode.MANUAL), Analysis("(x:1.2)", "(x:1.2)"), families()["flux_dev"], ("t",))
    assert text == "(x:1.2)" and reasons[0].key == "prompt.manual"
