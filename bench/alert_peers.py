"""Prometheus, blackbox_exporter and Alertmanager in the centre, as others watch the same lines.

Each way of setting them up is a Prometheus and an Alertmanager of its own; one blackbox_exporter
pings for all. An office has a message of its own (`group_by: [alertname, site]`), as ours have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.lab.alerted import AlertedStack
from tests.lab.alertmanagers import PROGRAM, Alertmanager, with_hook
from tests.lab.told import Told, told

PROGRAMS = ("prometheus", "prometheus-blackbox-exporter", PROGRAM)
BLACKBOX_PORT, PROMETHEUS_PORT, ALERTMANAGER_PORT = 9115, 9190, 9290


@dataclass(frozen=True, slots=True)
class Settings:
    """How often is looked, and how long is waited."""

    scrape: str
    lasts: str
    """The rule's `for`."""
    group_wait: str
    group_interval: str


SETTINGS: Mapping[str, Settings] = {
    "usual": Settings("15s", "1m", "30s", "5m"),
    "aggressive": Settings("5s", "10s", "0s", "1s"),
    "hasty": Settings("1s", "5s", "0s", "1s"),
}
"""The first is what the documentations of the three show."""

_BLACKBOX = "modules: {icmp: {prober: icmp, timeout: 5s}}\n"
_PROMETHEUS = """\
global: {{scrape_interval: {scrape}, scrape_timeout: {timeout}, evaluation_interval: {scrape}}}
rule_files: [{rules}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
scrape_configs:
  - job_name: offices
    metrics_path: /probe
    params: {{module: [icmp]}}
    static_configs:
{targets}
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{target_label: __address__, replacement: "127.0.0.1:{blackbox}"}}
"""
_TARGET = '      - {{targets: ["{address}"], labels: {{site: "{code}"}}}}'
_RULES = """\
groups:
  - name: offices
    rules: [{{alert: OfficeDown, expr: probe_success == 0, for: {lasts}}}]
"""
_ALERTMANAGER = """\
route:
  receiver: admin
  group_by: [alertname, site]
  group_wait: {group_wait}
  group_interval: {group_interval}
  repeat_interval: 4h
receivers: [{{name: admin}}]
"""


class Peers:
    """All of them, running; they end with the laboratory."""

    def __init__(self, stack: AlertedStack) -> None:
        """Plan them beside our own."""
        self._stack = stack
        self._folder = stack.folder / "peers"

    def start(self) -> None:
        """Start them, and return once each has seen every office up."""
        stack = self._stack
        self._folder.mkdir()
        blackbox = self._folder / "blackbox.yml"
        blackbox.write_text(_BLACKBOX)
        self._popen(
            "blackbox",
            PROGRAMS[1],
            f"--config.file={blackbox}",
            f"--web.listen-address=127.0.0.1:{BLACKBOX_PORT}",
        )
        for number, (name, settings) in enumerate(SETTINGS.items()):
            self._start(name, settings, number)
        for number, name in enumerate(SETTINGS):
            stack.until(
                90,
                lambda number=number: self._sees_all(PROMETHEUS_PORT + number),  # type: ignore[misc]
                f"Prometheus ({name}) to see every office",
            )

    def told(self, name: str) -> list[Told]:
        """Return what one of them told so far."""
        return told(self._stack.hook.arrivals, f"/{name}")

    def _start(self, name: str, settings: Settings, number: int) -> None:
        stack, folder = self._stack, self._folder / name
        folder.mkdir()
        config = folder / "alertmanager.yml"
        text = _ALERTMANAGER.format(
            group_wait=settings.group_wait, group_interval=settings.group_interval
        )
        config.write_text(with_hook(text, stack.hook.at(f"/{name}")))
        manager = Alertmanager(stack.lab, stack.inside, config, ALERTMANAGER_PORT + number)
        manager.start()
        (folder / "rules.yml").write_text(_RULES.format(lasts=settings.lasts))
        targets = "\n".join(
            _TARGET.format(address=office.wan, code=code) for office, code in stack.codes.items()
        )
        (folder / "prometheus.yml").write_text(
            _PROMETHEUS.format(
                scrape=settings.scrape,
                # As by default, but never longer than the interval.
                timeout="10s" if settings.scrape == "15s" else settings.scrape,
                rules=folder / "rules.yml",
                alertmanager=manager.url.removeprefix("http://"),
                targets=targets,
                blackbox=BLACKBOX_PORT,
            )
        )
        self._popen(
            name,
            PROGRAMS[0],
            f"--config.file={folder / 'prometheus.yml'}",
            f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT + number}",
            f"--storage.tsdb.path={folder / 'data'}",
        )

    def _popen(self, name: str, *argv: str) -> None:
        lab = self._stack.lab
        lab.popen(lab.centre, argv, self._folder / f"{name}.log")

    def _sees_all(self, port: int) -> bool:
        url = f"http://127.0.0.1:{port}/api/v1/query?query=count(probe_success==1)"
        try:
            status, text = self._stack.inside.get(url, timeout=2)
        except OSError:
            return False
        return status == 200 and f'"{len(self._stack.codes)}"' in text


def settings_shown() -> dict[str, object]:
    """Return the settings as JSON can hold them."""
    return {
        name: {
            "scrape": each.scrape,
            "for": each.lasts,
            "group_wait": each.group_wait,
            "group_interval": each.group_interval,
        }
        for name, each in SETTINGS.items()
    }
