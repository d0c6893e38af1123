"""The product in the laboratory: collector, agents and a real Prometheus, by their commands alone.

Nothing here imports the programs: what is tested is what an administrator starts, and what the
contract promises on HTTP.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from tests.lab.inside import Hook, Inside
from tests.lab.machine import LabError, environment, stop
from tests.lab.net import ANCHOR, CENTRE, COMMUNITY, GATEWAY_LAN, REPORT_PORT, Lab, Office
from tests.lab.said import ReportSaid, reports_said, states_said

INTERVAL_S = 3
"""Of reports and probes: short, so that a minute shows much."""
COUNT = 15
REFLECT_PORT = 10862
WEB = "http://127.0.0.1:8080"
PROMETHEUS = "http://127.0.0.1:9090"
RULES = Path(__file__).parents[2] / "alerts" / "rules" / "tabuah.yml"
TABUAH = (sys.executable, "-m", "tabuah")

_INVENTORY = """\
organisation: Laboratorium
timezone: Asia/Jakarta
language: en
# Here it is measured; test_faults.py judges. Whatever a line loses, it is no worse for it.
bounds: {{fibre: {{rtt: 10s, loss: 1, jitter: 10s}}}}
alerts:
  channels: [{{name: hook, webhook: "{hook}"}}]
sites:
"""
_SITE = """\
  - code: "{code}"
    name: Kantor {number}
    kind: other
    interval: {interval}s
    circuits:
      - {{id: telkom, role: primary, provider: Telkom, technology: fibre}}
    probes:
      - {{name: router, ping: {gateway}, role: gateway, every: {interval}s}}
      - {{name: dc, udp: "{centre}:{reflect}", role: centre, count: {count}, every: {interval}s, timeout: 1s}}
      - {{name: anchor, ping: {anchor}, role: public, count: {count}, every: {interval}s, timeout: 1s}}
    devices:
      - name: router
        host: {gateway}
        platform: linux
        role: gateway
        interfaces: [wan0, lan0]
        snmp: {{version: 2c, community: "file:{community}"}}
"""  # noqa: E501 - lines of YAML
_SCRAPE = """\
global: {{scrape_interval: 2s, evaluation_interval: 2s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: tabuah
    static_configs: [{{targets: ["127.0.0.1:8080"]}}]
"""


class Stack:
    """The running product; everything ends with the laboratory."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.codes = {office: f"13.02.{9 + office.number:02}" for office in lab.offices}
        self.agents: dict[Office, subprocess.Popen[bytes]] = {}
        self._centre = Inside(lab.centre)
        self.hook = Hook(self._centre, 9999)
        self._inventory = folder / "inventory"
        self._data = folder / "collector"
        self._collector: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._write_inventory()
            self.start_collector()
            for office in self.lab.offices:
                self.start_agent(office)
            self._start_prometheus()
            for office in self.lab.offices:
                self.await_state(office, "up", 30)
            self.until(30, lambda: self.ask('up{job="tabuah"}') == {"": 1.0}, "a first scrape")
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
        """Stop agents, then the collector, as an administrator would; the rest is the lab's."""
        for process in (*self.agents.values(), self._collector):
            if process is not None:
                stop(process, signal.SIGTERM, patience=5)
        self.hook.close()
        self._centre.close()

    # Programs

    def start_collector(self) -> None:
        """Start it, and return when it stores and hears."""
        argv = (
            *TABUAH, "collector", "run",
            "--inventory", str(self._inventory), "--data", str(self._data),
            "--listen", f"0.0.0.0:{REPORT_PORT}", "--reflect", f"0.0.0.0:{REFLECT_PORT}",
            "--http", "127.0.0.1:8080",
        )  # fmt: skip
        log = self.folder / "collector.log"
        self._collector = self.lab.popen(self.lab.centre, argv, log)
        self.until(
            30, self._ready, lambda: f"the collector to be ready:\n{log.read_text()[-3000:]}"
        )

    def signal_collector(self, how: signal.Signals) -> None:
        """Send the collector a signal; SIGKILL is waited for."""
        assert self._collector is not None
        self._collector.send_signal(how)
        if how is signal.SIGKILL:
            self._collector.wait()

    def start_agent(self, office: Office) -> None:
        """Enrol an office with the centre and start its agent on its own host."""
        config = self.enrol(office)
        argv = (*TABUAH, "agent", "run", "--config", str(config))
        log = self.folder / f"agent-{self.codes[office]}.log"
        self.agents[office] = self.lab.popen(office.host, argv, log)

    def enrol(self, office: Office) -> Path:
        """Return an office's agent TOML, made if it is not there."""
        code = self.codes[office]
        config = self.config(office)
        if not config.exists():
            self.tabuah(
                "enrol", code,
                "--inventory", str(self._inventory), "--data", str(self._data),
                "--collector", f"{CENTRE}:{REPORT_PORT}", "--out", str(config),
            )  # fmt: skip
            self._place_data(office)
        return config

    def _place_data(self, office: Office) -> None:
        """Have an office's agent keep its data in the laboratory's folder."""
        config = self.config(office)
        place = json.dumps(str(self.folder / f"agent-{self.codes[office]}"))
        text, found = re.subn(
            r"^data *=.*$", f"data = {place}", config.read_text(), flags=re.MULTILINE
        )
        assert found == 1, "enrol writes where the agent's data is"
        config.write_text(text)

    def config(self, office: Office) -> Path:
        """Return an office's agent TOML."""
        return self.folder / f"agent-{self.codes[office]}.toml"

    def tabuah(self, *argv: str) -> str:
        """Return the stdout of a tabuah command that must succeed."""
        done = subprocess.run(
            [*TABUAH, *argv],
            capture_output=True,
            text=True,
            check=False,
            timeout=90,  # a busy machine takes half a minute for what takes a second
            env=environment(),
        )
        if done.returncode:
            raise LabError(f"tabuah {' '.join(argv)}: {done.returncode}\n{done.stderr}")
        return done.stdout

    # What the product says

    def states(self) -> dict[str, str]:
        """Return code -> state, by the API."""
        return states_said(self.fetch("/api/v1/sites"))

    def state(self, office: Office) -> str:
        """Return one office's state, by the API."""
        return self.states()[self.codes[office]]

    def reports(self, office: Office) -> list[ReportSaid]:
        """Return all of an office's reports, by the API."""
        return reports_said(self.fetch(f"/api/v1/sites/{self.codes[office]}/reports"))

    def messages(self, office: Office) -> list[str]:
        """Return the status of each webhook message that names the office."""
        said = [json.loads(body) for body in self.hook.bodies]
        return [message["status"] for message in said if self.codes[office] in message["sites"]]

    def metrics(self) -> str:
        """Return the collector's /metrics."""
        return self.fetch("/metrics")

    def ask(self, query: str, *labels: str) -> dict[str, float]:
        """Return Prometheus's instant answer: the named labels' values, joined by '/' -> value."""
        status, text = self._centre.get(f"{PROMETHEUS}/api/v1/query?query={quote(query)}")
        assert status == 200, text
        return {
            "/".join(each["metric"].get(label, "") for label in labels): float(each["value"][1])
            for each in json.loads(text)["data"]["result"]
        }

    def until(
        self, seconds: float, true: Callable[[], bool], what: str | Callable[[], str]
    ) -> float:
        """Return the seconds it took `true` to become true.

        Raises:
            AssertionError: with `what` was awaited, when it did not within `seconds`.
        """
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                awaited = what if isinstance(what, str) else what()
                raise AssertionError(f"waited {seconds} s for {awaited}")
            time.sleep(0.1)
        return time.monotonic() - began

    def await_state(self, office: Office, state: str, seconds: float) -> float:
        """Return the seconds until the API calls the office `state`."""
        what = f"{self.codes[office]} to be {state}"
        return self.until(
            seconds, lambda: self.state(office) == state, lambda: f"{what}: {self.states()}"
        )

    # How it is set up

    def _write_inventory(self) -> None:
        self._inventory.mkdir()
        community = self.folder / "community"
        community.write_text(f"{COMMUNITY}\n")
        community.chmod(0o600)
        text = _INVENTORY.format(hook=self.hook.url)
        for office, code in self.codes.items():
            text += _SITE.format(
                code=code,
                number=office.number,
                interval=INTERVAL_S,
                gateway=GATEWAY_LAN,
                centre=CENTRE,
                reflect=REFLECT_PORT,
                anchor=ANCHOR,
                count=COUNT,
                community=community,
            )
        (self._inventory / "inventory.yaml").write_text(text)

    def _start_prometheus(self) -> None:
        config = self.folder / "prometheus.yml"
        config.write_text(_SCRAPE.format(rules=RULES))
        argv = (
            "prometheus", f"--config.file={config}", "--web.listen-address=127.0.0.1:9090",
            f"--storage.tsdb.path={self.folder / 'prometheus'}",
        )  # fmt: skip
        log = self.folder / "prometheus.log"
        self.lab.popen(self.lab.centre, argv, log)
        self.until(
            30,
            lambda: self._answers(f"{PROMETHEUS}/-/ready"),
            lambda: f"Prometheus:\n{log.read_text()[-3000:]}",
        )

    def _ready(self) -> bool:
        return self._answers(f"{WEB}/readyz")

    def _answers(self, url: str) -> bool:
        try:
            status, _text = self._centre.get(url, timeout=1)
        except OSError:
            return False
        return status == 200

    def fetch(self, path: str) -> str:
        """Return what the collector's API answers."""
        status, text = self._centre.get(f"{WEB}{path}")
        assert status == 200, text
        return text
