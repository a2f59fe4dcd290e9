import json
import logging
import socket
import stat
import sys

import pytest
import requests
from pack.errors import BadRequest, Unreachable
from pack.hub import web as web_module
from pack.hub.addresses import is_listed, is_public
from pack.hub.options import FILE, Options, change_options, read_options
from pack.hub.refusals import NotFound, Refused, refusal
from pack.hub.tokens import Tokens
from pack.hub.web import TRIES, Web, pause_after, pause_asked
from standin import Fault, StandIn, toy

KEY = "civitai-key-1234"
SEARCH = "/api/v1/models"


def code_of(ask):
    with pytest.raises((Unreachable, Refused)) as fault:
        ask()
    assert str(fault.value)
    return fault.value.code


# --------------------------------------------------------------------------- keys


def test_a_key_goes_to_its_own_hub_alone(standin):
    web = standin.web({"civitai": KEY, "huggingface": "hf_standin_1234"})
    web.json("civitai", standin.civitai.url + SEARCH)
    web.json("huggingface", standin.huggingface.url + "/api/models")
    assert standin.civitai.asked()[0].headers["authorization"] == f"Bearer {KEY}"
    assert standin.huggingface.asked()[0].headers["authorization"] == "Bearer hf_standin_1234"


def test_a_key_does_not_follow_a_redirect_to_another_origin(standin):
    added = standin.civitai.add({"ink.safetensors": toy()}, gate="login")
    web = standin.web({"civitai": KEY})
    with web.open("civitai", f"{standin.civitai.url}/api/download/models/{added.version_id}") as answer:
        assert answer.raw.read() == toy()
    (sent,) = standin.cdn.asked()
    assert "authorization" not in sent.headers and "cookie" not in sent.headers
    assert KEY not in repr(standin.cdn.asked())


def test_a_key_comes_back_when_a_redirect_comes_home(standin):
    """Each hop is judged by itself."""
    back = standin.cdn.put("/back", b"")
    standin.cdn.fault("/back", Fault.redirect(standin.civitai.url + SEARCH))
    standin.civitai.fault("/start", Fault.redirect(back))
    standin.web({"civitai": KEY}).json("civitai", standin.civitai.url + "/start")
    assert [("authorization" in each.headers) for each in standin.civitai.asked()] == [True, True]
    assert "authorization" not in standin.cdn.asked()[0].headers


def test_the_other_hubs_key_stays_home(standin):
    standin.web({"huggingface": "hf_standin_1234"}).json("civitai", standin.civitai.url + SEARCH)
    assert "authorization" not in standin.civitai.asked()[0].headers


def test_what_netrc_says_is_not_sent(standin, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\ndefault login x password y\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert "authorization" in requests.get(standin.civitai.url + SEARCH, timeout=5).request.headers  # it would be
    standin.civitai.server.requests.clear()
    standin.web().json("civitai", standin.civitai.url + SEARCH)
    assert "authorization" not in standin.civitai.asked()[0].headers


def test_cookies_are_not_kept_for_other_requests(standin):
    standin.civitai.fault(SEARCH, Fault(status=200, headers={"Set-Cookie": "track=1; Path=/"}, body=b"{}"))
    web = standin.web()
    for _ in range(2):
        web.json("civitai", standin.civitai.url + SEARCH)
    assert all("cookie" not in each.headers for each in standin.civitai.asked())


def test_a_key_is_in_no_text_error_or_log(standin, caplog):
    caplog.set_level(logging.DEBUG)
    web = standin.web({"civitai": "wrong-key-5678"})
    with pytest.raises(Refused) as fault:
        web.json("civitai", standin.civitai.url + SEARCH)
    told = (
        str(fault.value),
        repr(fault.value),
        repr(fault.value.values),
        repr(web),
        repr(web.tokens),
        str(vars(web.tokens).keys()),
    )
    assert fault.value.code == "hub_token_rejected"
    assert not any("wrong-key-5678" in each for each in (*told, caplog.text, repr(web.options)))


# --------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://civitai.com/x",
        "https://evil.example/x",
        "https://civitai.com.evil.example/x",
        "https://evilcivitai.com/x",
        "https://civitai.com:8443/x",
        "https://user:pw@civitai.com/x",
        "https://civitai.com@evil.example/x",
        "file:///etc/passwd",
        "ftp://civitai.com/x",
        "//civitai.com/x",
        "https:///x",
        "https://civitai.com:port/x",
        "https://[civitai.com/x",
        "http://127.0.0.1:9/x",
        "http://169.254.169.254/latest/meta-data",
        "",
    ],
)
def test_only_listed_addresses_are_spoken_to(tmp_path, url):
    web = Web(Options(), Tokens(tmp_path, {}))
    assert code_of(lambda: web.open("civitai", url)) == "hub_address_not_listed"


def test_listed_hosts_cover_their_subdomains_and_nothing_else():
    hosts = Options().hosts("civitai")
    assert is_listed("https://civitai.com/a", hosts, ())
    assert is_listed("https://IMAGE.civitai.com:443/a", hosts, ())
    assert is_listed("https://b2.civitai.com./a", hosts, ())
    assert is_listed(
        "https://civitai-delivery-worker-prod.5ac0637cfd0766c97916cefa3764fbdf.r2.cloudflarestorage.com/m", hosts, ()
    )
    assert not is_listed("https://notcivitai.com/a", hosts, ())
    assert is_listed("https://cas-bridge.xethub.hf.co/a", Options().hosts("huggingface"), ())
    assert is_listed("https://mirror.example/a", Options(extra_hosts=("mirror.example",)).hosts("civitai"), ())
    assert not is_listed("https://sub.mirror.example/a", Options(extra_hosts=("mirror.example",)).hosts("civitai"), ())


@pytest.mark.parametrize(
    "target",
    [
        "http://10.0.0.1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "http://[::1]/x",
        "https://evil.example/x",
        "file:///etc/passwd",
    ],
)
def test_every_redirect_is_vetted(standin, target):
    standin.civitai.fault("/r", Fault.redirect(target))
    assert code_of(lambda: standin.web().open("civitai", standin.civitai.url + "/r")) == "hub_address_not_listed"


def test_a_redirect_to_what_is_no_address_has_its_sentence(standin):
    standin.civitai.fault("/r", Fault.redirect("https://[bad/x"))
    assert code_of(lambda: standin.web().open("civitai", standin.civitai.url + "/r")) == "hub_answer_unreadable"


def test_this_machines_other_servers_are_not_reached(standin, tmp_path):
    with StandIn(tmp_path / "other") as other:
        standin.civitai.fault("/r", Fault.redirect(other.civitai.url + SEARCH))
        assert code_of(lambda: standin.web().open("civitai", standin.civitai.url + "/r")) == "hub_address_not_listed"
        assert other.civitai.asked() == []


def test_endless_redirects_end(standin):
    standin.civitai.fault("/r", Fault.redirect("/r"))
    assert code_of(lambda: standin.web().open("civitai", standin.civitai.url + "/r")) == "hub_redirects"
    assert len(standin.civitai.asked()) <= 10


def found_at(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, 6, "", (address, port, 0, 0) if ":" in address else (address, port))


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:192.168.0.1"])
def test_a_public_name_that_leads_into_the_network_is_refused_unasked(standin, monkeypatch, address):
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *_more: [found_at("8.8.8.8", port), found_at(address, port)])
    monkeypatch.setattr(socket.socket, "connect", lambda *_address: pytest.fail("knocked at a private address"))
    assert code_of(lambda: standin.web().open("huggingface", "https://cdn.huggingface.co/x")) == "hub_address_private"


def test_a_name_that_leads_elsewhere_the_second_time_is_dropped_unspoken_to(standin, monkeypatch):
    """DNS rebinding: harmless when looked up, private when connected to."""
    listener = socket.create_server(("127.0.0.1", 0))
    answers = iter([found_at("8.8.8.8", 443), found_at("127.0.0.1", listener.getsockname()[1])])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked: [next(answers)])
    assert code_of(lambda: standin.web().open("huggingface", "https://cdn.huggingface.co/x")) == "hub_address_private"
    listener.settimeout(2)
    connection, _ = listener.accept()
    with listener, connection:
        connection.settimeout(2)
        assert connection.recv(1) == b""  # closed before a byte was sent


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("172.16.3.4", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("2002:0a00:0001::", False),
        ("64:ff9b::a00:1", False),
    ],
)
def test_private_addresses_are_known_in_every_dress(address, public):
    assert is_public(address) is public


# --------------------------------------------------------------------------- answers


def test_bombs_are_dropped_before_they_fill_the_memory(standin):
    standin.civitai.fault(SEARCH, Fault.bomb(80_000_000))
    assert code_of(lambda: standin.web().json("civitai", standin.civitai.url + SEARCH)) == "hub_answer_too_large"


def test_a_bomb_of_one_chunk_is_unpacked_in_pieces(standin):
    import tracemalloc

    standin.civitai.fault(SEARCH, Fault.bomb(200_000_000))
    tracemalloc.start()
    code_of(lambda: standin.web().json("civitai", standin.civitai.url + SEARCH))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120_000_000


def test_a_bomb_in_a_refusal_is_cut(standin):
    bomb = Fault.bomb(80_000_000)
    standin.civitai.fault(SEARCH, Fault(status=403, headers=bomb.headers, body=bomb.body))
    assert code_of(lambda: standin.web({"civitai": KEY}).json("civitai", standin.civitai.url + SEARCH)) == "hub_forbidden"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"<!DOCTYPE html>"])
def test_what_is_no_json_has_its_sentence(standin, body):
    standin.civitai.fault(SEARCH, Fault(status=200, body=body))
    assert code_of(lambda: standin.web().json("civitai", standin.civitai.url + SEARCH)) == "hub_answer_unreadable"


def test_a_small_file_is_small(standin):
    url = standin.cdn.put("/preview.jpeg", b"x" * 1000, Content_Type="image/JPEG; q=1")
    assert standin.web().bytes("civitai", url, 1000) == (b"x" * 1000, "image/jpeg")
    assert code_of(lambda: standin.web().bytes("civitai", url, 999)) == "hub_answer_too_large"


def test_a_truncated_small_file_is_an_error(standin):
    url = standin.cdn.put("/preview.jpeg", b"x" * 1000)
    standin.cdn.fault("*", Fault(cut_at=500))
    assert code_of(lambda: standin.web().bytes("civitai", url, 5000)) == "hub_unreachable"


def test_a_stall_ends(standin, monkeypatch):
    monkeypatch.setattr(web_module, "READ_TIMEOUT_S", 0.2)
    url = standin.cdn.put("/preview.jpeg", b"x" * 1000)
    standin.cdn.fault("*", Fault(stall_at=10))
    assert code_of(lambda: standin.web().bytes("civitai", url, 5000)) == "hub_unreachable"


# --------------------------------------------------------------------------- patience


def test_a_busy_hub_is_waited_for_as_long_as_it_asks(standin):
    standin.civitai.fault(SEARCH, Fault.busy("7"), times=2)
    standin.web().json("civitai", standin.civitai.url + SEARCH)
    assert len(standin.slept) == 2 and all(7 <= seconds < 8 for seconds in standin.slept)
    assert len(standin.civitai.asked()) == 3


def test_a_date_is_understood_as_well(standin):
    assert pause_asked({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1445412480 - 9) == 9.0
    assert pause_asked({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1445412480 + 9) == 0.0
    for odd in ("soon", "-5", "", "9" * 400, "²", "nan"):
        assert pause_asked({"Retry-After": odd}, 0.0) >= 0.0


def test_a_storm_is_given_up_and_the_hub_left_alone(standin):
    standin.civitai.fault("*", Fault.busy("9"))
    web = standin.web()
    assert code_of(lambda: web.json("civitai", standin.civitai.url + SEARCH)) == "hub_busy"
    asked = len(standin.civitai.asked())
    assert asked == TRIES
    with pytest.raises(Refused) as fault:
        web.open("civitai", standin.civitai.url + "/other")
    assert (fault.value.code, fault.value.retry_after_s) == ("hub_busy", 9.0)
    assert len(standin.civitai.asked()) == asked
    standin.now += 10
    standin.civitai.heal()
    web.json("civitai", standin.civitai.url + SEARCH)


def test_one_busy_hub_does_not_silence_the_other(standin):
    standin.civitai.fault("*", Fault.busy("3600"))
    web = standin.web()
    assert code_of(lambda: web.json("civitai", standin.civitai.url + SEARCH)) == "hub_busy"
    assert standin.slept == []  # an hour is told of, not waited for
    assert web.json("huggingface", standin.huggingface.url + "/api/models") == []


def test_what_passes_is_asked_again_with_growing_pauses(standin):
    standin.civitai.fault(SEARCH, Fault(status=502), times=3)
    standin.web().json("civitai", standin.civitai.url + SEARCH)
    assert len(standin.slept) == 3
    assert all(0.5 * 2**n <= seconds <= 2**n for n, seconds in enumerate(standin.slept))


def test_what_does_not_pass_is_asked_once(standin):
    for status in (400, 401, 403, 404, 410, 451):
        standin.civitai.server.requests.clear()
        standin.civitai.fault(SEARCH, Fault(status=status), times=1)
        code_of(lambda: standin.web().json("civitai", standin.civitai.url + SEARCH))
        assert (len(standin.civitai.asked()), standin.slept) == (1, [])


def test_pauses_know_what_is_worth_asking_again():
    assert pause_after(Unreachable("hub_offline", hub="x"), 0) is None
    assert pause_after(Refused("hub_busy", hub="x", seconds=1).after(61), 0) is None
    assert pause_after(Refused("hub_busy", hub="x", seconds=1).after(30), 0) == 30
    assert pause_after(Refused("hub_gated", hub="x"), 0) is None
    assert 0 < pause_after(Unreachable("hub_unreachable", hub="x", host="y"), 50) <= 60


def test_a_hub_that_is_not_there_is_unreachable(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        web = Web(Options(civitai=(base,)), Tokens(tmp_path, {}), sleep=lambda _s: None)
        assert code_of(lambda: web.json("civitai", base + SEARCH)) == "hub_unreachable"


def test_offline_makes_no_connection(standin, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_a, **_k: pytest.fail("connected"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: pytest.fail("looked a name up"))
    web = standin.web(offline=True)
    assert code_of(lambda: web.json("civitai", standin.civitai.url + SEARCH)) == "hub_offline"
    assert code_of(lambda: web.open("civitai", "https://civitai.com/x")) == "hub_offline"
    assert standin.civitai.asked() == [] and standin.slept == []


# --------------------------------------------------------------------------- refusals


def said(**values):
    return json.dumps(values).encode()


GATED = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model a/b is restricted."}
HIDDEN = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Invalid username or password."}
LOGIN = said(error="Unauthorized", message="The creator of this asset requires you to be logged in to download it")
EARLY = said(error="Early Access", message="This asset is in Early Access. You can use Buzz access it now!")


@pytest.mark.parametrize(
    ("status", "headers", "body", "had_token", "code"),
    [
        (401, {}, LOGIN, False, "hub_token_missing"),
        (401, {}, said(error="Unauthorized"), True, "hub_token_rejected"),
        (401, {}, said(code="UNAUTHORIZED", message="UNAUTHORIZED"), True, "hub_token_rejected"),
        (403, {}, said(error="Your API key has expired"), True, "hub_token_rejected"),
        (401, {}, EARLY, False, "hub_early_access"),
        (403, {}, EARLY, True, "hub_early_access"),
        (401, GATED, b"", False, "hub_gated_no_token"),
        (403, GATED, b"", True, "hub_gated"),
        (403, {}, said(error="you are not in the authorized list"), True, "hub_gated"),
        (401, HIDDEN, b"", False, "hub_repo_hidden"),
        (403, {}, said(error="Forbidden"), True, "hub_forbidden"),
        (403, {}, said(error="Forbidden"), False, "hub_token_missing"),
        (403, {}, said(message="Civitai is not available in your region"), True, "hub_region"),
        (451, {}, b"", False, "hub_region"),
        (404, {}, said(error="No model with id 9"), False, "hub_not_found"),
        (410, {}, b"", False, "hub_not_found"),
        (404, {"X-Error-Code": "EntryNotFound"}, b"", True, "hub_not_found"),
        (500, {}, b"<html>oops</html>", False, "hub_failing"),
        (400, {}, said(error="bad cursor"), False, "hub_refused"),
    ],
)
def test_every_cause_is_told_apart(status, headers, body, had_token, code):
    fault = refusal("civitai", status, headers, body, had_token)
    assert fault.code == code
    assert isinstance(fault, NotFound) is (code in ("hub_not_found", "hub_repo_hidden"))
    for language in ("en", "es"):
        told = str(fault.in_language(language))
        assert "civitai" in told and "<html>" not in told and type(fault.in_language(language)) is type(fault)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff" * 100, b"[1]", b'{"error": {"a": 1}}', b"x" * 100_000])
def test_any_body_makes_a_short_sentence(body):
    assert len(str(refusal("civitai", 400, {}, body, False))) < 500


def test_a_language_keeps_what_a_refusal_knows():
    assert Refused("hub_busy", hub="x", seconds=3).after(3).in_language("es").retry_after_s == 3


@pytest.mark.parametrize(
    ("gate", "token", "code"),
    [
        ("login", None, "hub_token_missing"),
        ("early", None, "hub_early_access"),
        ("early", KEY, "hub_early_access"),
        ("region", KEY, "hub_region"),
        ("login", "expired-key-99", "hub_token_rejected"),
    ],
)
def test_a_refused_download_names_its_cause(standin, gate, token, code):
    added = standin.civitai.add({"a.safetensors": toy()}, gate=gate)
    web = standin.web({"civitai": token} if token else {})
    assert code_of(lambda: web.open("civitai", f"{standin.civitai.url}/api/download/models/{added.version_id}")) == code


@pytest.mark.parametrize(("token", "code"), [(None, "hub_gated_no_token"), ("hf_standin_1234", "hub_gated")])
def test_a_gated_file_names_its_cause(standin, token, code):
    standin.huggingface.add("a/b", {"m.safetensors": toy()}, gate="gated")
    web = standin.web({"huggingface": token} if token else {})
    assert code_of(lambda: web.open("huggingface", f"{standin.huggingface.url}/a/b/resolve/main/m.safetensors")) == code


# --------------------------------------------------------------------------- keys on the disk


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_keys_lie_in_a_file_of_their_owner_alone(tmp_path):
    tokens = Tokens(tmp_path / "hub", {})
    tokens.set("civitai", f"  {KEY}\n")
    (path,) = (tmp_path / "hub").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    tokens.set("huggingface", "hf_standin_1234")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Tokens(tmp_path / "hub", {}).get("civitai") == KEY
    tokens.set("civitai", None)
    assert Tokens(tmp_path / "hub", {}).get("civitai") is None and tokens.get("huggingface") == "hf_standin_1234"
    assert KEY not in path.read_text()


def test_the_environments_key_wins_and_nothing_shows_either(tmp_path):
    tokens = Tokens(tmp_path, {"CIVITAI_API_KEY": " from-environment "})
    tokens.set("civitai", KEY)
    assert tokens.get("civitai") == "from-environment"
    assert tokens.present()["civitai"] is True
    assert not any(secret in f"{tokens!r} {tokens} {tokens.present()}" for secret in ("from-environment", KEY))


@pytest.mark.parametrize(
    "token", ["short", "two words long", "with\nnewline-in-it", "ñandú-ñandú", "x" * 600, "tab\tinside-it"]
)
def test_what_can_be_no_key_is_refused_without_repeating_it(tmp_path, token):
    with pytest.raises(BadRequest) as fault:
        Tokens(tmp_path, {}).set("civitai", token)
    assert fault.value.code == "token_unreadable" and token not in str(fault.value)
    assert not list(tmp_path.iterdir())


def test_an_unknown_hub_has_no_key(tmp_path):
    with pytest.raises(BadRequest):
        Tokens(tmp_path, {}).set("nowhere", KEY)
    assert Tokens(tmp_path, {}).get("nowhere") is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"civitai": 7}', "null"])
def test_a_broken_key_file_is_no_key(tmp_path, text):
    (tmp_path / "tokens.json").write_text(text)
    assert Tokens(tmp_path, {}).get("civitai") is None
    Tokens(tmp_path, {}).set("civitai", KEY)
    assert Tokens(tmp_path, {}).get("civitai") == KEY


# --------------------------------------------------------------------------- options


def test_options_come_from_the_file_and_the_environment_wins(tmp_path):
    assert read_options(tmp_path, {}) == Options()
    change_options(tmp_path, {"parallel": 3, "huggingface": "https://mirror.example", "offline": False})
    assert read_options(tmp_path, {}).parallel == 3
    environ = {
        "HF_ENDPOINT": "https://hf-mirror.com/",
        "HF_HUB_OFFLINE": "1",
        "INTELLIGENT_GENERATION_CIVITAI": "https://civitai.red,https://civitai.com",
        "INTELLIGENT_GENERATION_ALLOWED_DOWNLOADS": "civitai:1@2,huggingface:a/*",
        "INTELLIGENT_GENERATION_HUB_HOSTS": "cdn.example",
        "INTELLIGENT_GENERATION_REMOTE_CLIENTS": "yes",
    }
    options = read_options(tmp_path, environ)
    assert options.bases("huggingface") == ("https://hf-mirror.com",)
    assert options.bases("civitai") == ("https://civitai.red", "https://civitai.com")
    assert (options.offline, options.remote_clients, options.parallel) == (True, True, 3)
    assert options.allowed == ("civitai:1@2", "huggingface:a/*")
    assert options.hosts("huggingface")[0] == "hf-mirror.com" and "cdn.example" in options.hosts("huggingface")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonsense": 1},
        {"parallel": "3"},
        {"parallel": 0},
        {"parallel": True},
        {"offline": 1},
        {"civitai": "https://civitai.com"},
        {"allowed": [1]},
        {"huggingface": "http://mirror.example"},
        {"huggingface": "https://user:pw@mirror.example"},
        {"civitai": ["https://civitai.com?token=x"]},
        {"huggingface": "file:///etc"},
        {"extra_hosts": ["http://10.0.0.1"]},
    ],
)
def test_settings_that_do_not_fit_change_nothing(tmp_path, changes):
    change_options(tmp_path, {"parallel": 4})
    before = (tmp_path / FILE).read_text()
    with pytest.raises(BadRequest) as fault:
        change_options(tmp_path, changes)
    assert str(fault.value)
    assert (tmp_path / FILE).read_text() == before


def test_a_change_keeps_the_rest_and_forgets_no_environment(tmp_path):
    change_options(tmp_path, {"parallel": 4})
    change_options(tmp_path, {"allowed": ["civitai:*"]})
    assert json.loads((tmp_path / FILE).read_text()) == {"parallel": 4, "allowed": ["civitai:*"]}


@pytest.mark.parametrize("text", ["{", "[]", "7", '{"parallel": null}'])
def test_a_broken_settings_file_names_itself(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BadRequest) as fault:
        read_options(tmp_path, {})
    assert FILE in str(fault.value)


def test_a_mirror_on_this_machine_is_allowed_as_a_whole_address():
    options = Options(extra_hosts=("http://127.0.0.1:9000", "cdn.example"))
    assert options.origins("civitai")[-1] == "http://127.0.0.1:9000"
    assert "cdn.example" in options.hosts("civitai") and "http://127.0.0.1:9000" not in options.hosts("civitai")
