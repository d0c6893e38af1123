"""`tabuah agent`: what a person types at the office. `agent run` never comes this way."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from enum import Enum
from pathlib import Path

import click

from agent import config as configuration
from agent.cycle import Office
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
    help="json: one object with 'probes' and 'devices'.",
)
@click.pass_context
def check(context: click.Context, config: Path, output: str) -> None:
    """Run each probe and poll each device once, and print what they saw.

    Exits with 0 when all is well and 1 when something failed. Nothing is reported to the
    collector.

    \b
    Example:
        tabuah agent check --config /etc/tabuah/agent-13.02.10.toml
    """  # noqa: D301 - \b keeps click from joining the lines
    loaded = configuration.load(config)
    if output == "text":
        count = len(loaded.probes) + len(loaded.devices)
        click.echo(f"{loaded.site}: {count} ...", err=True)
    measurements, devices = asyncio.run(_look(loaded))
    if output == "json":
        seen = {
            "site": loaded.site,
            "probes": [_plain(one) for one in measurements],
            "devices": [_plain(one) for one in devices],
        }
        click.echo(json.dumps(seen, indent=2, ensure_ascii=False))
    else:
        for line in _lines(measurements, devices, loaded.language):
            click.echo(line)
    good = all(one.good for one in measurements) and all(
        device.status is Status.RESPONSE_RECEIVED for device in devices
    )
    context.exit(0 if good else TabuahError.exit_code)


async def _look(
    config: configuration.Config,
) -> tuple[tuple[Measurement, ...], tuple[Device, ...]]:
    office = Office(config)
    patience = max((p.timeout_s + p.count for p in config.probes), default=0.0)
    await office.look(max(patience, 10.0) + 1.0)
    office.stop()
    return office.seen(time.monotonic())


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
