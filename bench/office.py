"""A collector and offices' agents, put together by the commands that an administrator types."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import TABUAH, BenchError, environment

_HEAD = "organisation: Benchmark\ntimezone: Asia/Jakarta\nlanguage: en\n"


@dataclass(frozen=True, slots=True)
class Site:
    """One office of the inventory; probes and devices in its own words, YAML flow mappings."""

    code: str
    interval: str = "10s"
    probes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    bandwidth: str = ""
    """Of its one circuit, a YAML flow mapping in Mbit/s; empty = nobody wrote it down."""


@dataclass(frozen=True, slots=True)
class Centre:
    """Where a collector is kept, and where it listens."""

    folder: Path
    listen: str
    reflect: str
    http: str

    @property
    def log(self) -> Path:
        """What the collector says."""
        return self.folder / "collector.log"

    @property
    def ready_text(self) -> str:
        """What the log says once the collector hears."""
        return "reports on"

    def argv(self) -> list[str]:
        """Return the command that runs the collector."""
        return [
            *TABUAH, "collector", "run",
            "--inventory", str(self.folder / "inventory"), "--data", str(self.folder / "data"),
            "--listen", self.listen, "--reflect", self.reflect, "--http", self.http,
        ]  # fmt: skip

    def write_inventory(self, sites: Sequence[Site], head: str = "") -> None:
        """Write the inventory: what every collector needs, `head`, and the sites."""
        lines = [_HEAD, head, "sites:\n"]
        for site in sites:
            bandwidth = f", bandwidth: {site.bandwidth}" if site.bandwidth else ""
            lines += [
                f'  - code: "{site.code}"\n    name: Kantor {site.code}\n    kind: kecamatan\n',
                f"    interval: {site.interval}\n",
                "    circuits:\n",
                f"      - {{id: telkom, role: primary, provider: Telkom{bandwidth}}}\n",
            ]
            for name, entries in (("probes", site.probes), ("devices", site.devices)):
                if entries:
                    lines.append(f"    {name}:\n")
                    lines += [f"      - {entry}\n" for entry in entries]
            if site.services:
                lines.append(f"    services: [{', '.join(site.services)}]\n")
        folder = self.folder / "inventory"
        folder.mkdir(exist_ok=True)
        (folder / "inventory.yaml").write_text("".join(lines))

    def enrol(self) -> Path:
        """Enrol every office; return the folder of their configurations."""
        configs = self.folder / "configs"
        self._tabuah(
            "enrol", "--all", "--inventory", str(self.folder / "inventory"),
            "--data", str(self.folder / "data"), "--collector", self.listen,
            "--out", f"{configs}/",
        )  # fmt: skip
        return configs

    def agent_config(self, configs: Path, code: str) -> Path:
        """Return an office's configuration, its data kept in this folder."""
        path = configs / f"agent-{code}.toml"
        place = json.dumps(str(self.folder / f"agent-{code}"))
        text = re.sub(r"^data *=.*$", f"data = {place}", path.read_text(), flags=re.MULTILINE)
        path.write_text(text)
        return path

    def _tabuah(self, *argv: str) -> None:
        done = subprocess.run(
            [*TABUAH, *argv],
            capture_output=True, text=True, check=False, timeout=60, env=environment(),
        )  # fmt: skip
        if done.returncode:
            raise BenchError(f"tabuah {' '.join(argv)}: {done.stderr}")


def agent_argv(config: Path) -> list[str]:
    """Return the command that runs an office's agent."""
    return [*TABUAH, "agent", "run", "--config", str(config)]
