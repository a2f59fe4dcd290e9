import pytest
from pack.data import table
from pack.data.families import families
from pack.intelligence.resolution import bucket, choose_size, framing, native_size, smaller_bucket
from pack.plan import Analysis, Constraints, Fixed, Mode, Request, Settings


def size(text, family="sdxl", **asked):
    return choose_size(Request(text, **asked), Analysis(text, text), families()[family])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", (1024, 1024)),
        ("portrait of a man", (896, 1152)),
        ("Full Body shot of a knight", (832, 1216)),
        ("mountain landscape at dusk", (1216, 832)),
        ("panorama of a city", (1536, 640)),
        ("retrato de una mujer", (896, 1152)),
        ("un paisaje nevado", (1216, 832)),
        ("portrait of a man in a landscape", (896, 1152)),
        ("landscapers at work, portraiture", (1024, 1024)),
        ("a square format portrait", (1024, 1024)),
        ("cinematic still, 16:9", (1344, 768)),
    ],
)
def test_framing_words_pick_the_nearest_bucket(text, expected):
    (width, height), reasons, warnings = size(text)
    assert (width, height) == expected and warnings == ()
    assert reasons[0].decision == "size"


@pytest.mark.parametrize("name", sorted(families()))
@pytest.mark.parametrize("row", sorted(table("framing")))
def test_every_familys_bucket_is_near_the_aspect_and_valid(name, row):
    family, aspect = families()[name], table("framing")[row]["aspect"]
    width, height = bucket(family, aspect)
    assert width % family.multiple == height % family.multiple == 0
    assert (width > height) == (aspect > 1) or width == height
    assert 0.4 < width * height / family.native_pixels < 2.1


def test_explicit_sizes_are_kept():
    (width, height), _, warnings = size("portrait", fixed=Fixed(width=1000, height=600))
    assert (width, height) == (1000, 600) and warnings == ()


def test_explicit_sizes_are_snapped_only_when_the_multiple_demands_it():
    (width, height), _, warnings = size("x", fixed=Fixed(width=1001, height=777))
    assert (width, height) == (1000, 776)
    assert [warning.key for warning in warnings] == ["warn.size_snapped"]


def test_one_explicit_side_follows_the_framing():
    assert size("a cat", fixed=Fixed(width=768))[0] == (768, 768)
    assert size("portrait", fixed=Fixed(width=768))[0] == (768, 1024)
    assert size("landscape", fixed=Fixed(height=768))[0] == (1152, 768)


@pytest.mark.parametrize("side", ["width", "height"])
@pytest.mark.parametrize("text", ["a cat", "portrait", "panorama of a city"])
def test_a_large_explicit_side_never_asks_for_more_than_there_is(text, side):
    made = size(text, fixed=Fixed(**{side: 10_000}))[0]
    assert made[("width", "height").index(side)] == 10_000
    assert Settings(20, 7.0, "euler", "normal", *made)


@pytest.mark.parametrize("text", ["a cat", "panorama of a city", "portrait"])
def test_an_init_image_keeps_its_shape(text):
    made, reasons, _ = size(text, has_image=True)
    assert made == (1024, 1024) and [reason.key for reason in reasons] == ["size.image"]
    assert reasons[0].values["megapixels"] == 1.05
    limited, reasons, _ = size(text, has_image=True, constraints=Constraints(max_pixels=500_000))
    assert limited[0] * limited[1] <= 500_000 and reasons[-1].key == "size.limited_image"
    assert size(text, has_image=True, fixed=Fixed(width=768, height=512))[0] == (768, 512)


@pytest.mark.parametrize("text", ["panorama of a city", "portrait"])
def test_words_do_not_decide_the_size_in_manual_mode(text):
    assert size(text, mode=Mode.MANUAL)[0] == (1024, 1024)
    assert size(text, mode=Mode.MANUAL, fixed=Fixed(width=768))[0] == (768, 768)


def test_pixel_limit_shrinks_and_keeps_the_aspect():
    (width, height), reasons, warnings = size("landscape", constraints=Constraints(max_pixels=500_000))
    assert width * height <= 500_000 and 1.3 < width / height < 1.7 and warnings == ()
    assert reasons[-1].key == "size.limited"


def test_pixel_limit_against_an_explicit_size_is_told():
    (width, height), _, warnings = size("x", fixed=Fixed(width=1024, height=1024), constraints=Constraints(max_pixels=500_000))
    assert (width, height) == (1024, 1024) and warnings[0].key == "warn.fixed_over_limit"


def test_tiny_pixel_limit_gives_the_smallest_size_and_a_warning():
    (width, height), _, warnings = size("x", constraints=Constraints(max_pixels=10))
    assert (width, height) == (16, 16)
    assert warnings[0].key == "warn.max_pixels"


def test_framing_words_belong_to_one_row_only():
    words = [word for row in table("framing").values() for word in row["words"]]
    assert len(words) == len(set(words))
    assert all(framing(word) for word in words)


@pytest.mark.parametrize(
    "text",
    [
        "a landscape gardener with a spade",
        "portrait photographer at work",
        "a landscape painter, in a field",
        "boy in front of striped wallpaper",
        "a dog beside a poster",
        "a poster on the bedroom wall",
        "portraits hanging in a corridor",
        "un gato delante de un cartel, sobre un cartel",
    ],
)
def test_formats_that_are_things_in_the_picture_ask_for_nothing(text):
    assert framing(text) is None


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("a landscape, an architect", "landscape"),
        ("portrait of a painter", "portrait"),
        ("woman with red hair portrait", "portrait"),
        ("a castle in the style of a movie poster", "full_body"),
        ("wallpaper of a city", "cinema"),
        ("phone wallpaper with a tiger", "phone"),
        ("a landscape painter, full body", "full_body"),
        ("portrait photography of a chef", "portrait"),
        ("a man in a landscape", "landscape"),
    ],
)
def test_formats_of_the_picture_itself_count(text, row):
    found = framing(text)
    assert found is not None and found[0] == row


@pytest.mark.parametrize("family", sorted(families()))
def test_a_smaller_bucket_keeps_the_shape_and_the_familys_step(family):
    row = families()[family]
    for size in row.buckets or (native_size(row),):
        smaller = smaller_bucket(row, size, int(size[0] * size[1] * 0.6))
        assert smaller is not None and not [side for side in smaller if side % row.multiple]
        assert smaller[0] / smaller[1] == pytest.approx(size[0] / size[1], rel=0.04)
        assert row.min_side**2 <= smaller[0] * smaller[1] <= 0.6 * size[0] * size[1]
        assert smaller_bucket(row, size, 10_000) is None


def test_a_size_beyond_the_buckets_comes_back_to_one():
    assert smaller_bucket(families()["sdxl"], (1536, 1536), 1_400_000) == (1024, 1024)
    assert smaller_bucket(families()["sdxl"], (1024, 1024), 629_145) == (768, 768)
