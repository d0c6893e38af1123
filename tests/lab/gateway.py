"""A laboratory gateway that can be configured as a real one: its own /etc, sshd, FRR and reboots.

The gateway's namespace gets a private view of /etc, /run, /var/lib and /root, so that what is
pushed to it stays in it. `reboot` kills all that runs there, empties the kernel's memory and /run,
and starts again from the disk, the boot guard's units included, as systemd would order them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provision.session import Ran
from tests.lab.machine import LabError, environment, ip
from tests.lab.net import GATEWAY_LAN, Lab, Office
from tests.lab.rules import nat_table
from tests.support.clock_off import wrong_clock

PROGRAMS = ("sshd", "vtysh", "frr-reload.py", "conntrack", "unshare", "nsenter")
_FRR = "/usr/lib/frr"
_SSHD = """\
Port 22
HostKey /etc/ssh/lab_host_key
PermitRootLogin prohibit-password
AuthorizedKeysFile /etc/ssh/lab_authorized_keys
StrictModes no
UsePAM no
PidFile /run/sshd.pid
MaxStartups 50:30:100
"""
_FRR_CONF = """\
frr defaults traditional
hostname gateway
log syslog informational
service integrated-vtysh-config
!
ip route 10.77.0.0/24 Null0
!
"""
_BOOT_FRR = """\
mkdir -p /run/frr
chown frr:frr /run/frr
zebra -d -f /dev/null -P 0 >/dev/null
staticd -d -f /dev/null -P 0 >/dev/null
n=0
until vtysh -b >/dev/null 2>&1 || [ $n -gt 50 ]; do sleep 0.1; n=$((n + 1)); done
"""
_BOOT = f"""\
set -e
PATH=$PATH:/usr/sbin:/sbin:{_FRR}
unit() {{
    for link in /etc/systemd/system/*.wants/tabuah-deadman-"$1".service; do
        [ -e "$link" ] || continue
        eval "$(sed -n 's/^Environment=/export /p' "$link")"
        $(sed -n 's/^ExecStart=//p' "$link")
    done
}}
unit boot
nft flush ruleset
nft -f /etc/nftables.conf
[ ! -e /etc/sysctl.d/90-tabuah.conf ] || sysctl -q -p /etc/sysctl.d/90-tabuah.conf
sh /etc/lab-network
mkdir -p /run/sshd
{_BOOT_FRR}unit late
"""


@dataclass(frozen=True, slots=True)
class Key:
    """An administrator's key pair."""

    private: Path

    @property
    def public(self) -> str:
        """Return the public half."""
        return self.private.with_suffix(".pub").read_text()


def make_key(path: Path) -> Key:
    """Return a new key pair without a passphrase."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return Key(path)


class Inside:
    """A session on a gateway that needs no line: a shell in its namespace."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def run(self, command: str, stdin: str = "", limit_s: float = 30.0) -> Ran:
        """Return the ended command."""
        done = subprocess.run(
            self._gateway.inside("sh", "-c", command),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def put(self, path: str, text: str, limit_s: float = 30.0) -> str:
        """Refuse: the dialect of Linux sends nothing so."""
        raise AssertionError(path)

    def close(self) -> None:
        """Nothing is open."""


class Gateway:
    """One office's gateway; ends with the laboratory."""

    def __init__(self, lab: Lab, office: Office, key: Key, frr: bool = True) -> None:
        missing = [p for p in PROGRAMS if shutil.which(p, path=_path()) is None]
        if missing:
            raise LabError(f"a gateway needs {', '.join(missing)}; run `make test`")
        self.lab = lab
        self.office = office
        self._folder = lab.folder / f"gateway{office.number}"
        self._view: subprocess.Popen[bytes] | None = None
        self._mnt = Path()
        self._make_disk(key, _BOOT if frr else _BOOT.replace(_BOOT_FRR, ""))
        self._start()

    # What happens to it

    def run(self, command: str, check: bool = True) -> str:
        """Return what a shell command printed on the gateway; it needs no network."""
        done = subprocess.run(
            self.inside("sh", "-c", command),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**environment(), "PATH": _path()},
        )
        if check and done.returncode:
            raise LabError(f"{self.office.gateway}: {command}: {done.stderr or done.stdout}")
        return done.stdout

    def config(self) -> str:
        """Return all that it runs, as its own tools print it."""
        return self.run(
            "for i in wan0 lan0; do ip -o -4 address show dev $i | tr -s ' ' | cut -d ' ' -f 2-4;"
            " cat /sys/class/net/$i/mtu; done; ip -4 route; nft -s list ruleset;"
            " vtysh -c 'show running-config'; cat /proc/sys/net/ipv4/ip_forward"
            " /proc/sys/net/ipv4/conf/all/rp_filter; cat /etc/chrony/conf.d/tabuah.conf 2>&1;"
            " find /etc -name '*.tabuah-*'"
        )

    def kill_sessions(self) -> None:
        """Cut every SSH session, as a broken line would in time."""
        for pid in self._pids():
            if b"sshd: " in Path(f"/proc/{pid}/cmdline").read_bytes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def reboot(self) -> None:
        """Lose everything that is not on disk, and start from that."""
        snmpd = set(ip("netns", "pids", self.office.gateway).split()) - {
            str(pid) for pid in self._pids()
        }
        assert self._view is not None
        for _ in range(3):
            for pid in self._pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._view.wait()
        assert snmpd
        shutil.rmtree(self._folder / "run")
        (self._folder / "run").mkdir()
        for name in ("wan0", "lan0"):
            ip("-n", self.office.gateway, "address", "flush", "dev", name)
            ip("-n", self.office.gateway, "link", "set", name, "mtu", "1500")
        self._start()

    def write(self, path: str, text: str) -> None:
        """Put a file on its disk, for its owner alone."""
        place = self._folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(0o600)

    def set_clock(self, library: Path, seconds: int) -> None:
        """Have all that is run over SSH find its wall clock so far off (`tests.support`).

        Its uptime is the machine's: no program can set that.
        """
        said = " ".join(f"{k}={v}" for k, v in wrong_clock(library, seconds).items())
        config = self._folder / "etc" / "ssh" / "lab_sshd_config"
        config.write_text(f"{_SSHD}SetEnv {said}\n" if seconds else _SSHD)
        self.reboot()

    # How it is made

    def _make_disk(self, key: Key, boot: str) -> None:
        folder = self._folder
        folder.mkdir()
        shutil.copytree("/etc", folder / "etc", symlinks=True, ignore=_unreadable)
        for name in ("run", "lib", "root"):
            (folder / name).mkdir()
        etc = folder / "etc"
        for place in etc.glob("systemd/system/**/tabuah-*"):
            place.unlink()
        (etc / "ssh").mkdir(exist_ok=True)
        make_key(etc / "ssh" / "lab_host_key")
        (etc / "ssh" / "lab_authorized_keys").write_text(key.public)
        (etc / "ssh" / "lab_sshd_config").write_text(_SSHD)
        (etc / "frr").mkdir(exist_ok=True)
        (etc / "frr" / "frr.conf").write_text(_FRR_CONF)
        shutil.chown(etc / "frr" / "frr.conf", "frr", "frr")
        (etc / "nftables.conf").write_text(nat_table("wan0"))
        (etc / "lab-network").write_text(
            f"ip address replace {self.office.wan}/24 dev wan0\n"
            f"ip address replace {GATEWAY_LAN}/24 dev lan0\n"
            f"ip route replace default via {self.office.first_hop}\n"
        )
        (etc / "lab-boot").write_text(boot)

    def _start(self) -> None:
        binds = "".join(
            f"mount --bind {self._folder / name} {place}\n"
            for name, place in (
                *(("etc", "/etc"), ("lib", "/var/lib"), ("run", "/run")),
                # Whose shell's files are no gateway's, and may wait for each other.
                ("root", "/root"),
            )
        )
        sshd = shutil.which("sshd", path=_path())
        ready = self._folder / "run" / "lab-ready"
        program = (
            f"set -e\n{binds}sh /etc/lab-boot\n"
            f"touch /run/lab-ready\nexec {sshd} -D -e -f /etc/ssh/lab_sshd_config\n"
        )
        log = self._folder / "log"
        self._view = self.lab.popen(
            self.office.gateway, ["sh", "-c", program], log, {"PATH": _path()}
        )
        end = time.monotonic() + 20
        while not ready.exists():
            if self._view.poll() is not None or time.monotonic() > end:
                raise LabError(f"{self.office.gateway}: does not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _pids(self) -> list[int]:
        """Return the processes that share the gateway's view of its disk: all but snmpd."""
        assert self._view is not None
        try:
            ours = Path(f"/proc/{self._view.pid}/ns/mnt").readlink()
        except OSError:
            ours = self._mnt
        self._mnt = ours
        found = []
        for pid in ip("netns", "pids", self.office.gateway).split():
            with suppress(OSError):
                if Path(f"/proc/{pid}/ns/mnt").readlink() == ours:
                    found.append(int(pid))
        return found

    def inside(self, *argv: str) -> list[str]:
        """Return the command line that runs a program on the gateway."""
        assert self._view is not None
        return ["nsenter", "-t", str(self._view.pid), "-m", "-n", "--", *argv]


def _path() -> str:
    return f"{environment()['PATH']}:{_FRR}"


def _unreadable(folder: str, names: list[str]) -> list[str]:
    """Leave out what cannot be copied, and what is large and of no use here."""
    return [n for n in names if n in {"ssl", "chromium", "chromium.d", "fonts"}]
