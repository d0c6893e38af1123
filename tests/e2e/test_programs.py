"""The two programs beside each other: what users and service managers do to them."""

from __future__ import annotations

import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import SITE, Centre, centre, seconds_until


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Centre]:
    with centre(tmp_path) as made:
        yield made


def test_an_office_reports_and_is_up(lone: Centre) -> None:
    lone.start_collector()
    assert lone.state() == "unknown"
    lone.start_agent(lone.enrol())
    seconds_until(lambda: lone.state() == "up", 10)
    seconds_until(lambda: len(lone.said()) >= 3, 10)
    newest = lone.said()[-1]
    (probe,) = newest["measurements"]
    assert (probe["probe"], probe["role"], probe["received"]) == ("dc", "centre", 1)
    assert lone.counted("accepted") >= 3
    told = lone.tabuah("sites", "--data", str(lone.data))
    assert f"{SITE}   Kantor Camat Kubung up" in told.stdout


def test_a_stopped_agent_says_goodbye_and_why(lone: Centre) -> None:
    lone.start_collector()
    agent = lone.start_agent(lone.enrol())
    seconds_until(lambda: len(lone.said()) >= 2, 10)
    agent.terminate()
    assert agent.wait(10) == 0
    assert lone.said()[-1]["occasion"] == "goodbye_agent"


def test_an_agent_killed_in_a_cut_loses_no_report_that_it_had_time_to_keep(lone: Centre) -> None:
    lone.start_collector()
    config = lone.enrol()
    agent = lone.start_agent(config)
    seconds_until(lambda: len(lone.said()) >= 2, 10)
    lone.collector.kill()
    lone.collector.wait()
    time.sleep(6)
    agent.kill()
    agent.wait()
    with sqlite3.connect(lone.folder / "office" / "spool.sqlite") as spool:
        kept = [seq for (seq,) in spool.execute("SELECT seq FROM kept ORDER BY epoch, seq")]
    spool.close()
    assert len(kept) >= 5
    lone.start_collector()
    lone.start_agent(config)
    seconds_until(
        lambda: {report["seq"] for report in lone.said() if report["late"]} >= {*kept}, 15
    )
    epochs: dict[str, list[int]] = {}
    for report in lone.said():
        epochs.setdefault(report["epoch"], []).append(report["seq"])
    assert len(epochs) == 2
    for numbers in epochs.values():
        assert sorted(numbers) == list(range(1, max(numbers) + 1)), "none missing, none twice"


def test_a_healthy_agent_writes_nothing_to_flash(lone: Centre) -> None:
    lone.start_collector()
    lone.start_agent(lone.enrol())
    seconds_until(lambda: len(lone.said()) >= 2, 10)
    files = sorted((lone.folder / "office").iterdir())
    before = [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    seconds_until(lambda: len(lone.said()) >= 7, 15)
    files = sorted((lone.folder / "office").iterdir())
    assert before == [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files]


def test_sighup_takes_a_good_configuration_and_keeps_the_old_one_for_a_bad_one(
    lone: Centre,
) -> None:
    lone.start_collector()
    config = lone.enrol()
    agent = lone.start_agent(config)
    seconds_until(lambda: len(lone.said()) >= 2, 10)
    good = config.read_text()
    config.write_text(good + '\n[[probes]]\nname = "x"\nkimd = "tcp"\n')
    agent.send_signal(signal.SIGHUP)
    seconds_until(lambda: "keeping the old configuration" in lone.log("agent"), 5)
    assert "did you mean 'kind'" in lone.log("agent")
    count = len(lone.said())
    seconds_until(lambda: len(lone.said()) > count, 5)
    config.write_text(
        good + f'\n[[probes]]\nname = "page"\nkind = "tcp"\nrole = "service"\n'
        f'target = "127.0.0.1:{lone.http}"\nevery = "1s"\ntimeout = "500ms"\n'
    )
    agent.send_signal(signal.SIGHUP)
    seconds_until(
        lambda: {one["probe"] for one in lone.said()[-1]["measurements"]} == {"dc", "page"}, 10
    )
    epochs = {report["epoch"] for report in lone.said()}
    assert len(epochs) == 1, "it is the same start of the agent"


def test_a_second_agent_in_the_same_folder_is_refused(lone: Centre) -> None:
    lone.start_collector()
    config = lone.enrol()
    lone.start_agent(config)
    seconds_until(lambda: len(lone.said()) >= 1, 10)
    refused = lone.tabuah("agent", "run", "--config", str(config))
    assert refused.returncode == 1
    assert "another agent is running" in refused.stderr


def test_the_service_manager_hears_that_the_agent_is_ready_alive_and_stopping(
    lone: Centre,
) -> None:
    lone.start_collector()
    address = str(lone.folder / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(10)
        environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
        agent = lone.start_agent(lone.enrol(), environment)
        heard = {manager.recv(100).decode() for _ in range(4)}
        assert heard == {"READY=1", "WATCHDOG=1"}
        agent.terminate()
        while manager.recv(100) != b"STOPPING=1":
            pass


def test_the_running_agent_imports_nothing_that_a_gateway_need_not_hold(lone: Centre) -> None:
    lone.start_collector()
    lone.start_agent(lone.enrol(), None, "-X", "importtime")
    seconds_until(lambda: len(lone.said()) >= 2, 10)
    imported = {
        line.rpartition("|")[2].strip()
        for line in lone.log("agent").splitlines()
        if line.startswith("import time:")
    }
    assert "sqlite3" in imported
    unwanted = {"click", "yaml", "cryptography", "sqlalchemy", "httpx", "pysnmp", "netmiko"}
    unwanted |= {"prometheus_client", "jinja2", "msgspec", "collector"}
    assert not {name.partition(".")[0] for name in imported} & unwanted
    # What only a mistake, a stop, an https check or a name beyond ASCII needs. "ssl" stands in
    # the log of a Python that was told not to find it; "_ssl" is what it would have loaded.
    unwanted = {"argparse", "difflib", "shutil", "tempfile", "bz2", "lzma", "ctypes.util"}
    unwanted |= {"_ssl", "agent.probes.tls", "encodings.idna", "unicodedata", "_strptime"}
    unwanted |= {"secrets", "random", "base64"}
    assert not imported & unwanted


def test_a_new_key_works_beside_the_old_one_until_it_is_heard(lone: Centre) -> None:
    lone.start_collector()
    old = lone.enrol()
    copy = lone.folder / "old.toml"
    copy.write_text(old.read_text())
    copy.chmod(0o600)
    first = lone.start_agent(copy)
    seconds_until(lambda: lone.state() == "up", 10)
    lone.enrol("--rotate")
    count = len(lone.said())
    seconds_until(lambda: len(lone.said()) >= count + 2, 10)
    first.terminate()
    first.wait(10)
    lone.start_agent(old)
    count = len(lone.said())
    seconds_until(lambda: len(lone.said()) >= count + 2, 10)
    stale = lone.tabuah("agent", "check", "--config", str(copy))
    assert stale.returncode == 1
    assert "its key was revoked or replaced" in stale.stdout
    before = lone.counted("unknown_site")
    (lone.folder / "office2").mkdir()
    copy.write_text(copy.read_text().replace("/office", "/office2"))
    lone.start_agent(copy)
    seconds_until(lambda: lone.counted("unknown_site") > before, 10)


def test_a_collector_with_an_open_page_and_no_token_refuses_to_start(lone: Centre) -> None:
    refused = lone.tabuah(
        *("collector", "run", "--inventory", str(lone.inventory), "--data", str(lone.data)),
        *("--http", "0.0.0.0:8080"),
    )
    assert refused.returncode == 2
    assert "--token-file" in refused.stderr


def test_a_second_collector_in_the_same_folder_is_refused(lone: Centre) -> None:
    lone.start_collector()
    refused = lone.tabuah(
        *("collector", "run", "--inventory", str(lone.inventory), "--data", str(lone.data))
    )
    assert refused.returncode == 1
    assert "running with this folder already" in refused.stderr


def test_the_collectors_socket_is_for_its_owner_alone(lone: Centre) -> None:
    lone.start_collector()
    assert (lone.data / "collector.sock").stat().st_mode & 0o777 == 0o600
    told = lone.tabuah("sites", "--data", str(lone.folder))
    assert told.returncode == 1
    assert "no collector answers" in told.stderr


def test_a_full_disk_is_said_and_nothing_is_acknowledged(lone: Centre) -> None:
    """The store refuses while another holds its lock: as good as a full disk to those outside."""
    lone.start_collector()
    lone.start_agent(lone.enrol())
    seconds_until(lambda: len(lone.said()) >= 2, 10)
    database = sqlite3.connect(lone.data / "store.db", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    seconds_until(lambda: lone.get("readyz").status_code == 503, 30)
    seconds_until(lambda: lone.counted("unstored") >= 1, 10)
    assert lone.state() == "up", "it is heard, though it cannot be written"
    database.execute("ROLLBACK")
    database.close()
    seconds_until(lambda: lone.get("readyz").status_code == 200, 10)

    def whole() -> bool:
        numbers = sorted(report["seq"] for report in lone.said())
        return numbers == list(range(1, len(numbers) + 1))

    seconds_until(whole, 10)
