"""The stand-in hubs keep HTTP's rules where they are not told to break them, and the real client speaks to them."""

import time

import pytest
import requests
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from standin import Fault, toy

BODY = toy("ink")


@pytest.fixture(params=["bytes", "path"])
def served(request, standin, tmp_path):
    content = BODY
    if request.param == "path":
        content = tmp_path / "ink.safetensors"
        content.write_bytes(BODY)
    return standin.cdn.put("/ink", content)


def get(url, **headers):
    return requests.get(url, headers={name.replace("_", "-"): text for name, text in headers.items()}, timeout=5)


def test_a_range_continues_and_if_range_minds_changes(standin, served):
    whole = get(served)
    assert (whole.status_code, whole.content) == (200, BODY)
    for mark in (whole.headers["ETag"], whole.headers["Last-Modified"]):
        part = get(served, Range="bytes=100-", If_Range=mark)
        assert (part.status_code, part.content) == (206, BODY[100:])
        assert part.headers["Content-Range"] == f"bytes 100-{len(BODY) - 1}/{len(BODY)}"
    assert get(served, Range="bytes=100-", If_Range='"other"').content == BODY
    assert get(served, Range="bytes=10-19").content == BODY[10:20]
    beyond = get(served, Range=f"bytes={len(BODY)}-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(BODY)}")
    standin.cdn.fault("/ink", Fault(ignore_range=True))
    assert get(served, Range="bytes=100-").status_code == 200
    standin.cdn.fault("/ink", Fault(etag='"new"'))
    assert get(served, Range="bytes=100-", If_Range=whole.headers["ETag"]).status_code == 200


def test_faults_spoil_the_next_requests_and_heal(standin, served):
    standin.cdn.fault("/ink", Fault(cut_at=1000), times=1)
    with pytest.raises(requests.RequestException):
        get(served)
    assert get(served).content == BODY
    standin.cdn.fault("/ink", Fault(content=b"wrong bytes"))
    assert get(served).content == b"wrong bytes"
    standin.cdn.heal()
    standin.cdn.fault("/ink", Fault(unsized=True, unmarked=True))
    bare = get(served)
    assert bare.content == BODY and not {"Content-Length", "ETag", "Last-Modified"} & set(bare.headers)
    standin.cdn.fault("/ink", Fault(packed=True))
    assert get(served).headers["Content-Encoding"] == "gzip"
    standin.cdn.fault("/ink", Fault(drip=(2000, 0.05)))
    began = time.monotonic()
    assert get(served).content == BODY and time.monotonic() - began > 0.1
    standin.cdn.fault("/ink", Fault(stall_at=500))
    with pytest.raises(requests.RequestException):
        requests.get(served, timeout=0.2)


def test_the_real_client_downloads_and_is_refused_for_the_right_reason(standin, tmp_path):
    standin.huggingface.add("a/open", {"m.safetensors": BODY, "config.json": b"{}"})
    standin.huggingface.add("a/gated", {"m.safetensors": BODY}, gate="gated")
    asked = {"endpoint": standin.huggingface.url, "cache_dir": tmp_path}
    for name, content in (("m.safetensors", BODY), ("config.json", b"{}")):
        with open(hf_hub_download("a/open", name, token=False, **asked), "rb") as file:
            assert file.read() == content
    with pytest.raises(GatedRepoError):
        hf_hub_download("a/gated", "m.safetensors", token=False, **asked)
    hf_hub_download("a/gated", "m.safetensors", token="hf_granted_1234", **asked)
    api = HfApi(endpoint=standin.huggingface.url, token=False)
    assert [each.id for each in api.list_models(search="open", limit=1)] == ["a/open"]
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("a/nowhere")
    assert not any("authorization" in each.headers for each in standin.cdn.asked())
