"""How large the picture is: native square, the bucket that framing words ask for, or what the person fixed."""

from __future__ import annotations

import math
import re
from functools import cache

from ..data import table
from ..data.families import Family
from ..plan import Analysis, Leaning, Mode, Reason, Request
from .formats import is_something_else
from .leaning import leaned_size
from .refusals import asked_part

Size = tuple[int, int]
MOST_SIDE = 16_384  # nodes.py MAX_RESOLUTION
NO_LEANING = Leaning()
LEAST_SIDE = 16  # what ComfyUI's latent nodes take at least


def choose_size(
    request: Request, analysis: Analysis, family: Family, leaning: Leaning = NO_LEANING
) -> tuple[Size, tuple[Reason, ...], tuple[Reason, ...]]:
    """(width, height) in pixels, with reasons and warnings."""
    if request.fixed.width is not None or request.fixed.height is not None:
        return _fixed(request, analysis, family)
    (width, height), reason = _free(request, analysis, family)
    reasons: tuple[Reason, ...] = (reason,)
    if reason.key == "size.native" and request.mode is not Mode.MANUAL and _framing(request, analysis) is None:
        (width, height), learned = leaned_size((width, height), leaning, family)
        reasons = (reason, *learned)
    limit = request.constraints.max_pixels
    if limit is None or width * height <= limit:
        return (width, height), reasons, ()
    return _within(request, family, (width, height), limit, reasons)


def framing(text: str) -> tuple[str, str, float] | None:
    """(row of ``framing.toml``, the word that says so, width ÷ height) or ``None``. The first word in the prompt decides;
    refused ones and those that name something in the picture do not count."""
    said = asked_part(text).casefold()
    for match in _framing_words().finditer(said):
        if not is_something_else(said[: match.start()], match.group(0), said[match.end() :]):
            row = _row_of_word()[match.group(0)]
            return row, match.group(0), float(table("framing")[row]["aspect"])
    return None


@cache
def _row_of_word() -> dict[str, str]:
    return {word.casefold(): row for row, values in table("framing").items() for word in values["words"]}


@cache
def _framing_words() -> re.Pattern[str]:
    longest_first = sorted(_row_of_word(), key=len, reverse=True)
    return re.compile(r"(?<![\w:])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w:])")


def native_size(family: Family) -> Size:
    """The square the family was trained on."""
    return _sized(family, 1.0, family.native_pixels)


def _free(request: Request, analysis: Analysis, family: Family) -> tuple[Size, Reason]:
    native = native_size(family)
    if request.keeps_shape:
        values = {"megapixels": megapixels(native), "default": _text(native), "family": family.label}
        return native, Reason("size", "size.image", values)
    asked = _framing(request, analysis)
    size = bucket(family, asked[2]) if asked else native
    values = {"width": size[0], "height": size[1], "default": _text(native), "family": family.label}
    if asked is None or asked[2] == 1:
        return size, Reason("size", "size.native", values)
    return size, Reason("size", "size.framing", {**values, "word": asked[1]})


def megapixels(size: Size) -> float:
    return round(size[0] * size[1] / 1e6, 2)


def _framing(request: Request, analysis: Analysis) -> tuple[str, str, float] | None:
    """What the words ask for; in MANUAL mode the person's inputs alone decide."""
    return None if request.mode is Mode.MANUAL else framing(analysis.text)


def bucket(family: Family, aspect: float) -> Size:
    """The family's own size nearest to ``aspect`` (width ÷ height), nearest to its native pixels among equals."""
    sizes = family.buckets or (_sized(family, aspect, family.native_pixels),)
    return min(
        sizes,
        key=lambda size: (round(abs(math.log(size[0] / size[1] / aspect)), 3), abs(size[0] * size[1] - family.native_pixels)),
    )


def _sized(family: Family, aspect: float, pixels: float) -> Size:
    step = family.multiple
    width = math.sqrt(pixels * aspect)
    sides = (round(side / step) * step for side in (width, width / aspect))
    wide, high = (min(max(side, step), family.max_side // step * step) for side in sides)
    return wide, high


def shrink(family: Family, size: Size, pixels: int) -> Size:
    """The same aspect within ``pixels``, sides rounded down to the family's multiple and at least one of it."""
    factor = math.sqrt(min(1.0, pixels / (size[0] * size[1])))
    width, height = (max(LEAST_SIDE, int(side * factor) // family.multiple * family.multiple) for side in size)
    return width, height


def smaller_bucket(family: Family, size: Size, pixels: int) -> Size | None:
    """The largest of the family's own sizes in this shape that has at most ``pixels``: a bucket, or one scaled down by
    quarters of its sides, in nearly its shape; ``None`` where that is smaller than what the family draws."""
    width, height = bucket(family, size[0] / size[1])
    while width * height > pixels:
        width, height = (side * 3 // 4 // family.multiple * family.multiple for side in (width, height))
    return (width, height) if width * height >= family.min_side**2 else None


def _within(
    request: Request, family: Family, size: Size, limit: int, reasons: tuple[Reason, ...]
) -> tuple[Size, tuple[Reason, ...], tuple[Reason, ...]]:
    width, height = shrink(family, size, limit)
    values = {
        "width": width,
        "height": height,
        "limit": limit,
        "wanted": _text(size),
        "megapixels": megapixels((width, height)),
    }
    told = (*reasons, Reason("size", "size.limited_image" if request.keeps_shape else "size.limited", values))
    if width * height > limit:
        return (width, height), told, (Reason("size", "warn.max_pixels", values),)
    return (width, height), told, ()


def _fixed(request: Request, analysis: Analysis, family: Family) -> tuple[Size, tuple[Reason, ...], tuple[Reason, ...]]:
    wanted = _completed(request, analysis, family)
    # Latents are whole numbers of `multiple` pixels; a host that rounds by itself rounds down.
    size = tuple(max(LEAST_SIDE, side // family.multiple * family.multiple) for side in wanted)
    width, height = size
    values = {"width": width, "height": height, "default": _text(native_size(family))}
    warnings = []
    if (width, height) != wanted:
        warnings.append(Reason("size", "warn.size_snapped", {**values, "wanted": _text(wanted), "multiple": family.multiple}))
    limit = request.constraints.max_pixels
    if limit is not None and width * height > limit:
        warnings.append(
            Reason("size", "warn.fixed_over_limit", {"what": "size", "value": _text((width, height)), "limit": limit})
        )
    return (width, height), (Reason("size", "size.fixed", values),), tuple(warnings)


def _completed(request: Request, analysis: Analysis, family: Family) -> Size:
    """The fixed sides; one that is not follows the framing, inside what ComfyUI takes."""
    width, height = request.fixed.width, request.fixed.height
    asked = _framing(request, analysis)
    aspect = asked[2] if asked else 1.0
    if width is None:
        assert height is not None
        width = _side(height * aspect, family)
    if height is None:
        height = _side(width / aspect, family)
    return max(width, LEAST_SIDE), max(height, LEAST_SIDE)


def _side(pixels: float, family: Family) -> int:
    return min(round(pixels / family.multiple) * family.multiple, MOST_SIDE)


def _text(size: Size) -> str:
    return f"{size[0]}×{size[1]}"
