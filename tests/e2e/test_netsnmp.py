"""The programs against net-snmp's own: what we send is theirs to read, and the other way round."""

from __future__ import annotations

import re
import socket
import sqlite3
import tomllib
from pathlib import Path

import pytest

from tabuah.oids import SEQUENCE
from tests.support.netsnmp import snmpinform, snmptrapd
from tests.support.programs import SITE, Centre, centre, free_port, seconds_until

pytestmark = pytest.mark.peer

ENGINE_ID = bytes.fromhex("80007ed9056c61626f7261746f7269756d")
KU = bytes(range(100, 132))
USER = f"{SITE}#1"
INTERVAL_S = 2


def _office(centre: Centre, port: int) -> Path:
    """Return the configuration of an office whose collector is the snmptrapd on `port`."""
    config = centre.folder / "agent.toml"
    config.write_text(
        f"""
site = "{SITE}"
data = "{centre.folder / "office"}"
interval = "{INTERVAL_S}s"

[[collectors]]
address = "127.0.0.1:{port}"
engine_id = "{ENGINE_ID.hex()}"
user = "{USER}"
ku = "{KU.hex()}"

[[probes]]
name = "self"
kind = "ping"
target = "127.0.0.1"
role = "other"
every = "{INTERVAL_S}s"
timeout = "500ms"
"""
    )
    config.chmod(0o600)
    return config


def test_snmptrapd_reads_and_acknowledges_an_offices_reports(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    key = f"-m 0x{KU.hex()}"
    sequence = re.compile(rf"\.{'.'.join(map(str, SEQUENCE))} = \S+: (\d+)")
    with (
        centre(tmp_path) as office,
        snmptrapd(tmp_path, port, ENGINE_ID, f"{USER} SHA-256 {key} AES {key}") as trapd,
    ):
        agent = office.start_agent(_office(office, port))

        def seen() -> list[int]:
            return [int(number) for number in sequence.findall(trapd.log.read_text())]

        seconds_until(lambda: len(seen()) >= 4, 20)
        agent.terminate()
        # The goodbye is waited for, and what nobody acknowledged would be kept.
        assert seconds_until(lambda: agent.poll() is not None, 10) < 2.5
        assert agent.returncode == 0
        # An unanswered inform is sent again after a second at most: each came once, so was heard.
        assert seen() == list(range(1, len(seen()) + 1)), trapd.log.read_text()
        assert f'STRING: "{SITE}"' in trapd.log.read_text()
        with sqlite3.connect(tmp_path / "office" / "spool.sqlite") as spool:
            ((kept,),) = spool.execute("SELECT count(*) FROM kept")
        spool.close()
        assert kept == 0
        assert "not an answer" not in office.log("agent")


def test_the_collector_accepts_snmpinform_with_an_offices_key_and_no_other(tmp_path: Path) -> None:
    with centre(tmp_path) as made:
        # Enrolled first: a running collector looks for new offices once a second, and snmpinform
        # gives up at the first "unknown user name".
        (collector,) = tomllib.loads(made.enrol().read_text())["collectors"]
        made.start_collector()
        known = ("-v3", "-u", collector["user"], "-l", "authPriv", "-a", "SHA-256", "-x", "AES")
        key, other = f"0x{collector['ku']}", f"0x{KU.hex()}"
        good = snmpinform(tmp_path, made.reports, *known, "-3m", key, "-3M", key)
        assert (good.returncode, good.stderr) == (0, "")
        bad = snmpinform(tmp_path, made.reports, *known, "-3m", other, "-3M", other)
        assert bad.returncode != 0
        assert made.counted("bad_auth") >= 1
        stranger = ("-v3", "-u", "13.02.99#1", *known[3:], "-3m", key, "-3M", key)
        assert snmpinform(tmp_path, made.reports, *stranger).returncode != 0
        assert made.counted("unknown_site") >= 1
        assert made.counted("accepted") == 0, "an inform that is no report is answered, not stored"
