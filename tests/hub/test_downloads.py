"""The queue over stand-in hubs: every file whole and once, whatever dies in between."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pack.errors import BadRequest
from pack.hub.desk import Desk
from pack.hub.download import Download, State
from pack.hub.names import safe_name
from pack.hub.registry import Registry
from pack.hub.transfer import Patience, Stopped
from pack.offers import Ref
from pack.plan import Kind, Verification
from standin import Fault, toy, wait_until

ROOT = Path(__file__).parent.parent.parent
SIZE = 3_000_000


class Place:
    """Model folders and a desk over them."""

    def __init__(self, standin, tmp_path, **changes):
        self.standin, self.models = standin, tmp_path / "models"
        for kind in Kind:
            (self.models / kind.value).mkdir(parents=True)
        self.data = tmp_path / "user"
        self.busy = False
        self.desk = self.open(**changes)

    def open(self, **changes) -> Desk:
        registry = Registry(self.data / "library.sqlite", {kind: [self.models / kind.value] for kind in Kind})
        environ = self.standin.environ()
        desk = Desk(self.data, registry, environ, lambda: self.busy, Patience(tries=2, window_s=5))
        desk.web.options = self.standin.options(**changes)
        desk.web._sleep = lambda seconds: None
        registry.scan()
        return desk

    def order(self, added, name=None, kind=Kind.LORA, **options) -> Download:
        offer = self.desk.describe(Ref.parse(added.ref))
        file = next(file for file in offer.files if name in (None, file.name))
        return self.desk.order(offer, file, kind, **options)

    def fetch(self, added, **options) -> Download:
        return self.wait(self.order(added, **options))

    def wait(self, download, stop=lambda: False) -> Download:
        return self.desk.downloads.wait(download.id, stop, lambda download: None)

    @property
    def loras(self):
        return sorted(os.listdir(self.models / "loras"))


@pytest.fixture
def place(standin, tmp_path):
    made = Place(standin, tmp_path)
    yield made
    made.desk.close()


@pytest.fixture
def ink(standin):
    return standin.civitai.add(
        {"ink.safetensors": toy("ink", SIZE)}, type="LORA", version={"trainedWords": ["inkwash"], "baseModel": "SD 1.5"}
    )


def test_a_download_ends_in_the_library_with_what_the_hub_says(place, ink):
    done = place.fetch(ink)
    assert done.state is State.DONE and place.loras == ["ink.safetensors"]
    file = place.desk.registry.library().find(Kind.LORA, "ink.safetensors")
    assert file.verification is Verification.VERIFIED
    assert file.trigger_groups == (("inkwash",),)
    assert file.base_model == "SD 1.5"
    assert file.hub_id == ink.ref


def test_hugging_face_files_arrive_the_same_way(place, standin):
    standin.huggingface.add("owner/styles", {"loras/wash.safetensors": toy("wash", SIZE)}, tags=["lora"])
    offer = place.desk.describe(Ref("huggingface", "owner/styles"))
    done = place.wait(place.desk.order(offer, offer.files[0], Kind.LORA))
    assert done.state is State.DONE and place.loras == ["wash.safetensors"]
    assert place.desk.registry.library().find(Kind.LORA, "wash.safetensors").verification is Verification.VERIFIED


def test_a_file_without_a_hash_of_the_hub_says_so(place, standin):
    added = standin.civitai.add({"plain.safetensors": toy("plain")}, type="LORA", hashed=False)
    done = place.fetch(added)
    assert done.sha256 == hashlib.sha256(toy("plain")).hexdigest()
    assert place.desk.registry.library().find(Kind.LORA, "plain.safetensors").verification is Verification.NO_HASH


def test_the_same_bytes_are_not_fetched_twice(place, ink, standin):
    (place.models / "loras" / "mine.safetensors").write_bytes(toy("ink", SIZE))
    place.desk.registry.scan()
    found = place.order(ink)
    assert found.state is State.HAVE_IT and found.name == "mine.safetensors"
    assert place.loras == ["mine.safetensors"] and not standin.cdn.asked("*")


def test_the_same_bytes_in_another_folder_are_pointed_out(place, ink):
    (place.models / "vae" / "mine.safetensors").write_bytes(toy("ink", SIZE))
    place.desk.registry.scan()
    found = place.order(ink)
    assert found.state is State.FAILED and found.error == "download_have_elsewhere"
    assert "models/vae" in str(found.fault) and place.loras == []


def test_bytes_found_to_be_here_after_all_are_not_kept_twice(place, standin):
    (place.models / "loras" / "mine.safetensors").write_bytes(toy("plain"))
    place.desk.registry.scan()
    found = place.fetch(standin.civitai.add({"plain.safetensors": toy("plain")}, type="LORA", hashed=False))
    assert found.state is State.HAVE_IT and found.name == "mine.safetensors"
    assert place.loras == ["mine.safetensors"]


def test_another_file_of_that_name_is_left_alone(place, ink):
    (place.models / "loras" / "ink.safetensors").write_bytes(toy("someone else's"))
    done = place.fetch(ink)
    assert done.state is State.DONE and done.name == f"ink-{ink.version_id}.safetensors"
    assert (place.models / "loras" / "ink.safetensors").read_bytes() == toy("someone else's")


def test_two_files_of_one_name_do_not_share_a_part(place, standin):
    standin.cdn.fault("*", Fault(drip=(200_000, 0.01)))
    added = [standin.civitai.add({"same.safetensors": toy(salt, SIZE)}, type="LORA") for salt in ("one", "two")]
    downloads = [place.order(each) for each in added]
    names = {place.wait(each).name for each in downloads}
    assert len(names) == 2 and place.loras == sorted(names)
    for each, salt in zip(downloads, ("one", "two"), strict=True):
        assert place.desk.downloads.get(each.id).target.read_bytes() == toy(salt, SIZE)


def test_asking_twice_fetches_once(place, ink, standin):
    first, second = place.order(ink), place.order(ink)
    assert first.id == second.id
    place.wait(first)
    assert place.order(ink).state is State.DONE
    assert len(standin.cdn.asked("*")) == 1


def test_pause_resume_cancel(place, ink, standin):
    standin.cdn.fault("*", Fault(drip=(100_000, 0.05)))
    download = place.order(ink)
    wait_until(lambda: place.desk.downloads.get(download.id).done_bytes > 200_000)
    paused = place.desk.downloads.pause(download.id)
    assert paused.state is State.PAUSED
    wait_until(lambda: not any(worker.is_alive() for worker in place.desk.downloads._workers))
    kept = paused.part.stat().st_size
    assert kept > 200_000 and place.loras == ["ink.safetensors.part"]
    standin.cdn.heal()
    place.desk.downloads.resume(download.id)
    assert place.wait(download).state is State.DONE
    assert standin.cdn.asked("*")[-1].headers["range"] == f"bytes={kept}-"

    other = standin.civitai.add({"other.safetensors": toy("other", SIZE)}, type="LORA")
    standin.cdn.fault("*", Fault(drip=(100_000, 0.05)))
    download = place.order(other)
    wait_until(lambda: place.desk.downloads.get(download.id).done_bytes > 200_000)
    assert place.desk.downloads.cancel(download.id).state is State.CANCELLED
    wait_until(lambda: place.loras == ["ink.safetensors"])
    standin.cdn.heal()
    assert place.fetch(other).state is State.DONE, "a cancelled download can be asked for again"


def test_a_paused_download_that_is_cancelled_leaves_nothing(place, ink, standin):
    standin.cdn.fault("*", Fault(drip=(100_000, 0.05)))
    download = place.order(ink)
    wait_until(lambda: place.desk.downloads.get(download.id).done_bytes > 200_000)
    place.desk.downloads.pause(download.id)
    wait_until(lambda: not any(worker.is_alive() for worker in place.desk.downloads._workers))
    place.desk.downloads.cancel(download.id)
    assert place.loras == []


def test_who_stops_waiting_pauses(place, ink, standin):
    standin.cdn.fault("*", Fault(drip=(100_000, 0.05)))
    download = place.order(ink)
    with pytest.raises(Stopped):
        place.wait(download, stop=lambda: place.desk.downloads.get(download.id).done_bytes > 100_000)
    assert place.desk.downloads.get(download.id).state is State.PAUSED


def test_only_so_many_at_once(place, standin):
    standin.cdn.fault("*", Fault(drip=(300_000, 0.03)))
    added = [standin.civitai.add({f"n{number}.safetensors": toy(str(number), SIZE)}, type="LORA") for number in range(5)]
    most = 0
    downloads = [place.order(each) for each in added]
    while not all(place.desk.downloads.get(each.id).state.over for each in downloads):
        most = max(most, sum(each.state is State.RUNNING for each in place.desk.downloads.all()))
        time.sleep(0.01)
    assert most == 2 and len(place.loras) == 5


def test_a_failure_is_told_and_can_be_taken_up_again(place, ink, standin):
    standin.cdn.fault("*", Fault(cut_at=1_000_000), times=1)
    standin.cdn.fault("*", Fault(status=403, body=b"not available in your region"))
    standin.cdn.fault("*", Fault(cut_at=1_000_000), times=1)
    failed = place.fetch(ink)
    assert failed.state is State.FAILED and failed.error == "hub_region"
    assert "civitai" in failed.told("es")["message"] and failed.done_bytes == 1_000_000
    standin.cdn.heal()
    place.desk.downloads.resume(failed.id)
    assert place.wait(failed).state is State.DONE
    assert standin.cdn.asked("*")[-1].headers["range"] == "bytes=1000000-"


def test_an_unfinished_file_of_another_program_is_left_alone(place, ink):
    (place.models / "loras" / "ink.safetensors.part").write_bytes(b"half of something")
    failed = place.fetch(ink)
    assert failed.error == "download_part_foreign"
    assert (place.models / "loras" / "ink.safetensors.part").read_bytes() == b"half of something"


def test_pickles_need_a_word_of_their_own(place, standin):
    added = standin.civitai.add({"old.pt": b"\x80\x02" + bytes(5000)}, type="TextualInversion")
    with pytest.raises(BadRequest) as fault:
        place.order(added, kind=Kind.EMBEDDING)
    assert fault.value.code == "download_pickle"
    assert place.fetch(added, kind=Kind.EMBEDDING, allow_pickle=True).state is State.DONE


def test_an_event_for_every_change(place, ink):
    heard = []
    place.desk.downloads.listeners.append(heard.append)
    place.fetch(ink)
    assert [heard[0].state, heard[-1].state] == [State.WAITING, State.DONE]
    assert heard[-1].done_bytes == len(toy("ink", SIZE))


def test_nothing_told_holds_a_key_or_an_address(place, standin):
    place.desk.tokens.set("civitai", "civitai-key-1234")
    added = standin.civitai.add({"ink.safetensors": toy("ink", SIZE)}, type="LORA", gate="login")
    done = place.fetch(added)
    assert done.state is State.DONE
    assert standin.civitai.asked("/api/download/*")[-1].headers["authorization"] == "Bearer civitai-key-1234"
    assert all("authorization" not in asked.headers for asked in standin.cdn.asked("*"))
    told = json.dumps(done.told()) + repr(done) + (place.data / "downloads.sqlite").read_bytes().decode("latin-1")
    assert "civitai-key-1234" not in told and "Signature" not in told


def test_downloads_make_room_for_the_sampler(place, standin):
    place.busy = True
    start = time.monotonic()
    assert place.order(standin.civitai.add({"a.safetensors": toy("a", 12_000_000)}, type="LORA"))
    wait_until(lambda: "a.safetensors" in place.loras)
    slow = time.monotonic() - start
    start = time.monotonic()
    place.fetch(standin.civitai.add({"b.safetensors": toy("b", 12_000_000)}, type="LORA"))
    assert slow > 0.5 and time.monotonic() - start < slow, "what a prompt waits for is not slowed"


def test_consent_is_for_one_file(place, ink):
    ref = Ref.parse(ink.ref).of_file(str(ink.file_ids["ink.safetensors"]))
    assert not place.desk.is_allowed(ref)
    place.desk.downloads.ledger.consent(ref)
    assert place.desk.is_allowed(ref) and not place.desk.is_allowed(ref.of_file("99"))


def test_operators_list_what_workflows_may_fetch(standin, tmp_path):
    place = Place(standin, tmp_path, allowed=("civitai:257749@*", "huggingface:Comfy-Org/*"))
    assert place.desk.is_allowed(Ref("civitai", "257749", "1", "2"))
    assert place.desk.is_allowed(Ref("huggingface", "Comfy-Org/flux", "main", "a.safetensors"))
    assert not place.desk.is_allowed(Ref("civitai", "2577490", "1", "2"))


# --------------------------------------------------------------------------- restarts


def test_what_a_process_left_running_the_next_one_finishes(place, ink, standin):
    standin.cdn.fault("*", Fault(drip=(100_000, 0.05)))
    download = place.order(ink)
    wait_until(lambda: place.desk.downloads.get(download.id).done_bytes > 200_000)
    place.desk.close()
    standin.cdn.heal()
    place.desk = place.open()
    assert place.desk.downloads.get(download.id).state is State.WAITING
    place.desk.downloads.wake()
    assert place.wait(download).state is State.DONE
    assert "range" in standin.cdn.asked("*")[-1].headers


def test_a_file_placed_just_before_the_end_is_not_fetched_again(place, ink, standin):
    done = place.fetch(ink)
    place.desk.downloads.ledger.update(done.id, state=State.RUNNING)  # as a kill between placing and noting leaves it
    asked = len(standin.cdn.asked("*"))
    place.desk.downloads.wake()
    assert place.wait(done).state is State.DONE
    assert len(standin.cdn.asked("*")) == asked and place.loras == ["ink.safetensors"]


def test_two_processes_share_the_work(place, ink, standin):
    standin.cdn.fault("*", Fault(drip=(100_000, 0.02)))
    other = place.open()
    download = place.order(ink)
    other.downloads.wake()
    threads = [
        threading.Thread(target=desk.downloads.wait, args=(download.id, lambda: False, lambda _: None))
        for desk in (place.desk, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    other.close()
    assert len(standin.cdn.asked("*")) == 1
    assert place.desk.downloads.get(download.id).state is State.DONE


KILLED = """
import sys, importlib.util
from pathlib import Path
root, models, data, ref = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
spec = importlib.util.spec_from_file_location("pack", root / "__init__.py", submodule_search_locations=[str(root)])
module = importlib.util.module_from_spec(spec); sys.modules["pack"] = module; spec.loader.exec_module(module)
from pack.hub.desk import Desk
from pack.hub.registry import Registry
from pack.offers import Ref
from pack.plan import Kind
desk = Desk(data, Registry(data / "library.sqlite", {kind: [models / kind.value] for kind in Kind}))
offer = desk.describe(Ref.parse(ref))
print("begun", flush=True)
download = desk.order(offer, offer.files[0], Kind.LORA)
print(desk.downloads.wait(download.id, lambda: False, lambda download: None).state.value, flush=True)
"""


def test_killed_at_twenty_moments_it_goes_on_and_ends_right(standin, tmp_path):
    """Each process is killed at a random moment; ComfyUI's view of the folder is read meanwhile."""
    content = toy("killed", 40_000_000)
    added = standin.civitai.add({"killed.safetensors": content}, type="LORA")
    models, data = tmp_path / "models", tmp_path / "user"
    (models / "loras").mkdir(parents=True)
    standin.cdn.fault("*", Fault(drip=(1 << 17, 0.015)))
    command = [sys.executable, "-c", KILLED, str(ROOT), str(models), str(data), str(added.ref)]
    moments = random.Random(20)
    kills, largest, begun = 0, 0, 0
    while kills < 20:
        process = subprocess.Popen(command, env={**os.environ, **standin.environ()}, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "begun\n"
        time.sleep(moments.uniform(0.0, 0.25))
        if process.poll() is None and not (models / "loras" / "killed.safetensors").exists():
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        listed = [name for name in os.listdir(models / "loras") if name.endswith(".safetensors")]
        part = models / "loras" / "killed.safetensors.part"
        if not listed and part.exists():
            assert part.stat().st_size >= largest, "what was fetched is kept"
            largest = part.stat().st_size
            assert part.read_bytes() == content[:largest]
            begun = begun or (len(standin.cdn.asked("*")) if largest else 0)
        if listed:
            break
    assert kills == 20
    done = subprocess.run(
        command, env={**os.environ, **standin.environ()}, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] in ("done", "have_it")
    assert (models / "loras" / "killed.safetensors").read_bytes() == content
    assert os.listdir(models / "loras") == ["killed.safetensors"]
    assert begun and all("range" in asked.headers for asked in standin.cdn.asked("*")[begun:]), "it goes on, never over"


# --------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "hostile, safe",
    [
        ("../../etc/passwd.safetensors", "passwd.safetensors"),
        ("..\\..\\evil.safetensors", "evil.safetensors"),
        ("C:\\Windows\\system32\\x.safetensors", "x.safetensors"),
        ("C:x.safetensors", "C_x.safetensors"),
        ("a\0b.safetensors", "ab.safetensors"),
        ("CON.safetensors", "_CON.safetensors"),
        ("com1 .safetensors", "_com1.safetensors"),
        ("LPT9.old.safetensors", "_LPT9.old.safetensors"),
        (".hidden.safetensors", "hidden.safetensors"),
        ("--flag.safetensors", "_--flag.safetensors"),
        ("a<b>:c|d?e*.safetensors", "a_b__c_d_e_.safetensors"),
        ("ends with dots...safetensors", "ends with dots.safetensors"),
        ("tricked\u202etxt.safetensors", "trickedtxt.safetensors"),
        ("Tinta de Ñandú.safetensors", "Tinta de Ñandú.safetensors"),
        ("   .safetensors", "model.safetensors"),
        ("墨" * 300 + ".safetensors", "墨" * 62 + ".safetensors"),
        ("x" * 300 + ".safetensors", "x" * 188 + ".safetensors"),
    ],
)
def test_hostile_names_become_one_safe_component(hostile, safe, place, standin):
    assert safe_name(hostile) == safe
    done = place.fetch(standin.civitai.add({hostile: toy(hostile)}, type="LORA"))
    assert done.state is State.DONE
    assert place.loras == [done.name] and sorted(os.listdir(place.models.parent)) == ["models", "user"]


@pytest.mark.parametrize("name", ["run.exe", "model.safetensors.exe", "noending", "", "..", "x.py", "x.safetensors/"])
def test_names_that_are_no_models_are_refused(name):
    with pytest.raises(BadRequest) as fault:
        safe_name(name)
    assert fault.value.code == "download_not_a_model"
