"""A plan run as ComfyUI's own nodes, on a server that may lack this pack: what the pack would see to there is seen to
here."""

from __future__ import annotations

from .client import Client, Follow, RanOut
from .graph import api
from .intelligence.explain import render
from .intelligence.relief import WARNING, relieve, was_relieved
from .intelligence.revise import Place
from .plan import Generation, Plan
from .result import Result
from .routes import RETRIED

PREFIX = "IIG"


def generate_natively(server: str, plan: Plan, seed: int, place: Place, follow: Follow | None = None) -> Result:
    """Run the plan's native graph and fetch its pictures; where memory runs out once more, with the next cheaper plan made
    against ``place``. Raises ``BadRequest`` with ComfyUI's words when it fails, ``Unreachable`` when it does not answer."""
    client = Client(server)
    try:
        return _made(client, plan, seed, follow)
    except RanOut:
        cheaper = None if was_relieved(plan) else relieve(plan, place)
        if cheaper is None:
            raise
    said = render(next(each for each in cheaper.warnings if each.key == WARNING), cheaper.request.language)
    if follow:
        follow(RETRIED, {"prompt_id": "", "retry_id": "", "node": "", "sentence": said})
    return _made(client, cheaper, seed, follow, said)


def _made(client: Client, plan: Plan, seed: int, follow: Follow | None, *said: str) -> Result:
    run = client.run(api(plan, seed, PREFIX), follow)
    pictures = tuple(client.image(image) for image in run.images())
    return Result(Generation(plan, seed), pictures, plan.request.language, warnings=said)
