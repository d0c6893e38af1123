"""`tabuah agent`: what a person types at the office. `agent run` never comes this way."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from enum import Enum
from pathlib import Path

import click

from agent import advice, host
from agent import config as configuration
from agent.cycle import Office
from agent.try_path import Tried, try_path
from tabuah.address import address_text
from tabuah.errors import TabuahError
from tabuah.measurement import Measurement, Stage, Status
from tabuah.reading import Reading, shown, unit
from tabuah.report import Device

_CONFIG = click.option(
    "--config",
    required=True,
    type=click.Path(path_type=Path),
    help="This office's configuration, made by `tabuah enrol`.",
)

_WORDS = {
    "id": {
        Status.RESPONSE_RECEIVED: "baik",
        Status.UNKNOWN: "gagal",
        Status.INTERNAL_ERROR: "kesalahan pada agen",
        Status.REQUEST_TIMED_OUT: "tidak dijawab",
        Status.UNKNOWN_DESTINATION_ADDRESS: "alamat tujuan tidak dikenal",
        Status.NO_ROUTE_TO_TARGET: "tidak ada rute",
        Status.INTERFACE_INACTIVE_TO_TARGET: "antarmuka tidak aktif",
        Status.ARP_FAILURE: "tidak ada di jaringan lokal (ARP)",
        Status.MAX_CONCURRENT_LIMIT_REACHED: "terlalu banyak koneksi",
        Status.UNABLE_TO_RESOLVE_DNS_NAME: "nama tidak ditemukan (DNS)",
        Status.INVALID_HOST_ADDRESS: "alamat tidak sah",
    },
    "en": {
        Status.RESPONSE_RECEIVED: "good",
        Status.UNKNOWN: "failed",
        Status.INTERNAL_ERROR: "the agent itself failed",
        Status.REQUEST_TIMED_OUT: "no answer",
        Status.UNKNOWN_DESTINATION_ADDRESS: "unknown destination address",
        Status.NO_ROUTE_TO_TARGET: "no route",
        Status.INTERFACE_INACTIVE_TO_TARGET: "interface is down",
        Status.ARP_FAILURE: "not on the local network (ARP)",
        Status.MAX_CONCURRENT_LIMIT_REACHED: "too many connections",
        Status.UNABLE_TO_RESOLVE_DNS_NAME: "name not found (DNS)",
        Status.INVALID_HOST_ADDRESS: "invalid address",
    },
}


_SIGNS = {"celsius": "C", "volts": "V", "seconds": "s", "minutes": "min"}

_COLLECTOR = {"id": "kolektor", "en": "collector"}


@click.group(short_help="The office: watch its line and report.")
def agent() -> None:
    """The office's side: it measures the line and reports to the collector."""


@agent.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Watch this office's line and report, until stopped.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> None:
    """Watch this office's line and report, until stopped."""
    from agent.run import main  # noqa: PLC0415 - `agent check` and completion do without it

    raise SystemExit(main(arguments))


@agent.command()
@_CONFIG
@click.option(
    *("-o", "--output"),
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: one object with 'collectors', 'clock', 'probes' and 'devices'.",
)
@click.pass_context
def check(context: click.Context, config: Path, output: str) -> None:
    """Try the way to each collector, run each probe and poll each device once; print what is seen.

    Exits with 0 when all is well and 1 when something failed; a clock that is not set is told and
    is no failure. Nothing is reported: a collector answers the question and does not keep it, and
    a key that is new does not replace the old one by it.

    \b
    Example:
        tabuah agent check --config /etc/tabuah/agent-13.02.10.toml
    """  # noqa: D301 - \b keeps click from joining the lines
    loaded = configuration.load(config)
    if output == "text":
        count = len(loaded.collectors) + len(loaded.probes) + len(loaded.devices)
        click.echo(f"{loaded.site}: {count} ...", err=True)
    tried, measurements, devices = asyncio.run(_look(loaded))
    clock = _Clock(loaded.language)
    if output == "json":
        seen = {
            "site": loaded.site,
            "collectors": [_collector(loaded, one) for one in tried],
            "clock": clock.plain(),
            "probes": [_plain(one) for one in measurements],
            "devices": [_plain(one) for one in devices],
        }
        click.echo(json.dumps(seen, indent=2, ensure_ascii=False))
    else:
        for line in _lines(measurements, devices, loaded.language):
            click.echo(line)
        for one in tried:
            click.echo(_told(loaded, one))
        if clock.sentence:
            click.echo(clock.sentence)
    good = (
        all(one.trouble is None for one in tried)
        and all(one.good for one in measurements)
        and all(device.status is Status.RESPONSE_RECEIVED for device in devices)
    )
    context.exit(0 if good else TabuahError.exit_code)


async def _look(
    config: configuration.Config,
) -> tuple[list[Tried], tuple[Measurement, ...], tuple[Device, ...]]:
    office = Office(config)
    patience = max((p.timeout_s + p.count for p in config.probes), default=0.0)
    *tried, _ = await asyncio.gather(
        *(try_path(config.site, collector) for collector in config.collectors),
        office.look(max(patience, 10.0) + 1.0),
    )
    office.stop()
    return [one for one in tried if one is not None], *office.seen(time.monotonic())


class _Clock:
    """What there is to say of this machine's clock."""

    def __init__(self, language: str) -> None:
        wall_ms = time.time_ns() // 1_000_000
        self.state = host.clock_state()
        self.trouble = advice.clock_trouble(wall_ms, self.state)
        self.sentence = (
            advice.clock_sentence(language, self.trouble, wall_ms) if self.trouble else ""
        )

    def plain(self) -> dict[str, object]:
        """Return it as JSON's types."""
        return {
            "state": self.state.name.lower(),
            "trouble": self.trouble.value if self.trouble else None,
            "advice": self.sentence or None,
        }


def _sentence(config: configuration.Config, tried: Tried) -> str | None:
    if tried.trouble is None:
        return None
    to = tried.collector
    return advice.path_sentence(
        config.language, tried.trouble, site=config.site, host=to.host, port=to.port, user=to.user
    )


def _told(config: configuration.Config, tried: Tried) -> str:
    """Return the line of one collector: good and its round trip, or what to do."""
    sentence = _sentence(config, tried)
    if sentence is not None:
        return f"{_COLLECTOR[config.language]}: {sentence}"
    words = _WORDS[config.language][Status.RESPONSE_RECEIVED]
    address = address_text(tried.collector.host, tried.collector.port)
    return f"{_COLLECTOR[config.language]}: {address} {words}, {(tried.rtt_s or 0) * 1000:.1f} ms"


def _collector(config: configuration.Config, tried: Tried) -> dict[str, object]:
    return {
        "address": address_text(tried.collector.host, tried.collector.port),
        "user": tried.collector.user,
        "good": tried.trouble is None,
        "rtt_ms": None if tried.rtt_s is None else round(tried.rtt_s * 1000, 3),
        "trouble": tried.trouble.value if tried.trouble else None,
        "advice": _sentence(config, tried),
    }


def _lines(
    measurements: tuple[Measurement, ...], devices: tuple[Device, ...], language: str
) -> list[str]:
    words = _WORDS[language]
    rows = []
    for one in measurements:
        told = words[one.status]
        if one.stage is not Stage.ANSWER:
            told += f" ({one.stage.name.lower()})"
        if one.code is not None:
            told += f", {one.code}"
        rtt = "" if one.rtt is None else f"{one.rtt.mean_us / 1000:.1f} ms"
        answered = f"{one.received}/{one.sent}"
        rows.append((one.probe, one.kind.value, one.role.value, answered, rtt, told))
    for device in devices:
        interfaces = " ".join(
            f"{interface.name}={'up' if interface.oper_status == 1 else 'down'}"
            for interface in device.interfaces
        )
        readings = " ".join(_brief(one) for one in device.readings)
        told = " ".join(part for part in (words[device.status], interfaces, readings) if part)
        rows.append((device.name, "snmp", device.role.value, "", "", told))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        + f"  {row[5]}"
        for row in rows
    ]


def _brief(reading: Reading) -> str:
    """Return a reading with its unit: `temperature[cpu]=41.5C`, `ups_charge=23%`."""
    word, value = unit(reading.kind).word, shown(reading)
    amount = f"{100 * value:.0f}%" if word == "ratio" else f"{value:g}{_SIGNS.get(word, word)}"
    return f"{reading.kind.name.lower()}{f'[{reading.name}]' if reading.name else ''}={amount}"


def _plain(value: object) -> object:
    """Return a dataclass as JSON's types, enums by their words."""
    return json.loads(json.dumps(asdict(value), default=_word))  # type: ignore[call-overload]


def _word(value: object) -> object:
    return value.value if isinstance(value, Enum) else str(value)
