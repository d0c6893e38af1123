"""Pushes to real gateways: a good one is kept, a bad one undoes itself, whoever is killed."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from provision.configuration import Scope
from provision.linux.gateway import LinuxGateway
from provision.session import RefusedError
from provision.shell import script
from provision.states import Marker
from tests.lab.gateway import Inside
from tests.lab.machine import LabError, stop
from tests.lab.managed import OLD_SECRETS, SECRETS, WINDOW_S, Managed
from tests.lab.net import Lab

pytestmark = [pytest.mark.lab, pytest.mark.peer, pytest.mark.timeout(240)]


OLD_FILES = {
    "/etc/ppp/peers/telkom": f'user "lama"\npassword "{OLD_SECRETS["ppp"]}"\n',
    "/etc/wireguard/wg0.conf": f"[Interface]\nPrivateKey = {OLD_SECRETS['wg']}\n",
    "/etc/snmp/snmpd.conf.d/tabuah.conf": (
        f'createUser lama SHA "{OLD_SECRETS["snmp-auth"]}" AES "{OLD_SECRETS["snmp-priv"]}"\n'
    ),
}
"""What the gateways had before anybody pushed."""


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    folder = tmp_path_factory.mktemp("managed")
    try:
        with Lab(3, folder) as lab, Managed(lab, folder) as running:
            for office in lab.offices:
                running.await_live(office, 40)
                for path, text in OLD_FILES.items():
                    running.gateways[office].write(path, text)
            yield running
    except LabError as error:
        pytest.fail(str(error))


def _arguments() -> set[bytes]:
    """Return what all processes were started with: anyone on a machine can read that."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.add(place.read_bytes())
    return found


def test_a_good_push_is_confirmed_and_a_bad_one_undone_with_nobody_left_at_the_centre(
    managed: Managed,
) -> None:
    """All at once; when the good one is confirmed, everything at the centre is killed."""
    good, uplink, locked = managed.lab.offices
    bad = (uplink, locked)
    before = {office: managed.gateways[office].config() for office in bad}
    plans = managed.plans(
        {
            good: {"ntp": ["10.200.0.1", "10.200.0.9"]},
            uplink: {"addresses": {"wan0": ["10.201.2.9/24"], "lan0": ["192.168.1.1/24"]}},
            locked: {"extra_input": ["ip saddr 10.200.0.0/16 tcp dport 22 drop"]},
        }
    )
    logs = {office: managed.folder / f"push-{office.number}.log" for office in plans}
    pushes = {office: managed.push(plan, logs[office]) for office, plan in plans.items()}
    seen: set[bytes] = set()
    try:
        while pushes[good].poll() is None:
            seen |= _arguments()
            time.sleep(0.2)
        assert pushes[good].wait() == 0, logs[good].read_text()
        assert "10.200.0.9" in managed.gateways[good].config()
    finally:
        for office in bad:
            stop(pushes[office], signal.SIGKILL)
    managed.kill_collector()
    for office in bad:
        assert "verifying" in logs[office].read_text(), logs[office].read_text()
        managed.until(
            WINDOW_S + 10,
            lambda office=office: managed.gateways[office].config() == before[office],  # type: ignore[misc]
            lambda office=office: managed.gateways[office].config(),  # type: ignore[misc]
        )
    managed.start_collector()
    for office in bad:
        managed.await_live(office, 20)
    managed.config("resume")
    for office in bad:
        assert managed.gateways[office].config() == before[office]
    assert any(b"deadman" in words for words in seen)
    assert not [secret for secret in SECRETS.values() if any(secret.encode() in w for w in seen)]
    known = managed.states()
    assert known == {
        managed.codes[good]: "confirmed",
        managed.codes[uplink]: "rolled_back",
        managed.codes[locked]: "rolled_back",
    }


def test_a_confirmed_change_outlives_a_reboot_and_drift_from_it_is_seen(managed: Managed) -> None:
    good = managed.lab.offices[0]
    kept = managed.gateways[good].config()
    managed.gateways[good].reboot()
    assert managed.gateways[good].config() == kept
    managed.gateways[good].run("nft add rule inet tabuah forward counter drop")
    drifted = managed.config("drift", managed.codes[good], check=False)
    assert drifted.returncode == 1
    assert "drop" in drifted.stdout
    barred = managed.config("plan", managed.codes[good], check=False)
    assert barred.returncode == 1
    assert "changed by another hand since it was confirmed (nftables)" in barred.stdout
    assert "13.02.10/gateway/frr" in managed.config("backup", managed.codes[good]).stdout


def test_drift_is_settled_by_putting_it_back_or_by_accepting_it(managed: Managed) -> None:
    good = managed.lab.offices[0]
    code, gateway = managed.codes[good], managed.gateways[good]
    plan = managed.folder / "plan-back.json"
    managed.config("drift", code, "--restore", str(plan))
    push = managed.push(plan, managed.folder / "push-back.log")
    assert push.wait(60) == 0, (managed.folder / "push-back.log").read_text()
    assert managed.config("drift", code).stdout == ""
    gateway.run("nft add rule inet tabuah forward counter drop")
    because = ("--because", "the provider asked for it")
    assert "drop" in managed.config("drift", code, "--accept", *because).stdout
    assert managed.config("drift", code).stdout == ""
    planned = managed.config("plan", code)
    assert "-\t\tcounter" in planned.stdout
    assert "another hand" not in planned.stdout


def test_no_secret_is_in_anything_that_a_push_says_writes_or_starts(managed: Managed) -> None:
    """They are on the gateway, for its owner alone, and in the folder of the inventory."""
    office = managed.lab.offices[0]
    code, gateway = managed.codes[office], managed.gateways[office]
    secrets = [*SECRETS.values(), *OLD_SECRETS.values()]
    assert SECRETS["ppp"] in gateway.run("cat /etc/ppp/peers/telkom")
    assert SECRETS["snmp-priv"] in gateway.run("cat /etc/snmp/snmpd.conf.d/tabuah.conf")
    assert gateway.run("stat -c %a /etc/ppp/peers/telkom").strip() == "600"
    assert gateway.run("find /var/lib/tabuah-deadman -type f -perm /077") == ""
    # Another hand changes a secret; then all that can be said of it is said.
    gateway.run(f"sed -i 's/{SECRETS['ppp']}/{OLD_SECRETS['ppp']}/' /etc/ppp/peers/telkom")
    plan, tx = managed.folder / "plan-secret.json", managed.last_id(office)
    with Arguments(secrets) as arguments:
        said = [
            managed.config(*words, check=False)
            for words in (
                ("plan", code, "--over-drift", "--out", str(plan)),
                ("plan", code, "-o", "json"),
                ("drift", code),
                ("drift", code, "-o", "json"),
                ("backup", code),
                ("show", tx),
                ("show", tx, "-o", "json"),
                ("history", "-o", "json"),
                ("status", "-o", "json"),
            )
        ]
        push = managed.push(plan, managed.folder / "push-secret.log")
        assert push.wait(60) == 0, (managed.folder / "push-secret.log").read_text()
        said.append(managed.config("backup", code))
    assert arguments.seen["deadman"] > 3
    assert arguments.found == set()
    assert SECRETS["ppp"] in gateway.run("cat /etc/ppp/peers/telkom")
    words = [one.stdout + one.stderr for one in said]
    assert "rahasia:" in words[0]
    assert "rahasia:" in words[2]
    repository = str(managed.data / "provision" / "backup")
    for argv in (("log", "-p", "--all"), ("cat-file", "--batch-all-objects", "--batch")):
        done = subprocess.run(
            ["git", "-C", repository, *argv], capture_output=True, check=True, timeout=30
        )
        words.append(done.stdout.decode(errors="replace"))
        assert "rahasia:" in words[-1]
    assert not [secret for secret in secrets if any(secret in one for one in words)]
    left = [path for path in managed.data.rglob("*") if path.is_file()]
    left += [*managed.folder.glob("plan-*"), *managed.folder.glob("*.log")]
    names = {path.name for path in left}
    assert {"journal.db", "plan-secret.json", "push-secret.log", "collector.log"} <= names
    assert any(path.parent.name == "transcripts" for path in left)
    for path in left:
        octets = path.read_bytes()
        assert not [s for s in secrets if s.encode() in octets], path
        if path.is_relative_to(managed.data / "provision") and ".git" not in path.parts:
            assert not path.stat().st_mode & 0o077 or "backup" in path.parts, path


class Arguments:
    """Looks, while its block lasts, for secrets in what processes were started with."""

    def __init__(self, secrets: list[str]) -> None:
        self.found: set[str] = set()
        self.seen: Counter[str] = Counter()
        self._secrets = secrets
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            for words in _arguments():
                self.seen["deadman"] += b"deadman" in words
                self.found |= {s for s in self._secrets if s.encode() in words}


_RACES = 40
_RACE = """
cd /var/lib && mkdir race && cd race
export TABUAH_DEADMAN=/var/lib/race
n=0
while [ $n -lt {races} ]; do
    d=tx-$n; mkdir -p $d/pre/files
    for name in interfaces keys files.list log armed; do : >$d/$name; done
    echo ok >$d/applied; echo yes >$d/restored.yes; echo no >$d/restored.no; : >$d/saved
    sh {script} confirm $n >/dev/null 2>&1 &
    sh {script} fire $n >/dev/null 2>&1 &
    wait
    ls $d | grep -c -x -e confirmed -e fired
    ls $d | grep -x -e confirmed -e fired
    n=$((n + 1))
done
"""


def test_of_two_who_are_quick_one_wins_never_both_and_never_neither(managed: Managed) -> None:
    whole = managed.folder / "deadman.sh"
    whole.write_text(script("linux"))
    gateway = managed.gateways[managed.lab.offices[0]]
    said = gateway.run(_RACE.format(script=whole, races=_RACES)).split()
    assert said[::2] == ["1"] * _RACES
    assert set(said[1::2]) <= {"confirmed", "fired"}


def test_a_full_disk_refuses_the_arming_or_does_not_hinder_the_undoing(managed: Managed) -> None:
    gateway = managed.gateways[managed.lab.offices[2]]
    session, linux = Inside(gateway), LinuxGateway()
    scope = Scope(interfaces=("wan0", "lan0"), nftables=True, frr=True)
    runs, before = linux.read(session, scope), gateway.config()
    wanted = {**runs, "ip": runs["ip"].replace("192.168.1.1/24", "192.168.1.3/24")}
    folder = "/var/lib/tabuah-deadman"
    for size, armed in (("60k", False), ("200k", True)):
        gateway.run(f"mkdir -p {folder} && mount -t tmpfs -o size={size} tmpfs {folder}")
        try:
            if not armed:
                with pytest.raises(RefusedError, match="the device refuses 'arm'"):
                    linux.arm(session, "full", 60, scope, wanted)
                assert linux.ask(session, "full").marker is Marker.NONE
                continue
            linux.arm(session, "full", 60, scope, wanted)
            gateway.run(f"dd if=/dev/zero of={folder}/fill bs=1k 2>/dev/null; true")
            linux.apply(session, "full")
            managed.until(20, lambda: linux.ask(session, "full").applied is True, "the change")
            assert gateway.config() != before
            linux.roll_back(session, "full")
            managed.until(20, lambda: linux.ask(session, "full").restored is True, "the undoing")
        finally:
            gateway.run(f"umount -l {folder}")
            assert gateway.config() == before
