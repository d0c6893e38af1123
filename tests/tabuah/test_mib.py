"""TABUAH-MIB says what the code does: numbers, labels, and the block down to its last field."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabuah import block, notification, oids, sections, varint
from tabuah.measurement import Kind, OneWay, Phases, Role, Stage, Status, Timing
from tabuah.notification import KeyFacts, LineState
from tabuah.oids import Oid
from tabuah.reading import ReadingKind
from tabuah.report import Clock, Occasion, Report
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.varint import Reader
from tests.support import mib
from tests.support.netsnmp import snmptrapd
from tests.support.reports import packed
from tests.support.snmp_ends import ENGINE_ID, KU, NAME, ask, client
from tests.support.snmpd import free_port
from tests.support.strategies import reports

SCALARS: dict[str, Oid] = {
    "tabuahSite": oids.SITE,
    "tabuahSequence": oids.SEQUENCE,
    "tabuahState": oids.STATE,
    "tabuahRtt": oids.RTT,
    "tabuahLoss": oids.LOSS,
    "tabuahBlock": oids.BLOCK,
}
TAGS = {
    "SnmpAdminString": Tag.OCTET_STRING,
    "OCTET STRING": Tag.OCTET_STRING,
    "INTEGER": Tag.INTEGER,
    "Unsigned32": Tag.GAUGE32,  # RFC 2578 section 2: one and the same on the wire
    "Gauge32": Tag.GAUGE32,
}
TABLES = {
    sections.MEASUREMENT: sections._MEASUREMENT,
    sections.DEVICE: sections._DEVICE,
    sections.INTERFACE: sections._INTERFACE,
    sections.HOST: sections._HOST,
    sections.AGENT: sections._AGENT,
    sections.READING: sections._READING,
}
RECORDS = {"timing": sections._TIMING, "oneWay": sections._ONE_WAY, "phases": sections._PHASES}
CHOICES = {
    "kind": (Kind, sections._KIND),
    "role": (Role, sections._ROLE),
    "status": (Status, sections._STATUS),
    "stage": (Stage, sections._STAGE),
    "clock": (Clock, sections._CLOCK),
    "readingKind": (ReadingKind, sections._READING_KIND),
}
FACTS = KeyFacts(LineState.IMPAIRED, rtt_us=21_400, loss_permille=250)


def said(seq: int = 7) -> tuple[VarBind, ...]:
    return notification.varbinds("13.02.10", 420, FACTS, [packed(seq)], history=False)


def test_every_node_has_the_number_that_the_code_says() -> None:
    nodes = mib.nodes()
    assert nodes["documentation"][-1] == oids.ENTERPRISE
    assert nodes["tabuahMIB"] == oids.TABUAH
    assert nodes["tabuahReport"] == oids.REPORT_NOTIFICATION
    assert nodes["tabuahCheck"] == oids.CHECK_NOTIFICATION
    assert {name: (*nodes[name], 0) for name in SCALARS} == SCALARS


@pytest.mark.parametrize(
    ("notification_name", "binds"),
    [("tabuahReport", said()[2:]), ("tabuahCheck", notification.check_varbinds("x", 420)[2:])],
)
def test_a_notification_carries_the_objects_that_are_promised_in_their_order_and_type(
    notification_name: str, binds: tuple[VarBind, ...]
) -> None:
    promised = re.findall(r"\w+", mib.clause(notification_name, "OBJECTS"))
    assert [bind.oid for bind in binds] == [SCALARS[name] for name in promised]
    for name, bind in zip(promised, binds, strict=True):
        [tag] = [tag for word, tag in TAGS.items() if mib.clause(name, "SYNTAX").startswith(word)]
        assert bind.tag is tag, name


def test_the_states_are_named_as_the_code_names_them() -> None:
    labels = mib.numbers(mib.clause("tabuahState", "SYNTAX"))
    assert labels == {state.value: state.name for state in LineState}
    assert mib.numbers(mib.clause("tabuahState", "DESCRIPTION")) == labels


def test_the_last_update_is_a_revision_and_past() -> None:
    updated, *revisions = re.findall(r'(?:LAST-UPDATED|REVISION) +"(\d{12})Z"', mib.TEXT)
    assert updated == revisions[0] == max(revisions)
    at = datetime.strptime(updated, "%Y%m%d%H%M").replace(tzinfo=UTC)
    assert at < datetime.now(UTC) + timedelta(days=1)


def test_the_mib_lists_every_section() -> None:
    assert set(mib.SECTIONS) == set(TABLES)
    assert sections.PATH == 6
    assert f"The body of a section of type {sections.PATH} is" in mib.TEXT
    assert f"more than {block.MAX_INFLATED} octets" in mib.TEXT
    assert f"Head: {block._HEAD.size} octets" in mib.TEXT


@pytest.mark.parametrize("number", TABLES)
def test_a_section_lists_its_fields_in_the_order_in_which_they_travel(number: int) -> None:
    table, (_, listed) = TABLES[number], mib.SECTIONS[number]
    assert [each.name for each in listed] == [name for name, _ in table.fields]


@pytest.mark.parametrize("number", TABLES)
def test_what_a_body_may_lack_and_how_it_is_read_then_is_said(number: int) -> None:
    table, (_, listed) = TABLES[number], mib.SECTIONS[number]
    assert dataclasses.is_dataclass(table.make)
    defaults = {
        each.name: each.default
        for each in dataclasses.fields(table.make)
        if each.default is not dataclasses.MISSING and each.name not in ("interfaces", "readings")
    }
    needed = [name for name, _ in table.fields if name not in defaults]
    assert [each.name for each in listed if each.last_needed] == needed[-1:]
    # "What is missing is 0, empty or absent; sent of SECTION 1 is 1 then."
    assert {name for name, default in defaults.items() if default} == (
        {"sent"} if number == sections.MEASUREMENT else set()
    )


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_lists_its_fields_in_the_order_in_which_they_travel(name: str) -> None:
    assert [each.name for each in mib.RECORDS[name]] == [field for field, _ in RECORDS[name].fields]
    assert set(mib.RECORDS) == set(RECORDS)


@pytest.mark.parametrize("name", CHOICES)
def test_an_enum_lists_every_number_and_how_a_strange_one_is_read(name: str) -> None:
    members, codec = CHOICES[name]
    numbers: dict[int, str] = {}
    for member in members:
        out = bytearray()
        codec.put(out, member)
        numbers[Reader(bytes(out)).number()] = member.name
    assert mib.CHOICES[name].labels == numbers
    strange = codec.take(Reader(b"\x7f"))
    assert mib.CHOICES[name].otherwise == ("NONE" if strange is None else strange.name)


def test_the_occasions_of_the_head_are_all_listed() -> None:
    assert mib.CHOICES["occasion"].labels == {each.value: each.name for each in Occasion}
    assert set(mib.CHOICES) == {*CHOICES, "occasion"}
    strange = packed(1)
    strange = block.unpack(strange.octets[: block._HEAD.size] + b"\x7f" + strange.octets[50:])
    assert block.read("x", strange).occasion.name == mib.CHOICES["occasion"].otherwise


def plain(value: object) -> object:
    """Return a value in the words of the text's decoder."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Timing | OneWay | Phases):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return value


def row(value: object, number: int) -> tuple[str, dict[str, object]]:
    name, listed = mib.SECTIONS[number]
    return name, {each.name: plain(getattr(value, each.name)) for each in listed}


@given(st.lists(reports, min_size=1, max_size=3), st.booleans(), st.none() | reports)
def test_a_decoder_made_from_the_mibs_text_alone_reads_what_we_write(
    written: list[Report], history: bool, before: Report | None
) -> None:
    base = None if before is None else block.pack(before)
    octets = block.encode([block.pack(each) for each in written], history=history, base=base)
    assert bool(octets[1] & 2) is history
    held = b"" if base is None else base.octets
    for report, (head, rows, path) in zip(written, mib.decode(octets, held), strict=True):
        assert (head["epoch"], head["seq"]) == (report.id.epoch, report.id.seq)
        for name in ("wall_ms", "uptime_ms", "boot_id", "interval_ms", "occasion"):
            assert head[name] == getattr(report, name)
        expected = [row(each, 1) for each in report.measurements]
        for device in report.devices:
            expected += [row(device, 2), *(row(each, 3) for each in device.interfaces)]
            expected += [row(each, 7) for each in device.readings]
        expected += [row(report.host, 4), row(report.agent, 5)]
        assert rows == expected
        assert path == report.path


def test_a_body_may_end_after_the_marked_field_and_may_go_on_after_the_last() -> None:
    whole = packed(1)
    body = bytearray()
    varint.put_text(body, "dc")
    body += bytes((2, 3, 1))
    for more in (b"", bytes(40)):
        octets = whole.octets[:50] + bytes((1, len(body) + len(more))) + body + more
        [measurement] = block.read("x", block.unpack(octets)).measurements
        assert (measurement.probe, measurement.status) == ("dc", Status.RESPONSE_RECEIVED)


def lint(modules: Path, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(mib.FOLDER / "lint.sh"), str(file)],
        env={**os.environ, "TABUAH_IETF_MIBS": str(modules)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.peer
def test_smilint_has_nothing_to_say() -> None:
    done = lint(mib.ietf_modules(), mib.FILE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.peer
@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ('REVISION     "2026', 'REVISION     "2025', "revision"),
        ("accessible-for-notify", "not-accessible", "not-accessible"),
        ("tabuahState, tabuahRtt,\n                  tabuahLoss }", "tabuahState }", "group"),
        ("{ enterprises 32473 }", "{ enterprise 32473 }", "enterprise"),
    ],
    ids=["revision", "access", "group", "node"],
)
def test_smilint_is_heard_when_it_has(
    tmp_path: Path, right: str, wrong: str, complaint: str
) -> None:
    broken = tmp_path / "TABUAH-MIB.txt"
    assert right in mib.TEXT
    broken.write_text(mib.TEXT.replace(right, wrong))
    done = lint(mib.ietf_modules(), broken)
    assert done.returncode == 1
    assert complaint in done.stderr


@pytest.mark.peer
def test_a_directory_without_modules_is_an_error_and_no_excuse(tmp_path: Path) -> None:
    done = lint(tmp_path / "nothing", mib.FILE)
    assert done.returncode == 1
    assert "failed to locate MIB module" in done.stderr


def mib_folders() -> str:
    return f"{mib.FOLDER}:{mib.ietf_modules()}:/usr/share/snmp/mibs"


@pytest.mark.peer
def test_net_snmp_translates_every_name_to_the_number_that_the_code_uses() -> None:
    program = shutil.which("snmptranslate")
    assert program is not None, "snmptranslate is not installed"
    wanted = {
        "tabuahMIB": oids.TABUAH,
        "tabuahReport": oids.REPORT_NOTIFICATION,
        "tabuahCheck": oids.CHECK_NOTIFICATION,
        **{f"{name}.0": oid for name, oid in SCALARS.items()},
    }
    done = subprocess.run(
        [program, "-M", mib_folders(), "-m", "TABUAH-MIB", "-On"]
        + [f"TABUAH-MIB::{name}" for name in wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["." + ".".join(map(str, oid)) for oid in wanted.values()]


@pytest.mark.peer
def test_a_manager_that_knows_the_mib_logs_an_office_in_words(tmp_path: Path) -> None:
    port = free_port()
    user = f"{NAME} SHA-256 -m 0x{KU.hex()} AES -m 0x{KU.hex()}"
    with snmptrapd(
        tmp_path, port, ENGINE_ID, user, mib="SNMPv2-MIB:TABUAH-MIB", mib_folders=mib_folders()
    ) as trapd:
        ask(client(), Pdu(PduType.INFORM, 7, varbinds=said()), port)
        logged = trapd.await_text("tabuahBlock.0")
    assert "SNMPv2-MIB::snmpTrapOID.0 = OID: TABUAH-MIB::tabuahReport" in logged
    for words in (
        "tabuahSite.0 = STRING: 13.02.10",
        "tabuahSequence.0 = Gauge32: 7",
        "tabuahState.0 = INTEGER: impaired(2)",
        "tabuahRtt.0 = Gauge32: 21400 microseconds",
        "tabuahLoss.0 = Gauge32: 250 permille",
    ):
        assert f"TABUAH-MIB::{words}" in logged
    assert "annot find module" not in logged
