"""Offices whose gateways are configured by `tabuah config`: collector, agents, sshd and FRR, real.

A gateway is entered at an address of its own (`10.99.N.1`), as over a management VPN, that is
reached through the office's line: what cuts the line cuts the way in.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab.gateway import Gateway, Key, make_key
from tests.lab.inside import Inside
from tests.lab.machine import LabError, environment, ip, stop
from tests.lab.net import ANCHOR, CENTRE, COMMUNITY, GATEWAY_LAN, REPORT_PORT, Lab, Office
from tests.lab.said import ReportSaid, reports_said

WINDOW_S = 30
WEB = "http://127.0.0.1:8080"
TABUAH = (sys.executable, "-m", "tabuah")

AT_ONCE = 4
"""Gateways that start together, and their agents: more of them starve a small machine."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the offices live."""

    interval_s: int = 2
    window_s: int = WINDOW_S
    soak_s: int = 5
    frr: bool = True
    """Whether the gateways run FRR; three processes more on each."""


_SITE = """\
  - code: "{code}"
    name: Kantor {number}
    interval: {interval}s
    circuits: [{{id: telkom, role: primary, provider: Telkom, technology: fibre}}]
    probes:
      - {{name: router, ping: {lan}, role: gateway, every: {interval}s, timeout: 1s}}
      - {{name: dc, udp: "{centre}:10862", role: centre, count: 3, every: {interval}s, timeout: 1s}}
      - {{name: anchor, ping: {anchor}, role: public, count: 3, every: {interval}s, timeout: 1s}}
      - {{name: resolver, dns: {{server: {centre}, name: siak.example}}, role: public, every: {interval}s, timeout: 1s}}
      - {{name: page, http: "http://{centre}:8000/page", role: public, every: {interval}s, timeout: 1s}}
    devices:
      - {{name: router, host: {lan}, platform: linux, role: gateway, interfaces: [wan0, lan0], snmp: {{version: 2c, community: "file:community"}}}}
      - name: gateway
        host: {managed}
        platform: linux
        role: gateway
        interfaces: [wan0, lan0]
        login: {{user: root, key: "file:id"}}
"""  # noqa: E501 - lines of YAML


SECRETS = {
    "wg": "aW5pLWt1bmNpLXJhaGFzaWE=",
    "ppp": "sandi-telkom-sangat-rahasia",
    "snmp-auth": "kata-kunci-autentikasi",
    "snmp-priv": "kata-kunci-enkripsi",
}
"""Those that are pushed, by the names of their files."""
OLD_SECRETS = {
    "wg": "a3VuY2ktbGFtYS1kaS1nYXRld2F5",
    "ppp": "sandi-lama-di-gateway",
    "snmp-auth": "autentikasi-yang-lama",
    "snmp-priv": "enkripsi-yang-lama",
}
"""Those that the gateways had before anybody pushed; no template knows them."""

_TOWN = """
import http.server, socket, threading
names = socket.socket(type=socket.SOCK_DGRAM)
names.bind(("", 53))
def answer():
    while True:
        asked, who = names.recvfrom(512)
        reply = asked[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + asked[12:]
        names.sendto(reply + b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\n\\xc8\\0\\1", who)
threading.Thread(target=answer, daemon=True).start()
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "20000")
        self.end_headers()
        self.wfile.write(b"x" * 20000)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("", 8000), Page).serve_forever()
"""
"""A resolver, and a page that is larger than any packet."""


class Managed:
    """The running centre and offices; everything ends with the laboratory."""

    def __init__(self, lab: Lab, folder: Path, pace: Pace | None = None) -> None:
        self.lab = lab
        self.folder = folder
        self.pace = pace or Pace()
        self.codes = {office: f"13.02.{9 + office.number:02}" for office in lab.offices}
        self.gateways: dict[Office, Gateway] = {}
        self.inventory = folder / "inventory"
        self.data = folder / "collector"
        self.vars: dict[Office, dict[str, Any]] = {}
        self._key: Key
        self._centre = Inside(lab.centre)
        self._collector: subprocess.Popen[bytes] | None = None
        self._agents: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._write_inventory()
            self._key = make_key(self.inventory / "id")
            with ThreadPoolExecutor(AT_ONCE) as pool:
                made = pool.map(self._gateway, self.lab.offices)
                self.gateways.update(zip(self.lab.offices, made, strict=True))
            town = [sys.executable, "-c", _TOWN]
            self.lab.popen(self.lab.centre, town, self.folder / "town.log")
            self.start_collector()
            self._start_agents()
            self.config("trust", *self.codes.values(), "--yes")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop agents, then the collector."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda agent: stop(agent, signal.SIGTERM, patience=5), self._agents))
        if self._collector is not None:
            stop(self._collector, signal.SIGTERM, patience=5)
        self._centre.close()

    # The centre

    def start_collector(self) -> None:
        """Start it, and return when it stores and hears."""
        argv = (
            *TABUAH, "collector", "run", "--inventory", str(self.inventory),
            "--data", str(self.data), "--listen", f"0.0.0.0:{REPORT_PORT}",
            "--reflect", "0.0.0.0:10862", "--http", "127.0.0.1:8080",
        )  # fmt: skip
        log = self.folder / "collector.log"
        self._collector = self.lab.popen(self.lab.centre, argv, log)
        self.until(30, self._ready, lambda: f"the collector:\n{log.read_text()[-3000:]}")

    def kill_collector(self) -> None:
        """End it as a power cut would."""
        assert self._collector is not None
        stop(self._collector, signal.SIGKILL)

    def config(
        self, *words: str, check: bool = True, timeout: float = 110
    ) -> subprocess.CompletedProcess[str]:
        """Return an ended `tabuah config` command, run at the centre."""
        done = self.lab.run(self.lab.centre, *self._config(*words), check=False, timeout=timeout)
        if check and done.returncode:
            raise LabError(f"config {' '.join(words)}: {done.returncode}\n{done.stderr}")
        return done

    def config_each(self, *commands: tuple[str, ...]) -> None:
        """Run several `tabuah config` commands at once; all must succeed."""
        log = self.folder / "commands.log"
        started = [self.lab.popen(self.lab.centre, self._config(*words), log) for words in commands]
        ends = [process.wait(110) for process in started]
        if any(ends):
            raise LabError(log.read_text()[-3000:])

    def plan(self, office: Office, changes: Mapping[str, object]) -> Path:
        """Return a plan of an office, its variables changed as said."""
        return self.plans({office: changes})[office]

    def plans(self, changes: Mapping[Office, Mapping[str, object]]) -> dict[Office, Path]:
        """Return a plan of each office, its variables changed as said."""
        self.want(changes)
        paths = {o: self.folder / f"plan-{self.codes[o]}.json" for o in changes}
        each = (("plan", self.codes[o], "--out", str(path)) for o, path in paths.items())
        self.config_each(*each)
        return paths

    def want(self, changes: Mapping[Office, Mapping[str, object]]) -> None:
        """Have offices' variables changed as said, for the next plan."""
        for office, said in changes.items():
            self.vars[office] = {**self._vars(office), **said}
        self._write_settings()

    def push(
        self, plan: Path, log: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Return a started push; `env` is its environment, beside ours."""
        argv = self._config("push", "--plan", str(plan), "--yes")
        return self.lab.popen(self.lab.centre, argv, log, env)

    def states(self) -> dict[str, str]:
        """Return the state of each office's newest transaction, by the office's code."""
        said = json.loads(self.config("history", "-o", "json").stdout)
        return {each["site"]: each["state"] for each in reversed(said)}

    def last_id(self, office: Office) -> str:
        """Return the id of an office's newest transaction."""
        said = self.config("history", self.codes[office], "-o", "json").stdout
        return str(json.loads(said)[0]["id"])

    def reports(self, office: Office) -> list[ReportSaid]:
        """Return an office's reports."""
        status, text = self._centre.get(f"{WEB}/api/v1/sites/{self.codes[office]}/reports")
        assert status == 200, text
        return reports_said(text)

    def await_live(self, office: Office, seconds: float) -> float:
        """Return how long it took until the office reported live once more."""
        known = len(self._live(office))
        return self.until(
            seconds,
            lambda: len(self._live(office)) > known,
            f"a live report of {self.codes[office]}",
        )

    def await_all_live(self, seconds: float) -> list[str]:
        """Return the codes of the offices that did not report within so many seconds from now."""
        began, missing = datetime.now(UTC), list(self.codes.values())
        while missing and (datetime.now(UTC) - began).total_seconds() < seconds:
            time.sleep(1)
            _status, text = self._centre.get(f"{WEB}/api/v1/sites")
            heard = {str(one["code"]): one["last_report"] for one in json.loads(text)}
            last = {code: datetime.fromisoformat(at) for code, at in heard.items() if at}
            missing = [code for code in missing if code not in last or last[code] < began]
        return missing

    def until(
        self, seconds: float, true: Callable[[], bool], what: str | Callable[[], str]
    ) -> float:
        """Return the seconds it took `true` to become true."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                awaited = what if isinstance(what, str) else what()
                raise AssertionError(f"waited {seconds} s for {awaited}")
            time.sleep(0.1)
        return time.monotonic() - began

    # How it is set up

    def _live(self, office: Office) -> list[ReportSaid]:
        return [report for report in self.reports(office) if not report.late]

    def _config(self, verb: str, *words: str) -> tuple[str, ...]:
        where = ("--inventory", str(self.inventory), "--data", str(self.data))
        return (*TABUAH, "config", verb, *where, *words)

    def _write_inventory(self) -> None:
        self.inventory.mkdir()
        (self.inventory / "provision").mkdir()
        (self.inventory / "community").write_text(f"{COMMUNITY}\n")
        for name, secret in SECRETS.items():
            (self.inventory / f"secret-{name}").write_text(secret)
        text = "organisation: Laboratorium\nlanguage: en\nsites:\n"
        for office, code in self.codes.items():
            text += _SITE.format(
                code=code, number=office.number, interval=self.pace.interval_s, lan=GATEWAY_LAN,
                centre=CENTRE, anchor=ANCHOR, managed=_managed(office),
            )  # fmt: skip
            self.vars[office] = self._vars(office)
            ip("-n", office.gateway, "address", "add", f"{_managed(office)}/32", "dev", "lo")
            way = (f"{_managed(office)}/32", "via", office.wan)
            ip("-n", self.lab.router, "route", "add", *way)
            # A provider drops what comes with another source than it gave out.
            guard = f"iifname {office.line} ip saddr != {{ {office.wan}, {_managed(office)} }} drop"
            table = f"guard{office.number}"
            rules = (
                f"add table ip {table}\n"
                f"add chain ip {table} in {{ type filter hook prerouting priority raw; }}\n"
                f"add rule ip {table} in {guard}\n"
            )
            self.lab.run(self.lab.router, "nft", rules)
        (self.inventory / "inventory.yaml").write_text(text)
        self._write_settings()

    def _write_settings(self) -> None:
        sites = {self.codes[office]: {"vars": said} for office, said in self.vars.items()}
        # JSON is YAML.
        said = {"window": f"{self.pace.window_s}s", "soak": f"{self.pace.soak_s}s", "sites": sites}
        text = json.dumps(said, indent=1)
        (self.inventory / "provision" / "settings.yaml").write_text(text)

    def _gateway(self, office: Office) -> Gateway:
        return Gateway(self.lab, office, self._key, self.pace.frr)

    def _start_agents(self) -> None:
        argv = (
            *TABUAH, "enrol", "--all", "--inventory", str(self.inventory), "--data", str(self.data),
            "--collector", f"{CENTRE}:{REPORT_PORT}", "--out", str(self.folder),
        )  # fmt: skip
        subprocess.run(argv, check=True, capture_output=True, env=environment(), timeout=110)
        for office, code in self.codes.items():
            config = self.folder / f"agent-{code}.toml"
            place = json.dumps(str(self.folder / f"agent-{code}"))
            text = re.sub(r"^data *=.*$", f"data = {place}", config.read_text(), flags=re.MULTILINE)
            config.write_text(text)
            log = self.folder / f"agent-{code}.log"
            run = (*TABUAH, "agent", "run", "--config", str(config))
            self._agents.append(self.lab.popen(office.host, run, log))

    def _vars(self, office: Office) -> dict[str, Any]:
        """Return the variables by which an office works."""
        routing = {"frr": True, "frr_routes": [{"to": "10.77.0.0/24", "via": "Null0"}]}
        return {**_vars(office), **(routing if self.pace.frr else {})}

    def _ready(self) -> bool:
        try:
            status, _text = self._centre.get(f"{WEB}/readyz", timeout=1)
        except OSError:
            return False
        return status == 200


def _managed(office: Office) -> str:
    return f"10.99.{office.number}.1"


def _vars(office: Office) -> dict[str, Any]:
    """Return the variables by which the office works."""
    return {
        "wan": "wan0",
        "lan": "lan0",
        "addresses": {"wan0": [f"{office.wan}/24"], "lan0": [f"{GATEWAY_LAN}/24"]},
        "routes": [{"to": "default", "via": office.first_hop, "dev": "wan0"}],
        "management": ["10.200.0.0/24"],
        "ntp": [CENTRE],
        # Only files here: no kernel of a laboratory has the interfaces.
        "wireguard": {
            "address": f"{_managed(office)}/32",
            "private_key": "file:secret-wg",
            "peer_key": "cGVlcg==",
            "endpoint": f"{CENTRE}:51820",
            "networks": ["10.50.0.0/16"],
        },
        "snmp": {
            "user": "noc",
            "listen": GATEWAY_LAN,
            "auth": "file:secret-snmp-auth",
            "priv": "file:secret-snmp-priv",
        },
        "pppoe": {"interface": "wan0", "user": "kantor@telkom", "password": "file:secret-ppp"},
    }
