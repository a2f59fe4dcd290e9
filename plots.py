"""Insights as pictures: what a person likes, how they rate, what they change, what it took. matplotlib is loaded late."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any

from .feedback import Overview, Tally
from .intelligence.insight_tables import Row, Rows, cut, family_label, nothing, say, setting_label, short_names, style_label
from .intelligence.insights import rows_of
from .plan import GIB
from .values import refuse

PLOTS = ("styles", "loras", "ratings", "changes", "time")
NOTHING = "nothing"  # the one plot of an empty store
WIDE_INCHES = 9.0  # whatever the pixels: letters grow with the picture
LEAST_SIDE, MOST_SIDE = 200, 4000  # pixels
MOST_BARS = 12
LONGEST_LABEL = 30  # letters
# Okabe & Ito 2008: told apart whatever colours one sees.
BLUE, ORANGE, RED, GREY, INK = "#0072B2", "#E69F00", "#D55E00", "#BBBBBB", "#222222"
# Letters that matplotlib's own font lacks are taken from these, where they are installed.
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "WenQuanYi Zen Hei",
)
UNKNOWN_LETTER = "□"

Draw = Callable[[Any, Overview, Rows, str], None]


def plots(
    overview: Overview,
    tallies: Sequence[Tally],
    language: str = "en",
    size: tuple[int, int] = (900, 600),
    names: Collection[str] = PLOTS,
) -> list[tuple[str, bytes]]:
    """(name, PNG) of each of ``names`` that there is something to show in, else one that says so (``NOTHING``). ``size``
    is width and height in pixels. Raises ``BadRequest`` for sizes no screen has."""
    refuse(f"{side} px ({LEAST_SIDE}–{MOST_SIDE})" for side in size if not LEAST_SIDE <= side <= MOST_SIDE)
    rows = rows_of(overview, tallies)
    wanted = [name for name in PLOTS if name in names and rows[_ROWS[name]]]
    shown = [(name, _png(_DRAWN[name], overview, rows, language, size)) for name in wanted]
    return shown or [(NOTHING, _png(_nothing, overview, rows, language, size))]


def _png(draw: Draw, overview: Overview, rows: Rows, language: str, size: tuple[int, int]) -> bytes:
    """Without pyplot, which would keep every figure and is for one thread."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    dpi = size[0] / WIDE_INCHES
    inches = ((size[0] + 0.01) / dpi, (size[1] + 0.01) / dpi)  # matplotlib rounds pixels down
    figure = Figure(figsize=inches, dpi=dpi, facecolor="white", layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
    canvas: Any = FigureCanvasAgg(figure)
    draw(figure, overview, rows, language)
    whole = io.BytesIO()
    canvas.print_png(whole)
    return whole.getvalue()


# --------------------------------------------------------------------------- letters


@lru_cache(maxsize=1)
def _fonts() -> tuple[list[str], list[Any]]:
    """The fonts that are here, by name and opened; matplotlib brings the first of them."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    names = [name for name in FONTS if name in installed] or list(FONTS[:1])
    return names, [font_manager.get_font(font_manager.findfont(name)) for name in names]


def letters(text: str) -> str:
    """One line of what the fonts have; dollars stay dollars, which matplotlib would read as mathematics."""
    known = _fonts()[1]
    line = "".join(letter if _has(known, letter) else UNKNOWN_LETTER for letter in " ".join(text.split()))
    return line.replace("$", r"\$")


def _has(fonts: Sequence[Any], letter: str) -> bool:
    return any(font.get_char_index(ord(letter)) for font in fonts)


def _font(size: float = 10, **more: Any) -> dict[str, Any]:
    return {"fontsize": size, "fontfamily": _fonts()[0], "color": INK} | more


# --------------------------------------------------------------------------- one set of axes


def _axes(figure: Any, title: str, place: tuple[int, int, int] = (1, 1, 1)) -> Any:
    axes = figure.add_subplot(*place, facecolor="white")
    figure.suptitle(letters(title), **_font(13, fontweight="bold"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=10, labelfontfamily=_fonts()[0])
    axes.set_axisbelow(True)
    return axes


def _names(axes: Any, names: Sequence[str]) -> None:
    """One line of the plot for each name, the first on top."""
    axes.set_yticks(range(len(names)), [letters(cut(name, LONGEST_LABEL)) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#EEEEEE")


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins=8))


def _legend(axes: Any, **more: Any) -> None:
    """Above the plot, where it hides nothing."""
    place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": 3, "frameon": False, "borderaxespad": 0.1}
    axes.legend(prop={"family": _fonts()[0], "size": 9}, labelcolor=INK, **{**place, **more})


# --------------------------------------------------------------------------- what is liked


def _styles(figure: Any, _overview: Overview, rows: Rows, language: str) -> None:
    shown = _most_told(rows["styles"])
    _intervals(
        figure, say("plot.styles", language), [style_label(row["style"], language) for row in shown], shown, rows, language
    )


def _loras(figure: Any, _overview: Overview, rows: Rows, language: str) -> None:
    shown = _most_told(rows["loras"])
    names = short_names(shown)
    _intervals(figure, say("plot.loras", language), [names[row["name"]] for row in shown], shown, rows, language)


def _most_told(rows: Sequence[Row]) -> list[Row]:
    """Those there is most evidence about, the best liked first."""
    told = sorted(rows, key=lambda row: -row["weight"])[:MOST_BARS]
    return sorted(told, key=lambda row: -row["liked"])


def _intervals(figure: Any, title: str, names: Sequence[str], shown: Sequence[Row], rows: Rows, language: str) -> None:
    """A dot for each, a line for where it may really lie, and the stars at the edge."""
    axes = _axes(figure, title)
    liked = [row["liked"] for row in shown]
    away = [[row["liked"] - row["low"] for row in shown], [row["high"] - row["liked"] for row in shown]]
    axes.errorbar(liked, range(len(shown)), xerr=away, fmt="o", color=BLUE, ecolor=BLUE, capsize=4, markersize=8, elinewidth=2)
    for place, row in enumerate(shown):
        axes.text(1.03, place, letters(_evidence(row, language)), va="center", **_font(9))
    _names(axes, names)
    _share_axis(axes, say("plot.liked", language))
    if (usual := _usual(rows)) is not None:
        axes.axvline(usual, color=ORANGE, linestyle="--", label=letters(say("plot.all", language, percent=f"{usual:.0%}")))
        _legend(axes)


def _evidence(row: Row, language: str) -> str:
    if row["stars"] is None:
        return say("plot.unrated", language)
    return say("plot.evidence", language, stars=f"{row['stars']:.1f}", ratings=row["ratings"])


def _share_axis(axes: Any, label: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel(letters(label), **_font())


def _usual(rows: Rows) -> float | None:
    """How much all pictures were liked: each has one checkpoint."""
    weight = sum(row["weight"] for row in rows["checkpoints"])
    return sum(row["liked"] * row["weight"] for row in rows["checkpoints"]) / weight if weight else None


# --------------------------------------------------------------------------- ratings and changes


def _ratings(figure: Any, overview: Overview, rows: Rows, language: str) -> None:
    axes = _axes(figure, say("plot.ratings", language))
    bars = axes.bar([row["stars"] for row in rows["ratings"]], [row["times"] for row in rows["ratings"]], color=BLUE, width=0.7)
    axes.bar_label(bars, padding=3, **_font())
    axes.set_xticks(range(1, 6), [letters("★" * stars) for stars in range(1, 6)])
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    axes.set_ylabel(letters(say("plot.pictures", language)), **_font())
    axes.margins(y=0.12)
    _whole_numbers(axes.yaxis)
    if overview.stars is not None:
        mean = say("plot.mean", language, rated=overview.rated, stars=f"{overview.stars:.1f}")
        axes.set_xlabel(letters(mean), **_font(), labelpad=10)


def _changes(figure: Any, _overview: Overview, rows: Rows, language: str) -> None:
    """Lowered to the left, raised to the right, exchanged behind the raised."""
    shown = rows["directions"][:MOST_BARS]
    axes, lines = _axes(figure, say("plot.changes", language)), range(len(shown))
    up, down, other = ([row[way] for row in shown] for way in ("up", "down", "other"))
    parts = (
        ("down", [-times for times in down], 0, ORANGE, INK),
        ("up", up, 0, BLUE, "white"),
        ("other", other, up, GREY, INK),
    )
    for way, widths, start, colour, ink in parts:
        bars = axes.barh(lines, widths, left=start, color=colour, height=0.6, label=letters(say(f"plot.{way}", language)))
        axes.bar_label(bars, [str(abs(width)) if width else "" for width in widths], label_type="center", **_font(9, color=ink))
    axes.use_sticky_edges = False  # bars may end short of the edge
    axes.margins(x=0.04)
    axes.axvline(0, color=INK, linewidth=0.8)
    _names(axes, [setting_label(row["parameter"], language) for row in shown])
    _whole_numbers(axes.xaxis)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{abs(value):g}")
    axes.set_xlabel(letters(say("plot.times", language)), **_font())
    _legend(axes)


# --------------------------------------------------------------------------- time and memory


def _time(figure: Any, overview: Overview, rows: Rows, language: str) -> None:
    shown = rows["time"][:MOST_BARS]
    measured = any(row["peaks"] for row in shown)
    seconds = {row["family"]: [run[1] for run in overview.runs if run[0] == row["family"]] for row in shown}
    axes = _axes(figure, say("plot.time", language), (1, 2 if measured else 1, 1))
    _dots(axes, list(seconds.values()), [row["seconds"] for row in shown], say("plot.seconds", language))
    _names(axes, [f"{family_label(row['family'])} ({row['runs']})" for row in shown])
    axes.plot([], [], "|", color=RED, markersize=12, markeredgewidth=2.5, label=letters(say("plot.middle", language)))
    _legend(axes)
    if measured:
        _memory(figure, overview, shown, language)


def _memory(figure: Any, overview: Overview, shown: Sequence[Row], language: str) -> None:
    axes = _axes(figure, say("plot.time", language), (1, 2, 2))
    peaks = [[run[2] / GIB for run in overview.runs if run[0] == row["family"] and run[2] is not None] for row in shown]
    _dots(axes, peaks, [max(each, default=None) for each in peaks], say("plot.memory", language))
    _names(axes, [""] * len(shown))
    axes.plot([], [], "|", color=RED, markersize=12, markeredgewidth=2.5, label=letters(say("plot.highest", language)))
    _legend(axes)


def _dots(axes: Any, values: Sequence[Sequence[float]], marks: Sequence[float | None], label: str) -> None:
    """A faint dot for each run, and a mark."""
    for line, (each, mark) in enumerate(zip(values, marks, strict=True)):
        axes.plot(each, [line] * len(each), "o", color=BLUE, alpha=0.35, markersize=7, markeredgewidth=0)
        if mark is not None:
            axes.plot([mark], [line], "|", color=RED, markersize=22, markeredgewidth=2.5)
    axes.set_xlim(0, 1.1 * max((value for each in values for value in each), default=1.0) or 1.0)
    axes.set_xlabel(letters(label), **_font())


def _nothing(figure: Any, overview: Overview, _rows: Rows, language: str) -> None:
    told = "\n".join(letters(line) for line in textwrap.wrap(nothing(overview, language), 60))
    figure.text(0.5, 0.5, told, ha="center", va="center", linespacing=1.6, **_font(13))


_DRAWN: dict[str, Draw] = {"styles": _styles, "loras": _loras, "ratings": _ratings, "changes": _changes, "time": _time}
_ROWS = {"styles": "styles", "loras": "loras", "ratings": "ratings", "changes": "directions", "time": "time"}
