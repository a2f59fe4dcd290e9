"""Routes, their description, and who may ask them."""

from __future__ import annotations

import ast
import fnmatch
import json
from dataclasses import fields
from pathlib import Path

import pytest
from pack.errors import LANGUAGES, BadRequest, Unreachable, UserError
from pack.feedback import Action, Batch, ItemState, Rating, Relation, Strategy
from pack.guard import _STATUS, Visitor, refuse_strangers, retry_after_s, status_of
from pack.hub.options import Options
from pack.hub.refusals import NotFound, Refused
from pack.learning.options import Options as LearningOptions
from pack.plan import Kind
from pack.routes import ACT_PATH, FEEDBACK_PATH, GUARD_HEADER, HUB_PATH, PREFIX, ROUTES, Access
from pack.values import to_json

from .openapi import SPEC, body_schema, faults, operations, parameters, resolved

ROOT = Path(__file__).parent.parent
READERS = {"text", "texts", "flag", "number"}


def by_place():
    return {(route.method, route.path): route for route in ROUTES}


# --------------------------------------------------------------------------- the table and its description


def test_every_route_is_described_and_nothing_else():
    assert by_place().keys() == operations().keys()
    assert len(by_place()) == len(ROUTES)
    assert all(route.path.startswith(PREFIX) for route in ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.act)
def test_what_a_route_takes_is_what_is_described(route):
    described = operations()[route.method, route.path]
    assert parameters(described, "path") == ({"id"} if "{id}" in route.path else set())
    assert parameters(described, "header") == ({GUARD_HEADER} if route.access.sends else set())
    if not route.access.sends:
        assert parameters(described, "query") == {*route.takes, "language"}
        assert "requestBody" not in described
    elif route.takes is not None:
        assert body_schema(described)["properties"].keys() == {*route.takes, "language"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.act)
def test_the_function_of_a_route_is_there_and_says_what_it_does(route):
    module, name = route.act.split(".")
    tree = ast.parse((ROOT / "nodes" / f"{module}.py").read_text(encoding="utf-8"))
    assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    assert operations()[route.method, route.path]["summary"]


@pytest.mark.parametrize("module", sorted({route.act.partition(".")[0] for route in ROUTES}))
def test_functions_read_what_their_routes_take(module):
    tree = ast.parse((ROOT / "nodes" / f"{module}.py").read_text(encoding="utf-8"))
    read = {name for node in ast.walk(tree) if (name := read_by(node))}
    taken = {name for route in ROUTES if route.act.startswith(f"{module}.") for name in route.takes or ()}
    assert read == taken


def read_by(node):
    """The name of what ``asked`` is asked for here."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    called = ast.unparse(node.func)
    if called == "asked.confirmed":
        return "confirmed"
    named = called == "asked.given.get" or (called.startswith("asked.") and node.func.attr in READERS)
    return node.args[0].value if named else None


def test_what_changes_something_is_sent_from_here():
    for route in ROUTES:
        if route.method == "POST":
            only_computes = route.act == "routes.plan" or route.act.startswith(("assisted_routes.", "unfold_routes."))
            assert route.access is (Access.SEND if only_computes else Access.CHANGE_HERE), route.path
    shown_here = {route.path.removeprefix(PREFIX) for route in ROUTES if route.access is Access.READ_HERE}
    here = {"/hub/downloads", "/hub/recognise", "/hub/settings", "/hub/place", "/feedback/settings", "/feedback/export"}
    here |= {"/settings", "/settings/reading"}
    assert shown_here == here


def test_what_is_open_here_only_says_so():
    for route in ROUTES:
        assert ("403" in operations()[route.method, route.path]["responses"]) >= route.access.here, route.path
        assert ("413" in operations()[route.method, route.path]["responses"]) >= (route.access is Access.CHANGE_HERE)


def test_every_reference_leads_somewhere():
    def references(part):
        if isinstance(part, dict):
            yield from [part] if "$ref" in part else []
            part = list(part.values())
        for each in part if isinstance(part, list) else []:
            yield from references(each)

    listed = list(references(SPEC))
    assert len(listed) > 50 and all(resolved(each) for each in listed)
    used = {each["$ref"] for each in listed}
    assert used == {f"#/components/{group}/{name}" for group, held in SPEC["components"].items() for name in held}


def test_settings_and_kinds_are_described():
    known = {each.name for each in fields(Options)}
    assert SPEC["components"]["schemas"]["Options"]["properties"].keys() == known
    settings = body_schema(operations()["POST", f"{HUB_PATH}/settings"])
    assert settings["properties"].keys() == {*known, "language"} and not settings["required"]
    learned = {each.name for each in fields(LearningOptions)}
    assert SPEC["components"]["schemas"]["LearningOptions"]["properties"].keys() == learned
    learning = body_schema(operations()["POST", f"{FEEDBACK_PATH}/settings"])
    assert learning["properties"].keys() == {*learned, "language"} and not learning["required"]
    assert SPEC["components"]["schemas"]["Kind"]["enum"] == [kind.value for kind in Kind]
    assert not list(faults(json.loads(json.dumps(vars(Options()))), {"$ref": "#/components/schemas/Options"}))


def test_the_description_is_shipped():
    packaged = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"openapi.json"' in packaged and f'version = "{SPEC["info"]["version"]}"' in packaged
    ignored = (ROOT / ".comfyignore").read_text(encoding="utf-8").split()
    assert not any(fnmatch.fnmatch("/openapi.json", each) for each in ignored)


def test_the_checker_of_answers_finds_what_is_wrong():
    fit = {"verdict": "fits", "reasons": ["ok"], "have": "", "needed_bytes": None}
    schema = {"$ref": "#/components/schemas/Fit"}
    assert not list(faults(fit, schema))
    for spoilt in ({"verdict": "perhaps"}, {"reasons": [1]}, {"needed_bytes": True}, {"more": 1}, {"have": None}):
        assert list(faults({**fit, **spoilt}, schema)), spoilt
    assert list(faults({"verdict": "fits"}, schema))
    assert list(faults({"file": 1, "offer": None}, {"anyOf": [schema, {"type": "null"}]}))


def test_the_choices_of_feedback_and_batches_are_described():
    def choices(kind):
        return [member.value for member in kind]

    body = body_schema(operations()["POST", ACT_PATH])
    assert body["properties"]["action"]["enum"] == choices(Action)
    schemas = SPEC["components"]["schemas"]
    assert schemas["Strategy"]["enum"] == choices(Strategy) and schemas["ItemState"]["enum"] == choices(ItemState)
    assert schemas["Made"]["properties"]["relation"]["enum"] == choices(Relation)
    assert schemas["Rating"]["properties"].keys() == {each.name for each in fields(Rating)}
    batch = Batch("b", "a fox", Strategy.SEED, ())
    assert not list(faults(json.loads(to_json(batch)), {"$ref": "#/components/schemas/Batch"}))


# --------------------------------------------------------------------------- who may ask


def visitor(remote="127.0.0.1", host="127.0.0.1:8188", content_type="application/json", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Visitor(remote, content_type, {"Host": host, GUARD_HEADER: "1", **named})


def code_of(visiting, access, remote_clients=False):
    try:
        refuse_strangers(visiting, access, remote_clients)
    except BadRequest as fault:
        return fault.code
    return None


@pytest.mark.parametrize("host", ["127.0.0.1:8188", "localhost:8188", "localhost", "LOCALHOST:1", "[::1]:8188", "127.0.0.7"])
@pytest.mark.parametrize("remote", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_computer_may(remote, host):
    for access in Access:
        assert code_of(visitor(remote, host), access) is None


@pytest.mark.parametrize(
    "remote", ["192.168.1.7", "10.0.0.1", "8.8.8.8", "fe80::1%eth0", "::ffff:192.168.1.7", None, "", "nonsense"]
)
def test_other_computers_may_only_read_and_plan(remote):
    stranger = visitor(remote)
    assert code_of(stranger, Access.READ) is code_of(stranger, Access.SEND) is None
    assert code_of(stranger, Access.READ_HERE) == code_of(stranger, Access.CHANGE_HERE) == "request_from_elsewhere"
    assert code_of(stranger, Access.CHANGE_HERE, remote_clients=True) is None


@pytest.mark.parametrize(
    "host", ["evil.example:8188", "127.0.0.1.evil.example", "192.168.1.7:8188", "", "[::1", "localhost.evil"]
)
def test_another_name_that_leads_here_is_not_here(host):
    assert code_of(visitor(host=host), Access.CHANGE_HERE) == "request_from_elsewhere"


@pytest.mark.parametrize("name", ["X_Forwarded_For", "Forwarded", "X_Real_IP", "X_Forwarded_Host"])
def test_who_comes_through_a_proxy_is_not_here(name):
    assert code_of(visitor(**{name: "127.0.0.1"}), Access.CHANGE_HERE) == "request_from_elsewhere"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://localhost:8188"},
        {"Origin": "http://127.0.0.1:8188.evil.example"},
        {"Origin": "chrome-extension://127.0.0.1:8188"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_pages_of_other_origins_may_not_even_where_others_may(headers):
    for access in (Access.READ_HERE, Access.CHANGE_HERE):
        for remote_clients in (False, True):
            assert code_of(visitor(**headers), access, remote_clients) == "request_foreign"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8188", "http://127.0.0.1:8188"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("[::1]:8188", "http://[::1]:8188"),
        ("127.0.0.1:443", "https://127.0.0.1"),
    ],
)
def test_comfyuis_own_page_may(host, origin):
    assert code_of(visitor(host=host, Origin=origin, Sec_Fetch_Site="same-origin"), Access.CHANGE_HERE) is None


def test_what_a_form_can_send_is_refused():
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert code_of(visitor(content_type=content_type), Access.CHANGE_HERE) == "not_our_request"
    bare = Visitor("127.0.0.1", "application/json", {"Host": "127.0.0.1"})
    assert code_of(bare, Access.CHANGE_HERE) == code_of(bare, Access.SEND) == "not_our_request"
    assert code_of(bare, Access.READ_HERE) is None


# --------------------------------------------------------------------------- how refusals are told


def test_every_status_is_of_a_known_error_and_described():
    for language in LANGUAGES:
        sentences = json.loads((ROOT / "locales" / language / "errors.json").read_text(encoding="utf-8"))
        assert _STATUS.keys() <= sentences.keys()
    assert {str(status) for status in _STATUS.values()} | {"400", "502"} == SPEC["components"]["responses"].keys()


def test_errors_get_the_status_of_their_cause():
    told = {
        400: BadRequest("ref_unreadable", text="x"),
        403: Refused("hub_gated", hub="h", status=403, said="–"),
        404: NotFound("hub_not_found", hub="h", status=404, said="–"),
        409: BadRequest("download_not_over", name="n"),
        413: BadRequest("request_too_large", most=1),
        429: Refused("hub_busy", hub="h", seconds=3),
        502: Unreachable("hub_unreachable", hub="h", host="x"),
        503: Unreachable("hub_offline", hub="h"),
    }
    assert {status: status_of(error) for status, error in told.items()} == {status: status for status in told}
    assert status_of(Refused("hub_failing", hub="h", status=500, said="–")) == 502
    assert status_of(UserError("no_checkpoint")) == 400


def test_patience_is_told_in_whole_seconds():
    busy = Refused("hub_busy", hub="h", seconds=3).after(2.2)
    assert retry_after_s(busy) == retry_after_s(busy.in_language("es")) == 3
    assert retry_after_s(Refused("hub_busy", hub="h", seconds=3).after(0)) == 1
    assert retry_after_s(BadRequest("hub_offline", hub="h")) is None
