"""Nodes of feedback: rate a picture, and see what the ratings add up to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..choices import Action
from ..errors import BadRequest, UserError
from . import asking, host, schema

if TYPE_CHECKING:
    from ..feedback import Overview, Rating, Tally
    from ..history import History
    from ..plan import Generation

NONE = "none"
MOST_SHOWN = 60  # characters of a value that is refused
SAID = (Action.SAVED, Action.SHARED, Action.FAVOURITED, Action.DELETED, Action.REGENERATED)
ABOUT = ("all", "loras", "styles", "settings", "sessions", "time")
STARS = ("rating", "quality", "accuracy", "aesthetic")


class RateImage(io.ComfyNode):
    """Stars, words and deeds for one generation: the one connected, named by its id, or carried by a PNG."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        outputs = [io.String.Output("said"), io.String.Output("id_used")]
        aliases = ["feedback", "stars", "like", "favourite", "valorar", "puntuar"]
        return schema.schema("IIG_RateImage", _rate_inputs(), outputs, is_output_node=True, search_aliases=aliases)

    @classmethod
    def validate_inputs(cls, **widgets: Any) -> bool | str:
        """Nonsense is refused before anything runs, and in the person's language. What is linked is not known yet."""
        if any(widgets.get(name, "") is None for name in (*STARS, "comment", "tags", "action")):
            return True
        try:
            _told(widgets)
        except UserError as fault:
            return str(fault.in_language(host.language(widgets.get("language") or "auto")))
        return True

    @classmethod
    def fingerprint_inputs(cls, **widgets: Any) -> str:
        """Run each time: the rating may have been changed elsewhere. The same again changes nothing."""
        return schema.each_time()

    @classmethod
    def execute(cls, language: str = "auto", **widgets: Any) -> io.NodeOutput:
        from .recall import history

        spoken = host.language(language)
        with host.speaking(spoken):
            rating, action = _told(widgets)
            generation_id, source = _generation(history(), widgets, spoken)
            lines = [*_stored(history(), generation_id, rating, action, spoken)]
        text = "\n".join([say("rated_generation", spoken, id=generation_id, name=source), *lines])
        return io.NodeOutput(text, generation_id, ui={"text": [text]})


class FeedbackInsights(io.ComfyNode):
    """What the person likes, as tables, as JSON, and as plots."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [
            io.Combo.Input("about", options=list(ABOUT), default=ABOUT[0]),
            io.String.Input("session", default=""),
            _language(),
        ]
        outputs = [io.String.Output("tables"), io.String.Output("tables_json"), io.Image.Output("plots")]
        aliases = ["statistics", "learning", "taste", "estadísticas", "gustos"]
        return schema.schema("IIG_FeedbackInsights", inputs, outputs, is_output_node=True, search_aliases=aliases)

    @classmethod
    def fingerprint_inputs(cls, **widgets: Any) -> str:
        return schema.each_time()

    @classmethod
    def execute(cls, about: str, session: str, language: str) -> io.NodeOutput:
        from ..intelligence.insights import insights_of
        from ..plots import plots
        from .pictures import images_of
        from .recall import history

        spoken = host.language(language)
        with host.speaking(spoken):
            about = one_of(about, ABOUT)
            overview, tallies = seen(session.strip())
        insights = insights_of(overview, tallies, about, spoken)
        text = "\n\n".join([*(str(note.in_language(spoken)) for note in history().notes()), insights.markdown])
        pictures = images_of([png for _, png in plots(overview, tallies, spoken)])
        return io.NodeOutput(text, json.dumps(insights.rows, ensure_ascii=False), pictures, ui={"text": [text]})


def seen(session: str) -> tuple[Overview, list[Tally]]:
    """What was counted, all in all with the evidence that it adds up to, or in one session: that has none of its own."""
    from .recall import history

    return history().overview(session), [] if session else history().tallies()


# --------------------------------------------------------------------------- what is said


def _rate_inputs() -> list[Any]:
    stars = [io.Int.Input(name, default=0, min=0, max=5) for name in STARS]
    return [
        stars[0],
        *(schema.advanced(part) for part in stars[1:]),
        io.String.Input("comment", multiline=True, default=""),
        io.String.Input("tags", default=""),
        io.Combo.Input("action", options=[NONE, *(action.value for action in SAID)], default=NONE),
        io.String.Input("generation_id", default=""),
        io.String.Input("picture", default=""),
        _language(),
        schema.PlanType.Input("plan", optional=True),
    ]


def _told(widgets: dict[str, Any]) -> tuple[Rating | None, Action | None]:
    """What the widgets say; zero stars say nothing. Raises ``BadRequest`` where they say nothing at all."""
    from ..feedback import Rating

    chosen = widgets.get("action", NONE)
    action = None if chosen == NONE else Action(one_of(chosen, [action.value for action in SAID]))
    overall, quality, accuracy, aesthetic = (widgets.get(name) or None for name in STARS)
    comment, tags = widgets.get("comment", "").strip(), asking.words_of(widgets.get("tags", ""))
    if action and not any((overall, quality, accuracy, aesthetic, comment, tags)):
        return None, action
    return Rating(overall, quality, accuracy, aesthetic, comment, tags), action


def one_of(value: str, choices: Any) -> str:
    """Older hosts let any text through a drop-down. Raises ``BadRequest``."""
    if value not in choices:
        raise BadRequest("not_a_choice", value=str(value)[:MOST_SHOWN], choices=", ".join(choices))
    return value


# --------------------------------------------------------------------------- of which generation


def _generation(known: History, widgets: dict[str, Any], language: str) -> tuple[str, str]:
    """The generation's id, and what named it, in words: the connected plan first, then the id, then the picture. Raises
    ``UserError``."""
    connected: Generation | None = widgets.get("plan")
    picture = widgets.get("picture", "").strip()
    if connected is not None:
        return made_known(known, connected), say("from.plan", language)
    if given := widgets.get("generation_id", "").strip():
        return given, say("from.id", language)
    if picture:
        return made_known(known, _generation_in(picture)), say("from.picture", language, picture=picture)
    raise BadRequest("rating_of_nothing")


def made_known(known: History, generation: Generation) -> str:
    """The id of a generation that is there as a whole; whoever did not know it, does now. Raises ``BadRequest``."""
    if not generation.id:
        raise BadRequest("rating_of_nothing")
    try:
        known.knows(generation)
    except BadRequest:
        raise
    except UserError as fault:  # out of reach: the rating waits for it
        host.log.warning("%s", fault)
    return generation.id


def _generation_in(picture: str) -> Generation:
    from ..result import generation_in
    from .pictures import picture_named

    return generation_in(picture_named(picture))


# --------------------------------------------------------------------------- stored


def _stored(known: History, generation_id: str, rating: Rating | None, action: Action | None, language: str) -> list[str]:
    """Store what is new of it, and say in words what became of it. Trouble with the disk is told, not raised: the picture
    goes on."""
    try:
        return _store(known, generation_id, rating, action, language)
    except BadRequest:
        raise
    except UserError as fault:
        host.log.warning("%s", fault)
        return [str(fault.in_language(language))]


def _store(known: History, generation_id: str, rating: Rating | None, action: Action | None, language: str) -> list[str]:
    before = _standing(known, generation_id)
    lines, stored = [], True
    if rating:
        stored = (before is not None and before.rating == rating) or known.rate(generation_id, rating)
        lines.append(say("rated", language, rating=in_words(rating, language)))
    if action:
        stored = ((before is not None and action in before.actions) or known.act(generation_id, action)) and stored
        lines.append(say("acted", language, action=say(f"action.{action.value}", language)))
    return lines if stored else [*lines, say("waits", language)]


def _standing(known: History, generation_id: str) -> Any:
    """What is stored already; ``None`` where nothing is known, or the database out of reach."""
    try:
        found = known.find(generation_id)
    except BadRequest:
        raise
    except UserError:
        return None
    return found.standing if found else None


def in_words(rating: Rating, language: str) -> str:
    stars = {"overall": rating.overall, "quality": rating.quality, "accuracy": rating.accuracy, "aesthetic": rating.aesthetic}
    parts = [f"{say(f'part.{name}', language)} {given} ★" for name, given in stars.items() if given]
    parts += [say("tags", language, tags=", ".join(rating.tags))] if rating.tags else []
    return ", ".join([*parts, *([say("comment", language)] if rating.comment else [])])


def say(key: str, language: str, **values: object) -> str:
    from ..errors import sentence

    return sentence("feedback", key, language, values)


def _language() -> Any:
    return schema.advanced(io.Combo.Input("language", options=["auto", "en", "es"], default="auto"))
