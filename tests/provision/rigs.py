"""Gateways of each dialect that a push can be tried on, all with the same handles.

What a test does to them it does by these handles, so that one story is told of every dialect.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from provision import ssh
from provision.configuration import Scope, Sections
from provision.dialect import Armed, Dialect, Login, Said
from provision.lint import Finding, Needs
from provision.routeros.gateway import RouterOs as RouterOsDialect
from provision.session import OutOfReachError, Ran, Session
from tests.provision.fake import BEFORE, WANTED, Clock, FakeDevice, KilledError, NoSession
from tests.provision.openwrt_rig import OpenWrtRig
from tests.support.routeros import RouterOs
from tests.support.ssh_server import SshServer

T = TypeVar("T")


class Rig(Protocol):
    """One gateway."""

    clock: Clock
    dialect: Dialect
    window_s: int
    scope: Scope
    before: Sections
    """What it runs, as it prints it."""
    good: Sections
    """A change by which the office stays as well as it was."""
    bad: Sections
    """One that is applied, and cuts the office off or harms it."""
    refused: Sections
    """One that stops half-way."""

    def connect(self) -> Session: ...

    def runs(self) -> object:
        """Return all that the gateway runs, read behind everybody's back."""
        ...

    def well(self) -> bool:
        """Return whether the office behind it is well."""
        ...

    def changed(self) -> bool:
        """Return whether the change was begun."""
        ...

    def drift(self) -> None:
        """Have another hand change something."""
        ...

    def break_restoring(self) -> None: ...

    def mend(self) -> None:
        """Let restoring work again."""
        ...

    def reboot(self) -> None: ...

    def close(self) -> None: ...


class FakeRig:
    """The gateway in memory."""

    window_s = 60
    scope = Scope()

    def __init__(self, _folder: Path) -> None:
        self.before: Sections = BEFORE
        self.good: Sections = WANTED
        self.bad: Sections = {"ip": "address wan0 10.0.0.66/24\n"}
        self.refused: Sections = {"ip": "address wan0 lima/24\n"}
        self.clock = Clock()
        self.device = FakeDevice(self.clock, refuses=self.refused)
        self.dialect: Dialect = self.device

    def connect(self) -> Session:
        return NoSession()

    def runs(self) -> object:
        return dict(self.device.running)

    def well(self) -> bool:
        return self.device.running != self.bad

    def changed(self) -> bool:
        return self.device.applied is not None

    def drift(self) -> None:
        self.device.running = {"ip": "address wan0 10.0.0.7/24\n"}

    def break_restoring(self) -> None:
        self.device.restores = False

    def mend(self) -> None:
        self.device.restores = True

    def reboot(self) -> None:
        self.device.fire()

    def close(self) -> None:
        """Nothing is open."""


_ADDRESS = "add address=10.0.0.2/24 interface=wan0\nadd address=192.168.1.1/24 interface=lan0\n"
_DNS = "set allow-remote-requests=yes servers=10.200.0.53\n"


class RouterOsRig:
    """A played router over real SSH; its time is the clock's."""

    window_s = 60
    scope = Scope(sections=("ros/ip/address", "ros/ip/dns", "ros/ip/firewall/filter"))

    def __init__(self, folder: Path, version: str, *, over_ssh: bool = True) -> None:
        self.clock = Clock()
        self.router = RouterOs(self.clock, version)
        self.clock.ticks.append(self.router.tick)
        self.dialect: Dialect = RouterOsDialect(self.router.major)
        self.server = SshServer(folder, self.router) if over_ssh else None
        self.router.on_reboot = self._cut
        self.before: Sections = self.dialect.read(Direct(self.router), self.scope)
        self.good: Sections = {
            **self.before,
            "ros/ip/dns": _DNS.replace("0.53", "0.53,10.200.0.54"),
        }
        self.bad: Sections = {
            **self.before,
            "ros/ip/address": _ADDRESS.replace("10.0.0.2", "10.0.0.66"),
        }
        self.refused: Sections = {
            **self.good,
            "ros/ip/firewall/filter": self.before["ros/ip/firewall/filter"]
            + "add action=drop chain=forward in-interface=wan9\n",
        }

    def connect(self) -> Session:
        if not self.router.up or not self.reachable():
            raise OutOfReachError("no route to host")
        if self.server is None:
            return Direct(self.router)
        return ssh.connect(self.server.place, self.server.known_hosts, login=self.dialect.login)

    def runs(self) -> object:
        return self.router.config()

    def reachable(self) -> bool:
        """Return whether SSH gets in: a session that is open lives on."""
        rules = self.router.kept["ip firewall filter"]
        locked = next((r for r in rules if r.get("dst-port") == "22"), {"action": "drop"})
        return self._address("wan0") == "10.0.0.2/24" and locked["action"] == "accept"

    def well(self) -> bool:
        kept = self.router.kept
        dropped = any(
            r["chain"] == "forward" and r["action"] == "drop"
            for r in _on(kept, "ip firewall filter")
        )
        return (
            self.router.up
            and self._address("wan0") == "10.0.0.2/24"
            and self._address("lan0") == "192.168.1.1/24"
            and any(r.get("gateway") == "10.0.0.1" for r in _on(kept, "ip route"))
            and "10.200.0.53" in kept["ip dns"][0]["servers"].split(",")
            and not dropped
        )

    def changed(self) -> bool:
        names = {item["name"] for item in self.router.kept.get("system script", [])}
        return any(name.endswith(("-applied", "-failed")) for name in names)

    def drift(self) -> None:
        self.router.kept["ip dns"][0]["servers"] = "8.8.8.8"

    def break_restoring(self) -> None:
        self.router.backup_loads = False

    def mend(self) -> None:
        self.router.backup_loads = True

    def reboot(self) -> None:
        self.router.reboot()

    def close(self) -> None:
        if self.server is not None:
            self.server.close()

    def _cut(self) -> None:
        if self.server is not None:
            self.server.cut()

    def _address(self, interface: str) -> str:
        found = [i for i in self.router.kept["ip address"] if i["interface"] == interface]
        return found[0]["address"] if len(found) == 1 else ""


def _on(kept: dict[str, list[dict[str, str]]], menu: str) -> list[dict[str, str]]:
    return [item for item in kept.get(menu, []) if item.get("disabled") != "yes"]


class Direct:
    """A session without a line: for stories that are told many times over."""

    def __init__(self, router: RouterOs) -> None:
        self._router = router

    def run(self, command: str, stdin: str = "", limit_s: float = 30.0) -> Ran:
        if not self._router.up:
            raise OutOfReachError("it reboots")
        code, out = self._router.execute(command)
        return Ran(code or 0, out, "")

    def put(self, path: str, text: str, limit_s: float = 30.0) -> str:
        self._router.files[path] = text.encode()
        return text

    def close(self) -> None:
        """Nothing is open."""


class Breaking:
    """A dialect whose calls may be cut, or the pusher killed, before or after they are done."""

    def __init__(self, dialect: Dialect, breaks: Callable[[], str]) -> None:
        self._dialect = dialect
        self.breaks = breaks
        """Asked at each call: '' goes well; 'before', 'after', 'kill', 'kill after'."""
        self.armed = self.started = 0

    @property
    def name(self) -> str:
        return self._dialect.name

    @property
    def login(self) -> Login:
        return self._dialect.login

    def read(self, session: Session, scope: Scope) -> Sections:
        return self._call(lambda: self._dialect.read(session, scope))

    def prepare(self, session: Session, wanted: Sections, running: Sections) -> Sections:
        return self._dialect.prepare(session, wanted, running)

    def lint(self, before: Sections, wanted: Sections, needs: Needs) -> list[Finding]:
        return self._dialect.lint(before, wanted, needs)

    def lacks(self, session: Session) -> str:
        return self._dialect.lacks(session)

    def arm(
        self, session: Session, tx: str, window_s: int, scope: Scope, wanted: Sections
    ) -> Armed:
        def act() -> Armed:
            self.armed += 1
            return self._dialect.arm(session, tx, window_s, scope, wanted)

        return self._call(act)

    def apply(self, session: Session, tx: str) -> None:
        def act() -> None:
            self.started += 1
            self._dialect.apply(session, tx)

        self._call(act)

    def ask(self, session: Session, tx: str) -> Said:
        return self._call(lambda: self._dialect.ask(session, tx))

    def confirm(self, session: Session, tx: str) -> Said:
        return self._call(lambda: self._dialect.confirm(session, tx))

    def roll_back(self, session: Session, tx: str) -> None:
        self._call(lambda: self._dialect.roll_back(session, tx))

    def release(self, session: Session, tx: str) -> None:
        self._call(lambda: self._dialect.release(session, tx))

    def _call(self, act: Callable[[], T]) -> T:
        how = self.breaks()
        if how == "kill":
            raise KilledError
        if how == "before":
            raise OutOfReachError("the line is cut")
        made = act()
        if how == "after":
            raise OutOfReachError("the line is cut")
        if how == "kill after":
            raise KilledError
        return made


def make(kind: str, folder: Path) -> Rig:
    """Return the rig of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    match kind:
        case "memory":
            return FakeRig(folder)
        case "openwrt":
            return OpenWrtRig(folder)
        case "openwrt in ash":
            return OpenWrtRig(folder, "ash")
        case "routeros6":
            return RouterOsRig(folder, "6.49.10 (long-term)", over_ssh=False)
        case "routeros6 over SSH":
            return RouterOsRig(folder, "6.49.10 (long-term)")
        case "routeros7":
            return RouterOsRig(folder, "7.18.2 (stable)", over_ssh=False)
        case "routeros7 over SSH":
            return RouterOsRig(folder, "7.18.2 (stable)")
        case _:
            raise AssertionError(kind)


_TOLD_ALL = os.environ.get("TABUAH_STORIES") == "all"
_SLOW = ("openwrt", "routeros7 over SSH")
KINDS = ("memory", "routeros6", "routeros7", *(_SLOW if _TOLD_ALL else ()))
"""Those on which every story is told; the slow ones where TABUAH_STORIES=all asks for it."""
EVERY = ("memory", "routeros6", "routeros7", *_SLOW)
"""Those on which the chief stories are told each time."""
