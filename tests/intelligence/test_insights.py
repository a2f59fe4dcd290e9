"""Insights: the numbers of the tables against ones worked out by hand, in both languages."""

from __future__ import annotations

import json
import math

import pytest
from pack.errors import LANGUAGES, BadRequest, sentence
from pack.feedback import Action, Overview, Session, Tally
from pack.intelligence.insight_tables import COLUMNS, MOST_ROWS, moment
from pack.intelligence.insights import ABOUT, insights_of, interval, rows_of
from pack.plan import GIB

INK, GLOW = "styles/ink.safetensors", "glow.safetensors"


def tally(kind: str, name: str, context: str, liked: float, disliked: float, value: float = 0.0, stars=None, rated=0) -> Tally:
    return Tally(kind, name, "sdxl", context, liked, disliked, value, stars, rated)


TALLIES = [
    tally("checkpoint", "one.safetensors", "*", 12, 8, stars=3.5, rated=18),
    tally("checkpoint", "one.safetensors", "style:anime", 9, 1, stars=4.5, rated=10),
    tally("checkpoint", "two.safetensors", "style:anime", 1, 4, stars=2.0, rated=5),
    tally("checkpoint", "one.safetensors", "style:photo", 2, 8, stars=2.0, rated=8),
    tally("lora", INK, "*", 8, 2, 0.74, 4.6, 9),
    tally("lora", INK, "style:anime", 5, 1, 0.8, 4.8, 5),
    tally("lora", INK, "style:photo", 1, 3, 0.4, 2.0, 4),
    tally("lora", GLOW, "*", 6, 4, 1.0, 3.4, 9),
    tally("pair", f"{GLOW}|{INK}", "*", 1, 4, stars=1.6, rated=5),
    tally("cfg", "0", "*", 10, 10, 1.0, 3.0, 20),
    tally("cfg", "-2", "*", 4, 1, 0.76, 4.2, 5),
    tally("sampler", "usual", "*", 10, 10, stars=3.0, rated=20),
    tally("sampler", "euler/karras", "*", 2, 1, stars=4.0, rated=3),
    tally("size", "832x1216", "*", 2, 1, stars=4.0, rated=3),
]
OVERVIEW = Overview(
    generations=40,
    rated=20,
    stars=3.25,
    stars_given=(2, 3, 5, 8, 2),
    actions={"deleted": 2, "saved": 7},
    changes=(
        ("cfg", "", "7", "5.5", 4),
        ("cfg", "", "7", "8", 1),
        ("size", "", "1024x1024", "832x1216", 2),
        ("sampler", "", "euler", "dpmpp_2m", 2),
        ("lora", INK, "", "0.8", 3),
        ("lora", GLOW, "0.7", "", 1),
    ),
    sessions=(Session("s2", 1000.0, 4600.0, 9, 4, 3, 4.0), Session("s1", 500.0, 400.0, 1, 1)),
    runs=(("sdxl", 12.0, 6 * GIB), ("sdxl", 10.0, None), ("sdxl", 30.0, 7 * GIB), ("flux_dev", 60.0, None)),
)


@pytest.fixture(scope="module")
def rows():
    return rows_of(OVERVIEW, TALLIES)


def test_the_interval_is_wilsons() -> None:
    """0.8 of 10 at 90 %: the two shares whose score test just fails, (p − s)² n = z² s (1 − s)."""
    low, high = interval(8, 10)
    for edge in (low, high):
        assert (0.8 - edge) ** 2 * 10 == pytest.approx(1.6449**2 * edge * (1 - edge))
    assert low < 0.8 < high
    assert interval(0, 3)[0] == 0.0 and interval(3, 3)[1] == pytest.approx(1.0)
    assert math.isclose(interval(50, 100)[1] - interval(50, 100)[0], 2 * 1.6449 * 0.05, rel_tol=0.02), "as the normal one"


def test_styles_add_up_over_checkpoints(rows) -> None:
    anime, photo = rows["styles"]
    assert (anime["style"], photo["style"]) == ("anime", "photo"), "the surely liked first"
    assert anime["liked"] == pytest.approx(10 / 15, abs=1e-4) and anime["weight"] == 15
    assert anime["ratings"] == 15 and anime["stars"] == round((4.5 * 10 + 2 * 5) / 15, 2)
    assert (anime["checkpoint"], anime["lora"]) == ("one.safetensors", INK)
    assert (photo["checkpoint"], photo["lora"]) == ("", ""), "nothing is best where nothing is liked"


def test_loras_with_their_strength_and_evidence(rows) -> None:
    ink, glow = rows["loras"]
    assert (ink["name"], glow["name"]) == (INK, GLOW)
    assert ink["liked"] == 0.8 and ink["strength"] == 0.74 and ink["stars"] == 4.6 and ink["ratings"] == 9
    assert (ink["low"], ink["high"]) == tuple(round(edge, 4) for edge in interval(8, 10))
    (strength,) = rows["strengths"]
    assert (strength["style"], strength["strength"], strength["weight"]) == ("anime", 0.8, 6), "too little says 0.4"


def test_pairs_that_do_worse_than_either_part(rows) -> None:
    (pair,) = rows["pairs"]
    assert (pair["one"], pair["two"]) == (GLOW, INK)
    assert pair["liked"] == 0.2 and pair["apart"] == 0.6 and pair["ratings"] == 5
    better = [*TALLIES[:8], tally("pair", f"{GLOW}|{INK}", "*", 3, 2)]
    few = [*TALLIES[:8], tally("pair", f"{GLOW}|{INK}", "*", 0, 2)]
    assert not rows_of(OVERVIEW, better)["pairs"] and not rows_of(OVERVIEW, few)["pairs"]


def test_settings_by_arm(rows) -> None:
    told = [(row["setting"], row["arm"], row["factor"]) for row in rows["settings"]]
    assert told == [
        ("cfg", "-2", round(1.15**-2, 3)),
        ("cfg", "0", 1.0),
        ("sampler", "euler/karras", None),
        ("sampler", "usual", 1.0),
        ("size", "832x1216", None),
    ]
    assert all(row["ratings"] > 0 and row["weight"] > 0 for row in rows["settings"])


def test_changes_have_a_direction(rows) -> None:
    told = {(row["parameter"], row["used"]): (row["direction"], row["times"]) for row in rows["changes"]}
    assert told == {
        ("cfg", "5.5"): ("down", 4),
        ("cfg", "8"): ("up", 1),
        ("size", "832x1216"): ("down", 2),  # 1,011,712 of 1,048,576 pixels
        ("sampler", "dpmpp_2m"): ("other", 2),
        ("lora", "0.8"): ("up", 3),
        ("lora", ""): ("down", 1),
    }
    assert rows["directions"][0] == {"parameter": "cfg", "up": 1, "down": 4, "other": 0, "times": 5}


def test_sessions_time_and_memory(rows) -> None:
    late, early = rows["sessions"]
    assert late == {
        "id": "s2",
        "started": 1000.0,
        "minutes": 60.0,
        "pictures": 9,
        "prompts": 4,
        "again": 5,
        "ratings": 3,
        "stars": 4.0,
    }
    assert early["minutes"] == 0, "a clock that went back took no time"
    sdxl, flux = rows["time"]
    assert (sdxl["runs"], sdxl["seconds"], sdxl["fastest"], sdxl["slowest"]) == (3, 12.0, 10.0, 30.0)
    assert (sdxl["peak_bytes"], sdxl["peaks"]) == (7 * GIB, 2) and (flux["peak_bytes"], flux["peaks"]) == (None, 0)
    assert rows["ratings"][3] == {"stars": 4, "times": 8} and rows["actions"][0] == {"action": "saved", "times": 7}


@pytest.mark.parametrize("language", LANGUAGES)
def test_markdown_says_it_in_the_persons_language(language: str) -> None:
    insights = insights_of(OVERVIEW, TALLIES, "all", language)
    assert set(insights.rows) == set(COLUMNS)
    for table in insights.tables:
        assert f"## {table.title}" in insights.markdown
        assert len({len(row) for row in (table.head, *table.cells)}) == 1
    ink = next(line for line in insights.markdown.splitlines() if line.startswith("| ink |"))
    assert ink.startswith("| ink | SDXL | 80% (5") and ink.endswith("| 4.6 | 9 | 10.0 | 0.74 |")
    wanted = {"en": ("24% less than usual", "photograph"), "es": ("24% menos de lo habitual", "fotografía")}
    assert all(words in insights.markdown for words in wanted[language])
    assert "832×1216" in insights.markdown
    assert json.loads(json.dumps(insights.rows)) == insights.rows


@pytest.mark.parametrize("about", ABOUT)
def test_a_topic_shows_its_tables_alone(about: str) -> None:
    shown = set(insights_of(OVERVIEW, TALLIES, about).rows)
    assert (
        shown
        == {
            "all": set(COLUMNS),
            "loras": {"loras", "strengths", "pairs"},
            "styles": {"styles", "checkpoints"},
            "settings": {"settings", "directions", "changes"},
            "sessions": {"ratings", "actions", "sessions"},
            "time": {"time"},
        }[about]
    )


def test_another_topic_is_refused() -> None:
    with pytest.raises(BadRequest) as refused:
        insights_of(OVERVIEW, TALLIES, "weather")
    assert refused.value.code == "not_a_choice"


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_nothing_is_known_it_says_what_to_do(language: str) -> None:
    empty = insights_of(Overview(), [], "all", language)
    assert empty.rows == {} and empty.markdown == sentence("insights", "nothing", language, {})
    unrated = insights_of(Overview(generations=3), [], "loras", language)
    assert unrated.markdown.startswith(sentence("insights", "unrated", language, {"generations": 3}))


def test_names_are_no_markdown_and_stay_apart() -> None:
    odd = [tally("lora", name, "*", 3, 1) for name in ("a|b*c.safetensors", "one/ink.safetensors", "two/ink.safetensors")]
    text = insights_of(Overview(generations=1), odd, "loras").markdown
    assert r"a\|b\*c" in text and "one/ink.safetensors" in text and "two/ink.safetensors" in text
    long = insights_of(Overview(), [tally("lora", f"{'long_' * 30}v2.safetensors", "*", 1, 1)], "loras").markdown
    assert "…" in long and "v2 |" in long


def test_long_tables_say_how_much_is_left_out() -> None:
    many = [tally("lora", f"lora{number}.safetensors", "*", number, 1) for number in range(40)]
    insights = insights_of(Overview(), many, "loras")
    assert len(insights.rows["loras"]) == 40 and len(insights.tables[0].cells) == MOST_ROWS
    assert sentence("insights", "more", "en", {"count": 40 - MOST_ROWS}) in insights.markdown


def test_every_action_has_words_and_odd_values_do_no_harm() -> None:
    acted = Overview(generations=1, actions={action.value: 1 for action in Action} | {"juggled": 3})
    assert len(insights_of(acted, [], "sessions", "es").rows["actions"]) == len(Action)
    odd = [tally("cfg", "none", "*", 1, 1), tally("hue", "3", "*", 1, 1), tally("lora", "x", "*", 0, 0)]
    changed = Overview(changes=(("hue", "", "1", "blue", 1),))
    assert insights_of(changed, odd, "all").rows["settings"][0]["factor"] is None
    assert moment(1e300) == "?" and moment(-1e18) == "?"
