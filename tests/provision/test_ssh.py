"""Real sshd on loopback: whom we trust, and what is wrong said by its name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from provision import ssh
from provision.session import OutOfReachError, RefusedError
from provision.ssh import HostKeyError, Place
from tests.support.sshd import Sshd, free_port, new_key

pytestmark = pytest.mark.peer


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    assert os.geteuid() == 0, "it logs in as root; or run `make check`"
    made = Sshd(tmp_path)
    yield made
    made.stop()


def test_an_unknown_host_is_refused_a_pinned_one_spoken_to_and_a_changed_one_called_so(
    sshd: Sshd, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    with pytest.raises(HostKeyError, match="is not known yet; compare it"):
        ssh.connect(sshd.place, known)
    key = ssh.offered_key(sshd.place, known)
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(sshd.folder / "host.pub")], capture_output=True, check=True
    )
    assert key.fingerprint in listed.stdout.decode()
    ssh.pin(sshd.place, key, known)
    assert known.stat().st_mode & 0o077 == 0
    with closing(ssh.connect(sshd.place, known)) as session:
        ran = session.run("cat; echo said >&2; exit 3", "a\nb")
        assert (ran.code, ran.out, ran.err) == (3, "a\nb", "said\n")
        with pytest.raises(OutOfReachError, match="the session broke"):
            session.run("sleep 5", limit_s=0.3)
    sshd.stop()
    sshd.start()
    with pytest.raises(HostKeyError, match="its host key has changed"):
        ssh.connect(sshd.place, known)


def test_what_is_wrong_is_said_by_its_name_and_never_a_password(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    ssh.pin(sshd.place, ssh.offered_key(sshd.place, known), known)
    stranger = Place("127.0.0.1", "root", sshd.port, new_key(tmp_path / "stranger"))
    with pytest.raises(RefusedError, match="does not let us in"):
        ssh.connect(stranger, known)
    nobody = Place("127.0.0.1", "root", free_port(), sshd.key, password="sandi-lewat")
    with pytest.raises(OutOfReachError, match="cannot be reached") as raised:
        ssh.connect(nobody, known)
    assert "sandi-lewat" not in str(raised.value) + repr(nobody)


def test_a_device_behind_a_jump_host_is_reached_through_it(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    place = Place("127.0.0.1", "root", sshd.port, sshd.key, jump=sshd.place)
    ssh.pin(sshd.place, ssh.offered_key(sshd.place, known), known)
    assert ssh.offered_key(place, known) == ssh.offered_key(sshd.place, known)
    with closing(ssh.connect(place, known)) as session:
        assert session.run("echo $SSH_CLIENT").out.startswith("127.0.0.1")
