"""The running collector's own eyes: an agent that is gone is told from a line that is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import SITE, Centre, seconds_until


class Seeing(Centre):
    """A collector with references, whose office has an address."""

    def __init__(self, folder: Path, address: str, reference: str = "127.0.0.1") -> None:
        super().__init__(folder)
        head = self.inventory / "inventory.yaml"
        told = head.read_text().replace(
            f'  - code: "{SITE}"\n', f'  - code: "{SITE}"\n    address: {address}\n'
        )
        head.write_text(told + f"\nreferences: [{{ping: {reference}}}]\n")

    def sample(self, name: str) -> str | None:
        """Return a sample's value as it is written on the metrics page."""
        lines = self.get("metrics").text.splitlines()
        return next((line.split()[-1] for line in lines if line.startswith(f"{name} ")), None)

    def incidents(self) -> list[dict[str, object]]:
        """Return all incidents."""
        listed: list[dict[str, object]] = self.get("api/v1/incidents").json()
        return listed


@pytest.fixture
def seeing(tmp_path: Path) -> Iterator[Seeing]:
    made = Seeing(tmp_path, "127.0.0.7")
    try:
        made.start_collector()
        yield made
    finally:
        made.stop()


def test_an_agent_that_dies_while_its_address_answers_is_no_outage_of_the_line(
    seeing: Seeing,
) -> None:
    agent = seeing.start_agent(seeing.enrol())
    seconds_until(lambda: seeing.state() == "up", 15)
    seconds_until(lambda: seeing.sample('tabuah_reference_up{reference="127.0.0.1"}') == "1.0", 15)
    agent.kill()
    agent.wait()
    seconds_until(lambda: seeing.state() == "silent", 20)
    seconds_until(lambda: [one["cause"] for one in seeing.incidents()] == ["agent"], 15)
    (incident,) = seeing.incidents()
    assert "the office's address answers" in str(incident["evidence"])
    assert seeing.sample(f'tabuah_site_address_up{{site="{SITE}"}}') == "1.0"


def test_a_collector_that_may_not_ping_says_so_and_works(tmp_path: Path) -> None:
    made = Seeing(tmp_path, "127.0.0.7")
    try:
        # As a user without capabilities, where ping_group_range lets nobody.
        refusing = (
            "import errno, sys; from tabuah import icmp_socket;\n"
            "def refuse(*_): raise PermissionError(errno.EPERM, 'Operation not permitted')\n"
            "icmp_socket.open_icmp = refuse\n"
            "from tabuah.main import main; raise SystemExit(main())"
        )
        made.start_collector(("-c", refusing))
        made.start_agent(made.enrol())
        seconds_until(lambda: made.state() == "up", 15)
        seconds_until(lambda: "ping_group_range" in made.log("collector"), 10)
        assert made.sample('tabuah_reference_up{reference="127.0.0.1"}') is None
        assert made.sample('tabuah_centre_pings_total{outcome="lost"}') == "0.0"
    finally:
        made.stop()


def test_a_cut_off_collector_speaks_of_itself_and_not_of_the_office(tmp_path: Path) -> None:
    """The reference is one that never answers; the agent stops being heard."""
    made = Seeing(tmp_path, "127.0.0.7", reference="127.255.255.255")
    try:
        made.start_collector()
        agent = made.start_agent(made.enrol())
        seconds_until(lambda: made.state() == "up", 15)
        seconds_until(
            lambda: made.sample('tabuah_reference_up{reference="127.255.255.255"}') == "0.0", 15
        )
        assert made.incidents() == [], "while reports come it is not isolated"
        os.kill(agent.pid, signal.SIGSTOP)
        seconds_until(lambda: made.incidents() != [], 20)
        (incident,) = made.incidents()
        assert (incident["alertname"], incident["cause"]) == ("TabuahCollectorIsolated", "isolated")
        os.kill(agent.pid, signal.SIGCONT)
        seconds_until(lambda: made.incidents()[0]["status"] == "closed", 20)
        seconds_until(lambda: made.state() == "up", 20)
        assert len(made.incidents()) == 1
    finally:
        made.stop()
