"""A router that runs RouterOS 6 or 7, played: its configuration, flash, schedulers and reboots.

What is modelled, each by RouterOS' documentation or by what its users report, none by a device:

- Every change is on flash at once; a reboot keeps it. Files outside `flash/` are memory on small
  boards. A script is parsed whole before it runs; an import runs line by line and stops at the
  first error, and version 6 has no way to catch an error of syntax in it.
- `/system backup load` reboots, and brings back the scripts and schedulers that were there when it
  was saved: a backup that was taken after arming fires again at each boot.
- `start-time=startup` counts from the start of the console, 3 s after boot; with an interval it
  does not run at startup itself. Without `startup` the wall clock counts, which may jump.
- Names are unique; an entry that is gone answers 'no such item'; `remove` of nothing does nothing.
- A scheduler or script with a policy that its user has not is refused. From 7.17 on a device-mode
  can forbid schedulers. Version 7 hides secrets in an export unless told not to.
- An export of a menu has its sub-menus too, and leaves defaults out.
- A command on a channel tells no exit code (6) or always 0 (7): what went wrong is in its words.
"""

from __future__ import annotations

import copy
import ipaddress
import pickle
import re
import threading
from collections.abc import Callable, Generator, Mapping, MutableMapping
from dataclasses import dataclass, field

from provision.filters import ros_quoted
from tests.support.rsc import (
    Node,
    Op,
    RosError,
    RosSyntaxError,
    Running,
    Scope,
    Statement,
    Text,
    Time,
    to_time,
)

BOOT_S = 20.0
_STARTUP_S = 3.0
_STEP_S = 0.2
"""What one line of an import takes."""
POLICY = "local,telnet,ssh,ftp,reboot,read,write,policy,test,winbox,web,sniff,sensitive,api"
_LISTS = frozenset(
    (
        *("interface vlan", "interface pppoe-client", "interface wireguard", "interface bridge"),
        *("interface wireguard peers", "interface l2tp-client", "interface list"),
        *("interface list member", "interface lte apn", "ip address", "ip route", "ip pool"),
        *("ip firewall filter", "ip firewall nat", "ip firewall mangle", "ip firewall raw"),
        *("ip firewall address-list", "ip firewall connection", "ip dhcp-server"),
        *("ip dhcp-server network", "ip dhcp-client", "ip dns static", "queue simple"),
        *("queue tree", "queue type", "snmp community", "system logging"),
        *("system logging action", "system ntp client servers", "system script"),
        "system scheduler",
    )
)
_SETTINGS = frozenset(
    ("ip dns", "snmp", "system identity", "system note", "system ntp client", "system clock")
)
_NAMED = frozenset(("interface ethernet", "ip service"))
"""Their entries are there from the beginning, and are only set."""
_ONLY_7 = frozenset(
    ("interface wireguard", "interface wireguard peers", "system ntp client servers")
)
_DEFAULTS = {"disabled": "no", "distance": "1", "type": "internal"}
_SECRETS = ("password", "private-key", "secret", "authentication-password", "encryption-password")
_BARE = re.compile(r"[A-Za-z0-9_.,:/@+*!~<>;-]+")

Item = dict[str, str]


def _first() -> dict[str, list[Item]]:
    """Return the configuration of an office that works."""
    return {
        "interface ethernet": [
            {"default-name": "ether1", "name": "wan0"},
            {"default-name": "ether2", "name": "lan0"},
        ],
        "ip service": [{"name": name} for name in ("telnet", "ftp", "www", "ssh", "winbox")],
        "ip address": [
            {"address": "10.0.0.2/24", "interface": "wan0"},
            {"address": "192.168.1.1/24", "interface": "lan0"},
        ],
        "ip route": [{"dst-address": "0.0.0.0/0", "gateway": "10.0.0.1"}],
        "ip dns": [{"servers": "10.200.0.53", "allow-remote-requests": "yes"}],
        "ip firewall filter": [
            {"action": "accept", "chain": "input", "connection-state": "established,related"},
            {
                "action": "accept",
                "chain": "input",
                "dst-port": "22",
                "protocol": "tcp",
                "src-address": "10.200.0.0/24",
            },
            {"action": "drop", "chain": "input"},
        ],
        "snmp community": [{"name": "public", "default": "yes"}],
        "system logging": [{"topics": "info", "action": "memory", "default": "yes"}],
        "system identity": [{"name": "kubung"}],
    }


@dataclass
class _Job:
    when: float
    running: Running


@dataclass
class RouterOs:
    """One router. Time passes for it when `tick` is called."""

    clock: Callable[[], float]
    version: str = "7.15.3 (stable)"
    flash_room: int = 1_000_000
    small_board: bool = True
    schedulers: bool = True
    """What its device-mode allows."""
    policy: str = POLICY
    kept: dict[str, list[Item]] = field(default_factory=_first)
    """The configuration, as it is on flash."""
    files: MutableMapping[str, bytes] = field(default_factory=dict)
    reboots: int = 0
    on_reboot: Callable[[], None] = lambda: None
    wall_offset_s: float = 0.0
    """How far its wall clock has jumped."""
    backup_loads: bool = True
    """False: `backup load` fails, as with a file that flash has lost."""
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._jobs: list[_Job] = []
        self._booted = self.clock() - 3600
        self._up_from = self._booted
        self._ran: dict[str, float] = {}
        self._number = 0
        for items in self.kept.values():
            for item in items:
                item[".id"] = self._id()

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def up(self) -> bool:
        """Whether it is not just rebooting."""
        return self.clock() >= self._up_from

    def config(self) -> dict[str, list[Item]]:
        """Return its configuration, without what the dead-man keeps in it."""
        own = {"system script", "system scheduler"}
        return {
            menu: [{k: v for k, v in item.items() if k != ".id"} for item in items]
            for menu, items in sorted(self.kept.items())
            if menu not in own and items
        }

    # What happens to it

    def tick(self) -> None:
        """Do what is due by now."""
        with self._lock:
            if not self.up:
                return
            for item in list(self.kept.get("system scheduler", [])):
                if self._due(item):
                    self._spawn(item["on-event"])
            turn = 0
            while due := self._due_jobs():
                turn += 1
                assert turn < 1000, "a job runs in a circle"
                self._advance(due[0])

    def reboot(self) -> None:
        """Lose power, and come back after a while."""
        with self._lock:
            self.reboots += 1
            self._jobs.clear()
            self._ran.clear()
            self._up_from = self.clock() + BOOT_S
            self._booted = self._up_from
            if self.small_board:
                for name in [name for name in self.files if not name.startswith("flash/")]:
                    del self.files[name]
        self.on_reboot()

    # What SSH asks

    def execute(self, command: str) -> tuple[int | None, str]:
        """Run a command on a channel of its own."""
        with self._lock:
            if not self.up:
                return None, ""
            scope = self._scope()
            try:
                self._at_once(scope.run(command))
            except RosError as error:
                scope.printed.append(str(error))
            return (None if self.major == 6 else 0), "".join(f"{one}\r\n" for one in scope.printed)

    def greeting(self) -> str:
        return "\r\n  MikroTik RouterOS\r\n\r\n[admin@kubung] > "

    def typed(self, line: str) -> str:
        return self.execute(line)[1] + "[admin@kubung] > "

    # How it works

    def _at_once(self, running: Running) -> None:
        for _seconds in running:
            """Whoever asks waits; nothing else happens meanwhile."""

    def _scope(self) -> Scope:
        return Scope(self._command, self._spawn, catches_syntax=self.major >= 7)

    def _due_jobs(self) -> list[_Job]:
        now = self.clock()
        return sorted((j for j in self._jobs if j.when <= now), key=lambda job: job.when)

    def _spawn(self, text: str) -> None:
        self._jobs.append(_Job(self.clock(), self._scope().run(text)))

    def _advance(self, job: _Job) -> None:
        try:
            job.when += next(job.running)
        except StopIteration:
            self._end(job)
        except RosError as error:
            self.log.append(f"script error: {error}")
            self._end(job)

    def _end(self, job: _Job) -> None:
        if job in self._jobs:
            self._jobs.remove(job)

    def _due(self, item: Item) -> bool:
        """Return whether a scheduler is to run now, once for each of its moments."""
        if item.get("disabled") == "yes":
            return False
        interval = to_time(item.get("interval", "0s")).seconds
        now = self.clock()
        if item.get("start-time") == "startup":
            begin = self._booted + _STARTUP_S
        else:
            begin, now = float(item["started"]), now + self.wall_offset_s
        last = self._ran.get(item[".id"])
        if last is None:
            # What lay before it was added is over.
            last = self._ran[item[".id"]] = max(float(item["added"]), begin - 1)
        if interval:
            passed = int((now - begin) // interval)
            due = passed >= 1 and begin + passed * interval > last
        else:
            due = last < begin <= now
        if due:
            self._ran[item[".id"]] = now
        return due

    def _command(
        self, scope: Scope, one: Statement, plain: tuple[object, ...], named: Mapping[str, object]
    ) -> Running:
        *menu_words, verb = one.path
        menu = " ".join(menu_words)
        match menu, verb:
            case "", "import":
                yield from self._import(scope, str(named["file-name"]))
                return None
            case "system backup", "save":
                self._save(str(named["name"]))
                scope.printed.append("Configuration backup saved")
                return None
            case "system backup", "load":
                self._load(str(named["name"]))
                yield 1.0
                return None
            case "system script", "run":
                found = self._found("system script", plain[0])
                yield from Scope(self._command, self._spawn, catches_syntax=self.major >= 7).run(
                    found["source"]
                )
                return None
            case "system resource", "get":
                uptime = Time(int(self.clock() - self._booted))
                return uptime if plain[0] == "uptime" else self.version
            case "system device-mode", "print" if self._minor >= (7, 17):
                scope.printed.append(f"       mode: home\n  scheduler: {_yes(self.schedulers)}")
                return None
            case "file", _:
                return self._file(verb, one, plain)
        known = _LISTS | _SETTINGS | _NAMED
        if menu not in known or (menu in _ONLY_7 and self.major < 7):
            raise RosSyntaxError(f"bad command name {menu_words[-1]} (line 1 column 2)")
        return self._in_menu(scope, (menu, verb), one, plain, named)

    @property
    def _minor(self) -> tuple[int, int]:
        found = re.match(r"(\d+)\.(\d+)", self.version)
        assert found is not None
        return int(found[1]), int(found[2])

    def _in_menu(
        self,
        scope: Scope,
        which: tuple[str, str],
        one: Statement,
        plain: tuple[object, ...],
        named: Mapping[str, object],
    ) -> object:
        menu, verb = which
        items = self.kept.setdefault(menu, [])
        match verb:
            case "find":
                return [item[".id"] for item in items if _matches(item, one.where)]
            case "get":
                return self._found(menu, plain[0]).get(str(plain[1]), "")
            case "export":
                scope.printed += self._export(menu, [str(word) for word in plain])
            case "add" if menu in _LISTS:
                self._add(menu, {key: _text(value) for key, value in named.items()})
            case "set":
                values = {key: _text(value) for key, value in named.items()}
                self._valid(menu, values)
                self._target(menu, plain).update(values)
            case "remove":
                ids = plain[0] if isinstance(plain[0], list) else [plain[0]]
                for number in ids:
                    items.remove(self._found(menu, number))
            case _:
                raise RosSyntaxError(f"bad command name {verb} (line 1 column 2)")
        return None

    def _target(self, menu: str, plain: tuple[object, ...]) -> Item:
        items = self.kept.setdefault(menu, [])
        if menu in _SETTINGS:
            if not items:
                items.append({".id": self._id()})
            return items[0]
        return self._found(menu, plain[0])

    def _found(self, menu: str, number: object) -> Item:
        names = number if isinstance(number, list) else [number]
        for item in self.kept.get(menu, []):
            if item[".id"] in names or item.get("name") in names:
                return item
        raise RosError("no such item")

    def _add(self, menu: str, values: Item) -> None:
        self._valid(menu, values)
        items = self.kept.setdefault(menu, [])
        for key in ("name", "address") if menu == "ip address" else ("name",):
            if key in values and any(item.get(key) == values[key] for item in items):
                raise RosError(f"failure: already have such {key}")
        if menu in {"system script", "system scheduler"}:
            wider = set(values.get("policy", "").split(",")) - set(self.policy.split(",")) - {""}
            if wider:
                raise RosError("failure: not enough permissions for this policy")
        if menu == "system scheduler":
            if not self.schedulers and self._minor >= (7, 17):
                raise RosError("failure: not allowed by device-mode")
            values |= {
                "added": str(self.clock()),
                "started": str(self.clock() + self.wall_offset_s),
            }
        items.append({**values, ".id": self._id()})

    def _valid(self, menu: str, values: Item) -> None:
        for key in ("interface", "in-interface", "out-interface"):
            if key in values and values[key].lstrip("!") not in self._interfaces():
                raise RosError(f"input does not match any value of {key}")
        try:
            if menu == "ip address" and "address" in values:
                ipaddress.ip_interface(values["address"])
            if menu == "ip route" and "gateway" in values and "." in values["gateway"]:
                ipaddress.ip_address(values["gateway"])
        except ValueError as error:
            raise RosError("invalid value for argument address") from error
        if "comment" in values and len(values["comment"]) > 255:
            raise RosError("failure: comment too long")

    def _interfaces(self) -> set[str]:
        found = {"all", "lan", "wan"}
        for menu in self.kept:
            if menu.startswith("interface"):
                found |= {item["name"] for item in self.kept[menu] if "name" in item}
        return found

    def _export(self, menu: str, how: list[str]) -> list[str]:
        hidden = self.major >= 7 and "show-sensitive" not in how
        lines = [f"# nov/24/2026 13:00:00 by RouterOS {self.version.split()[0]}", "#"]
        for name in sorted(self.kept):
            if name != menu and not name.startswith(f"{menu} "):
                continue
            for item in self.kept[name]:
                if item.get("dynamic") == "yes" or item.get("default") == "yes":
                    continue
                said = {
                    key: value
                    for key, value in sorted(item.items())
                    if key not in {".id", "default-name", "dynamic", "added", "started"}
                    and _DEFAULTS.get(key) != value
                    and not (hidden and key in _SECRETS)
                }
                lines += self._exported(name, item, said)
        return lines

    def _exported(self, menu: str, item: Item, said: Item) -> list[str]:
        head = f"/{menu} "
        if menu in _SETTINGS:
            head += "set"
        elif menu == "interface ethernet":
            head += f"set [ find default-name={item['default-name']} ]"
            said = {key: value for key, value in said.items() if value != item["default-name"]}
        elif menu in _NAMED:
            head += f"set {said.pop('name')}"
        else:
            head += "add"
        words = "".join(
            f" {k}={v if _BARE.fullmatch(v) else ros_quoted(v)}" for k, v in said.items()
        )
        return [head + words] if words else []

    def _import(self, scope: Scope, path: str) -> Generator[float, None, None]:
        if path not in self.files:
            raise RosError("failure: no such file")
        for line in self.files[path].decode().splitlines():
            yield _STEP_S
            yield from scope.run(line)
        scope.printed.append("Script file loaded and executed successfully")

    def _save(self, name: str) -> None:
        made = pickle.dumps(self.kept)
        if len(made) + sum(map(len, self.files.values())) > self.flash_room:
            raise RosError("failure: not enough space on disk")
        self.files[f"{name}.backup"] = made

    def _load(self, path: str) -> None:
        if path not in self.files or not self.backup_loads:
            raise RosError("failure: cannot load backup file")
        self.kept = pickle.loads(self.files[path])
        self.reboot()

    def _file(self, verb: str, one: Statement, plain: tuple[object, ...]) -> object:
        known = [{"name": name, ".id": name} for name in (*self.files, *self._folders())]
        if verb == "find":
            return [item[".id"] for item in known if _matches(item, one.where)]
        if verb == "remove":
            self.files.pop(str(plain[0]), None)
            return None
        raise RosSyntaxError(f"bad command name {verb} (line 1 column 2)")

    def _folders(self) -> tuple[str, ...]:
        return ("flash",) if self.small_board else ()

    def _id(self) -> str:
        self._number += 1
        return f"*{self._number:X}"

    def copy_of(self) -> dict[str, list[Item]]:
        """Return all that is on flash."""
        return copy.deepcopy(self.kept)


def _matches(item: Mapping[str, str], where: tuple[Node, ...]) -> bool:
    return all(_holds(item, node) for node in where)


def _holds(item: Mapping[str, str], node: Node) -> bool:
    assert isinstance(node, Op), node
    if node.sign in {"and", "or"}:
        both = _holds(item, node.left), _holds(item, node.right)
        return all(both) if node.sign == "and" else any(both)
    assert isinstance(node.left, Text)
    assert isinstance(node.right, Text)
    said, wanted = item.get(str(node.left.value), "no"), str(node.right.value)
    return re.search(wanted, said) is not None if node.sign == "~" else said == wanted


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
