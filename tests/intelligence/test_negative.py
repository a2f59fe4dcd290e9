import pytest
from pack.data import table
from pack.data.families import families
from pack.intelligence.analyze import analyze
from pack.intelligence.negative import contradicts, write_negative
from pack.plan import Analysis, Mode, Request, Settings


def written(text="a cat", family="sdxl", cfg=7.0, style=None, content=None, analysis_negative=None, **asked):
    analysis = Analysis(text, text, style=style or "none", content=content or "other", negative=analysis_negative)
    settings = Settings(20, cfg, "euler", "normal", 1024, 1024)
    return write_negative(Request(text, **asked), analysis, families()[family], settings)


def keys(reasons):
    return [reason.key for reason in reasons]


def test_family_style_and_content_each_add_their_terms():
    text = written("1girl", style="anime", content="character")[0]
    assert {"worst quality", "bad anatomy", "bad hands"} <= set(text.split(", "))
    photo = written("a street", style="photo")[0]
    assert "illustration" in photo and "bad hands" not in photo


@pytest.mark.parametrize(
    ("prompt", "term"),
    [
        ("portrait with blurry background", "blurry"),
        ("a rose, bokeh", "blurry"),
        ('a shop sign that says "OPEN"', "text"),
        ("un letrero luminoso", "text"),
        ("black and white photo of a cat", "monochrome"),
        ("pencil drawing of a hand", "sketch"),
        ("quick sketches of hands", "sketch"),
        ("a comic watermark design", "watermark"),
        ("una calle en blanco y negro", "monochrome"),
        ("a woman hiking in the mountains", "people"),
        ("octane render of a robot", "3d render"),
        ("photorealistic anime girl", "photorealistic"),
    ],
)
def test_what_the_prompt_asks_for_is_not_forbidden(prompt, term):
    assert contradicts(term, Analysis(prompt, prompt))
    assert not contradicts(term, Analysis("a cat", "a cat"))


@pytest.mark.parametrize(
    "prompt", ["a street without text", "a house, no people", "ningún texto en la pared", "signal tower", "contextual"]
)
def test_what_the_prompt_itself_refuses_is_not_asked_for(prompt):
    assert not contradicts("text", Analysis(prompt, prompt))
    assert not contradicts("people", Analysis(prompt, prompt))


def test_dropped_terms_are_told():
    text, reasons, _ = written("a rose, bokeh, blurry background")
    assert "blurry" not in text and "worst quality" in text
    assert "blurry" in reasons[-1].values["words"] and reasons[-1].key == "negative.dropped"


def test_a_negative_sentence_loses_the_words_the_prompt_asks_for():
    assert "sketch" in written("a cat", "chroma")[0]
    assert "sketch" not in written("a pencil sketch of a cat", "chroma")[0]


@pytest.mark.parametrize("family", sorted(name for name, row in families().items() if not row.negative_acts))
def test_there_is_none_where_it_has_no_effect(family):
    text, reasons, warnings = written("1girl", family, style="anime", content="character")
    assert text is None and keys(reasons) == ["negative.idle_family"] and warnings == ()


def test_cfg_one_switches_it_off_with_a_warning_when_the_person_wrote_one():
    assert written(cfg=1.0)[0] is None
    text, _, warnings = written(cfg=1.0, negative="dogs")
    assert text == "dogs" and keys(warnings) == ["warn.negative_cfg"]
    assert keys(written(family="flux_dev", negative="dogs")[2]) == ["warn.negative_family"]


def test_the_persons_own_comes_first_whole_and_once():
    text, reasons, _ = written(negative="(dogs:1.3), low quality")
    assert text.startswith("(dogs:1.3), low quality, ") and text.count("low quality") == 1
    assert "negative.with_own" in keys(reasons)
    assert written(negative="dogs", analysis_negative="cats")[0].startswith("dogs, cats, ")


def test_manual_adds_nothing_and_an_empty_one_stays_empty():
    assert written(mode=Mode.MANUAL, negative="dogs")[0] == "dogs"
    assert written(mode=Mode.MANUAL)[0] is None
    assert written(negative="")[0] is None and written(negative=" ")[0] is None


def test_an_own_term_against_the_prompt_is_kept_with_a_warning():
    text, _, warnings = written("a sign with text", negative="text")
    assert text.startswith("text") and keys(warnings) == ["warn.negative_contradicts"]


def test_system_prefixes_stay_in_front():
    text = written(family="lumina2", cfg=4.0, negative="dogs")[0]
    assert text.startswith("You are an assistant") and text.index("dogs") < text.index("blurry")


@pytest.mark.parametrize("family", sorted(families()))
@pytest.mark.parametrize(
    "prompt", ["anime girl with a sword, night city", "photo of a dog on a beach, blurry", "a poster that says SALE"]
)
def test_no_familys_negative_contradicts_the_prompt(family, prompt):
    analysis = analyze(prompt)
    row = families()[family]
    text = write_negative(Request(prompt), analysis, row, Settings(20, 5.0, "euler", "normal", 1024, 1024))[0] or ""
    terms = [term.strip() for term in text.removeprefix(row.negative_prefix).split(",")]
    assert not [term for term in terms if term and contradicts(term, analysis)]


def test_the_tables_rows_are_used():
    rows = table("negatives")
    assert set(rows["style"]) <= {"anime", "photo", "artistic"}
    assert set(rows["content"]) <= set(table("contents"))
    known = {term for group in ("style", "content") for terms in rows[group].values() for term in terms}
    known |= {tag for family in families().values() for tag in family.negative_tags}
    prefixes = " ".join(family.negative_prefix for family in families().values())
    unused = {term for term in rows["unless"] if term not in known and term not in prefixes}
    assert unused <= {
        "logo",
        "monochrome",
        "greyscale",
        "grayscale",
        "cartoon",
        "simple background",
        "multiple views",
        "dark",
        "sketch",
        "signature",
    }


@pytest.mark.parametrize(
    "prompt",
    ["un abuelo en la cocina", "escena de cocina: una niña haciendo galletas", "a nurse in a hospital", "elves in a forest"],
)
def test_people_are_not_forbidden_where_somebody_was_read(prompt):
    assert contradicts("people", analyze(prompt))


@pytest.mark.parametrize("prompt", ["una cocina vacía", "a forest", "a kitchen, no people"])
def test_people_may_be_forbidden_where_nobody_was_read(prompt):
    assert not contradicts("people", analyze(prompt))


def terms_of(prompt):
    read = analyze(prompt)
    return (
        write_negative(Request(prompt), read, families()["sdxl"], Settings(20, 7.0, "euler", "normal", 1024, 1024))[0] or ""
    ).split(", ")


@pytest.mark.parametrize("prompt", ["mapa antiguo de una isla", "tattoo design of a heron", "a child's drawing of a house"])
def test_a_guessed_style_forbids_no_other(prompt):
    assert not {"illustration", "painting", "cartoon", "cgi"} & set(terms_of(prompt))


def test_a_named_style_forbids_others():
    assert {"illustration", "painting"} <= set(terms_of("photo of a street"))
