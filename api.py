"""The Python API over a ComfyUI server::

    pipeline = IntelligentGenerationPipeline(PipelineConfig(base_model="sdxl", constraints=GenerationConstraints(priority=Priority.QUALITY)))
    result = pipeline.generate("anime girl, magical powers, Victorian mansion, detailed, masterpiece")
    print(result.explanation.get_full_explanation())
    result.save("character.png", save_metadata=True, save_explanation=True)

``recommend`` returns a plan to read and edit (``dataclasses.replace``, or ``edit``, which also says what that costs);
``generate(plan=…)`` runs it as it is. In ASSISTED mode ``generate`` makes no picture of a prompt: its result holds the plan,
which is run once you give it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from .client import Client, Follow, Run
from .errors import LANGUAGES, BadRequest, Unreachable, sentence
from .feedback import Action, Rating, Strategy
from .intelligence.edit import Edits
from .intelligence.edit_loras import LoraEdit
from .local import SAVE_NODE, workflow
from .plan import (
    GIB,
    Constraints,
    Fixed,
    Generation,
    Kind,
    LoraUse,
    Measured,
    Mode,
    Offload,
    Plan,
    Priority,
    Request,
    Verbosity,
)
from .result import Explanation, Result, generation_in
from .routes import ACT_PATH, DEFAULT_SERVER, FAMILY_PATH, GUARD_HEADER, PLAN_PATH, RATE_PATH, REVISE_PATH
from .values import from_json, refuse, to_json, type_faults

if TYPE_CHECKING:
    from .batch.results import BatchResult
    from .batch.run import Hear

__all__ = [
    "Action",
    "Edits",
    "Explanation",
    "GenerationConstraints",
    "IntelligentGenerationPipeline",
    "LoraEdit",
    "LoraUse",
    "Offload",
    "OperationMode",
    "PipelineConfig",
    "Plan",
    "Priority",
    "Rating",
    "Result",
    "Strategy",
    "Verbosity",
    "ask_server",
    "generate",
    "made_by",
    "rate",
    "recommend",
    "suggested",
    "tell_family",
]

OperationMode = Mode


@dataclass(frozen=True)
class GenerationConstraints:
    """What the plan must keep to; ``None`` means no limit. ``max_vram_gb`` in GiB, ``max_seconds`` per picture."""

    priority: Priority = Priority.BALANCED
    max_vram_gb: float | None = None
    max_seconds: float | None = None
    max_loras: int = 4
    max_steps: int | None = None
    max_megapixels: float | None = None
    width: int | None = None
    height: int | None = None
    blocked_tags: tuple[str, ...] = ()
    blocked_ids: tuple[str, ...] = ()
    allow_nsfw: bool = False

    def limits(self) -> Constraints:
        """The planner's own value. Raises ``BadRequest`` with what is out of range."""
        return Constraints(
            max_vram_bytes=None if self.max_vram_gb is None else int(self.max_vram_gb * GIB),
            max_seconds=self.max_seconds,
            max_loras=self.max_loras,
            max_pixels=None if self.max_megapixels is None else int(self.max_megapixels * 1e6),
            max_steps=self.max_steps,
            blocked_tags=self.blocked_tags,
            blocked_ids=self.blocked_ids,
            allow_nsfw=self.allow_nsfw,
        )


@dataclass(frozen=True)
class PipelineConfig:
    """How a pipeline works. ``base_model`` is a model file's name or part of it, or a hub's name for a model that is on
    the server (page address, AIR urn, Hugging Face repository); ``None`` lets the planner choose. Without
    ``enable_learning`` pictures are neither planned by what was learned nor recorded. ``memory`` says which models stay on
    the GPU; ``None`` lets the planner choose. Raises ``BadRequest`` naming every fault at once."""

    base_model: str | None = None
    mode: Mode = Mode.AUTO
    constraints: GenerationConstraints = field(default_factory=GenerationConstraints)
    enable_learning: bool = True
    server: str = DEFAULT_SERVER
    language: str = "en"
    memory: Offload | None = None

    def __post_init__(self) -> None:
        refuse(self._faults())

    def _faults(self) -> Iterator[str]:
        wrong = [
            *type_faults(self),
            *(type_faults(self.constraints) if isinstance(self.constraints, GenerationConstraints) else ()),
        ]
        yield from wrong
        if wrong:
            return
        if self.language not in LANGUAGES:
            yield f"language {self.language!r} ({', '.join(LANGUAGES)})"
        if not self.server.startswith(("http://", "https://")):
            yield f"server {self.server!r} (http://… or https://…)"
        yield from _faults_of(self.constraints.limits)
        yield from _faults_of(self.size)

    def size(self) -> Fixed:
        """The fixed size, where one is asked for."""
        return Fixed(width=self.constraints.width, height=self.constraints.height)


def _faults_of(make: Callable[[], object]) -> Iterator[str]:
    try:
        make()
    except BadRequest as refused:
        yield str(refused.values["faults"])


class IntelligentGenerationPipeline:
    """Plans and makes pictures on a running ComfyUI that has this pack."""

    def __init__(self, config: PipelineConfig | None = None) -> None:
        self.config = config or PipelineConfig()

    def request(self, prompt: str, negative: str | None = None, loras: tuple[LoraUse, ...] | None = None) -> Request:
        """The request that this pipeline's configuration makes of a prompt."""
        config = self.config
        return Request(
            prompt=prompt,
            negative=negative,
            mode=config.mode,
            priority=config.constraints.priority,
            constraints=config.constraints.limits(),
            fixed=config.size(),
            checkpoint=config.base_model,
            loras=loras if loras is not None or config.mode is not Mode.MANUAL else (),
            language=config.language,
            learning=config.enable_learning,
            memory=config.memory,
        )

    def recommend(self, prompt: str, negative: str | None = None) -> Plan:
        """The plan for a prompt, nothing run: read it, edit it, give it to ``generate``."""
        return recommend(self.config.server, self.request(prompt, negative))

    def generate(
        self,
        prompt: str | None = None,
        *,
        plan: Plan | None = None,
        negative: str | None = None,
        seed: int = 0,
        follow: Follow | None = None,
        run_anyway: bool = False,
    ) -> Result:
        """Make a picture from a prompt, or from a plan as it is. In ASSISTED mode a prompt alone makes none, unless
        ``run_anyway``: the result then holds the plan, no pictures, and a warning that says so. Raises ``BadRequest`` with
        ComfyUI's words when it fails, ``Unreachable`` when it does not answer."""
        waits = plan is None and self.config.mode is Mode.ASSISTED and not run_anyway
        plan = plan or self.recommend(prompt or "", negative)
        return suggested(plan, self.config.language) if waits else generate(self.config.server, plan, seed, follow)

    def edit(self, plan: Plan, edits: Edits) -> Plan:
        """The plan with the edits in it, estimated and checked by the server. Raises ``BadRequest`` for what is out of
        range or does not load on the plan's model, ``Unreachable``."""
        body = {"plan": json.loads(to_json(plan)), "edits": json.loads(to_json(edits)), "language": self.config.language}
        told = json.loads(ask_server(self.config.server, REVISE_PATH, json.dumps(body)))
        return from_json(Plan, json.dumps(told["plan"]))

    def generate_batch(
        self,
        prompt: str | None = None,
        strategy: Strategy | str = Strategy.SEED,
        count: int = 4,
        *,
        plan: Plan | None = None,
        negative: str | None = None,
        seed: int = 0,
        on_progress: Hear | None = None,
        save_dir: str | Path | None = None,
        max_seconds: float | None = None,
        axes: Sequence[str] = (),
    ) -> BatchResult:
        """Make variations of a prompt, or of a plan, and return them in their stated order, the plan itself first.
        ``strategy`` is "seed", "parameter", "lora", "mixed" or "prompt"; ``max_seconds`` limits the whole batch;
        ``axes`` names the settings that "parameter" varies ("cfg", "guidance", "steps", "sampler", "size"), two of them a grid.
        ``on_progress`` hears a ``BatchProgress`` for every sampler step and picture; ``save_dir`` takes the pictures with
        their metadata and a contact sheet. A failed item is reported in its place; asking for the same again makes what is
        missing. Raises ``BadRequest`` and ``Unreachable`` where the batch cannot begin."""
        from .batch.order import order_batch
        from .batch.run import run_batch

        server, language = self.config.server, self.config.language
        wanted = plan or self.request(prompt or "", negative)
        batch = order_batch(server, wanted, strategy, count, seed=seed, max_seconds=max_seconds, axes=axes)
        return run_batch(batch, Client(server), on_progress=on_progress, save_dir=save_dir, language=language)

    def provide_feedback(
        self,
        generation_id: str | Path | Result,
        rating: int | None = None,
        *,
        quality: int | None = None,
        accuracy: int | None = None,
        aesthetic: int | None = None,
        comments: str = "",
        tags: tuple[str, ...] = (),
        actions: tuple[Action, ...] = (),
    ) -> bool:
        """Say what you think of a generation, given as its id, a result, or the path of a PNG that holds it: stars 1–5, and
        what you did with it. What is said later replaces what was said before. Whether the server's database has it
        already; else it waits in its journal. Raises ``BadRequest`` for stars out of range and for an id the server does
        not know, ``UserError`` for a picture without a plan."""
        meant = _named(generation_id)
        told = True
        if any(said is not None for said in (rating, quality, accuracy, aesthetic)) or comments or tags:
            told = rate(self.config.server, meant, Rating(rating, quality, accuracy, aesthetic, comments, tuple(tags)))
        for action in actions:
            body = json.dumps({**meant, "action": Action(action).value})
            told = json.loads(ask_server(self.config.server, ACT_PATH, body))["stored"] and told
        return told


def _named(generation: str | Path | Result) -> dict[str, Any]:
    """What names the generation to the server: a picture is sent as what it holds, for it may be another's."""
    if isinstance(generation, Result):
        return {"id": generation.id}
    if isinstance(generation, Path) or generation.lower().endswith(".png"):
        return {"generation": json.loads(to_json(generation_in(Path(generation))))}
    return {"id": generation}


def rate(server: str, named: Mapping[str, Any], rating: Rating) -> bool:
    """Rate a generation on the server, ``named`` by its "id" or whole as "generation"; as ``provide_feedback``."""
    return bool(json.loads(ask_server(server, RATE_PATH, json.dumps({**named, **asdict(rating)})))["stored"])


def recommend(server: str, request: Request) -> Plan:
    """Ask the server for the plan of a request."""
    return from_json(Plan, ask_server(server, PLAN_PATH, to_json(request)))


def tell_family(server: str, kind: Kind, name: str, family: str | None) -> None:
    """Tell the server's library which family a model file belongs to; ``None`` takes it back."""
    ask_server(server, FAMILY_PATH, json.dumps({"kind": kind.value, "name": name, "family": family}))


def ask_server(server: str, path: str, body: str) -> bytes:
    """What a route of the pack answers to JSON. Raises ``BadRequest`` with its words, or ``Unreachable``."""
    headers = {"Content-Type": "application/json", GUARD_HEADER: "1"}
    try:
        answer = requests.post(server.rstrip("/") + path, data=body.encode(), headers=headers, timeout=300)
    except requests.RequestException as fault:
        raise Unreachable("comfyui_unreachable", url=server) from fault
    if not answer.ok and (said := _sentence(answer)):
        raise BadRequest("server_says", message=said)
    if answer.status_code in (404, 405):
        raise Unreachable("pack_missing", url=server)
    if not answer.ok:
        raise Unreachable("comfyui_broken", url=server, status=answer.status_code)
    return answer.content


def _sentence(answer: requests.Response) -> str:
    """What the pack says of a refusal; empty where it is another's."""
    try:
        told = answer.json()
    except ValueError:
        return ""
    return str(told.get("message", "")) if isinstance(told, dict) else ""


def suggested(plan: Plan, language: str = "en") -> Result:
    """A plan that waits for consent, as a result without pictures."""
    return Result(Generation(plan), (), language, warnings=(sentence("terminal", "assisted.waits", language, {}),))


def generate(server: str, plan: Plan, seed: int, follow: Follow | None = None) -> Result:
    """Run a plan on the server and fetch its pictures."""
    client = Client(server)
    run = client.run(workflow(plan.request, seed=seed, accepted=plan), follow)
    return made_by(client, run, plan.request.language)


def made_by(client: Client, run: Run, language: str = "en") -> Result:
    """What a run of an Auto Pipeline workflow made, its pictures fetched."""
    output = run.outputs[SAVE_NODE]
    made = from_json(Generation, output["generation"][0])
    measured = from_json(Measured, output["measured"][0]) if output.get("measured") else None
    pictures = tuple(client.image(image) for image in output["images"])
    return Result(made, pictures, language, measured, run.retried)
