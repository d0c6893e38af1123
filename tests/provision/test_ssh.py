"""Real sshd on loopback: whom we trust, and what is wrong said by its name."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from provision import ssh
from provision.session import OutOfReachError, RefusedError
from provision.ssh import HostKeyError, Place
from tests.lab.machine import search_path

pytestmark = pytest.mark.peer


def _key(path: Path) -> Path:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sshd:
    """One that knows one key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.key = _key(folder / "id")
        (folder / "keys").write_text(self.key.with_suffix(".pub").read_text())
        self.place = Place("127.0.0.1", "root", self.port, self.key)
        self.start()

    def start(self) -> None:
        """Start it with a host key that it has not had before."""
        for old in self.folder.glob("host*"):
            old.unlink()
        (self.folder / "sshd").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {_key(self.folder / 'host')}\n"
            f"AuthorizedKeysFile {self.folder / 'keys'}\nStrictModes no\nUsePAM no\nPidFile none\n"
        )
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # its package makes it at boot alone
        program = shutil.which("sshd", path=search_path())
        assert program is not None, "sshd is missing; run `make test`"
        argv = [program, "-D", "-e", "-f", str(self.folder / "sshd")]
        self.process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("sshd does not listen")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


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
    stranger = Place("127.0.0.1", "root", sshd.port, _key(tmp_path / "stranger"))
    with pytest.raises(RefusedError, match="does not let us in"):
        ssh.connect(stranger, known)
    nobody = Place("127.0.0.1", "root", _free_port(), sshd.key, password="sandi-lewat")
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
