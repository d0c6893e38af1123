"""The centre's own eyes: what is asked when, and what it may say."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from pathlib import Path

import pytest

from collector.eyes import ADDRESS_S, AT_ONCE, OVERDUE_S, REFERENCE_S, Ask, Eyes, Kind
from collector.eyes_ping import Pinger
from collector.eyes_watch import Watch
from collector.judgement.evidence import CentreSeen, CollectorSeen
from collector.live import SiteView, State
from collector.mishaps import Mishaps
from collector.refusals import Refusals
from inventory.model import Inventory, Reference, Site
from tabuah.snmp.receiver import Reason
from tests.support.netns import own_network

KUBUNG = "13.02.10"
ADDRESS = (Kind.ADDRESS, KUBUNG)


class Seeing:
    """Eyes in a world where hosts answer or do not; a quarter of a second a step."""

    def __init__(self, references: list[str], addresses: dict[str, str]) -> None:
        self.now = 1000.0
        self.dead: set[str] = set()
        self.asked: list[tuple[float, str]] = []
        self.eyes = Eyes()
        self.eyes.renew(references, addresses, self.now)
        self._out: list[tuple[float, Ask]] = []

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            for asked, ask in [one for one in self._out if self.now - one[0] >= 1.5]:
                self._out.remove((asked, ask))
                self.eyes.lost(ask.key, asked, self.now)
            for ask in self.eyes.due(self.now):
                self.asked.append((self.now, ask.name))
                if ask.host in self.dead:
                    self._out.append((self.now, ask))
                else:
                    self.eyes.answered(ask.key, self.now, self.now + 0.01)

    def gaps(self, name: str) -> set[float]:
        times = [at for at, asked in self.asked if asked == name]
        return {later - before for before, later in itertools.pairwise(times)}


def test_a_reference_is_asked_every_5_s_and_an_address_every_30() -> None:
    seeing = Seeing(["192.0.2.1", "192.0.2.2"], {KUBUNG: "192.0.2.10"})
    seeing.run(120)
    assert seeing.gaps("192.0.2.1") == seeing.gaps("192.0.2.2") == {REFERENCE_S}
    assert seeing.gaps(KUBUNG) == {ADDRESS_S}
    assert seeing.eyes.references() is True


def test_lost_references_are_known_within_nine_seconds_and_one_that_answers_is_enough() -> None:
    seeing = Seeing(["192.0.2.1", "192.0.2.2"], {})
    seeing.run(60)
    seeing.dead = {"192.0.2.1"}
    seeing.run(60)
    assert seeing.eyes.references() is True
    seeing.dead = {"192.0.2.1", "192.0.2.2"}
    seeing.run(9)
    assert seeing.eyes.references() is False
    asked = len(seeing.asked)
    seeing.run(100)
    assert len(seeing.asked) - asked <= 2 * 100 / REFERENCE_S + 2, "it is not asked ever faster"
    seeing.dead = set()
    seeing.run(6)
    assert seeing.eyes.references() is True


def test_one_lost_ping_loses_no_reference() -> None:
    seeing = Seeing(["192.0.2.1"], {})
    seeing.run(20)
    seeing.dead = {"192.0.2.1"}
    seeing.run(1)
    seeing.dead = set()
    seeing.run(1.5)
    assert seeing.eyes.references() is True


def test_without_references_nothing_is_known_of_the_line() -> None:
    assert Eyes().references() is None


def test_what_could_not_be_asked_is_not_lost() -> None:
    eyes = Eyes()
    eyes.renew(["192.0.2.1"], {}, 0.0)
    for at in range(0, 60, 5):
        for ask in eyes.due(float(at)):
            eyes.unable(ask.key)
    assert eyes.references() is None


def test_a_silent_office_is_asked_at_once_and_then_every_five_seconds() -> None:
    seeing = Seeing([], {KUBUNG: "192.0.2.10"})
    seeing.run(65)
    seeing.asked.clear()
    silent = seeing.now
    seeing.eyes.miss(KUBUNG, silent)
    assert seeing.eyes.office(KUBUNG) is None, "what was before the silence says nothing of it"
    seeing.run(31)
    assert seeing.asked[0] == (silent + 0.25, KUBUNG)
    assert seeing.gaps(KUBUNG) == {OVERDUE_S}
    assert seeing.eyes.office(KUBUNG) is True
    seeing.eyes.hear(KUBUNG)
    assert seeing.eyes.office(KUBUNG) is None


def test_an_office_that_stays_silent_is_asked_less_often() -> None:
    seeing = Seeing([], {KUBUNG: "192.0.2.10"})
    seeing.eyes.miss(KUBUNG, seeing.now)
    seeing.run(620)
    seeing.asked.clear()
    seeing.run(120)
    assert seeing.gaps(KUBUNG) == {ADDRESS_S}


def test_an_address_that_falls_with_its_office_is_not_answering() -> None:
    seeing = Seeing([], {KUBUNG: "192.0.2.10"})
    seeing.run(65)
    seeing.dead = {"192.0.2.10"}
    seeing.run(10)
    seeing.eyes.miss(KUBUNG, seeing.now)
    seeing.run(9)
    assert seeing.eyes.office(KUBUNG) is None, "two lost pings are chance"
    seeing.run(7)
    assert seeing.eyes.office(KUBUNG) is False


def test_an_address_that_never_answered_says_nothing_by_its_silence() -> None:
    seeing = Seeing([], {KUBUNG: "192.0.2.10"})
    seeing.dead = {"192.0.2.10"}
    seeing.run(65)
    seeing.eyes.miss(KUBUNG, seeing.now)
    seeing.run(60)
    assert seeing.eyes.office(KUBUNG) is None


def test_an_answer_to_what_was_asked_before_the_silence_does_not_count() -> None:
    eyes = Eyes()
    eyes.renew([], {KUBUNG: "192.0.2.10"}, 0.0)
    eyes.due(0.0)
    eyes.miss(KUBUNG, 1.0)
    eyes.answered(ADDRESS, 0.0, 1.1)
    assert eyes.office(KUBUNG) is None
    assert eyes.due(1.2) != []


def test_when_all_fall_silent_at_once_they_take_turns() -> None:
    eyes = Eyes()
    codes = [f"{n:05}" for n in range(7285)]
    eyes.renew(["192.0.2.1"], dict.fromkeys(codes, "192.0.2.10"), 0.0)
    for code in codes:
        eyes.miss(code, 0.0)
    asked: set[str] = set()
    for step in range(200):
        asks = eyes.due(step * 0.2)
        assert len(asks) <= AT_ONCE
        asked |= {ask.name for ask in asks if ask.kind is Kind.ADDRESS}
    assert len(asked) == len(codes), "none is left out for ever"


def test_a_changed_address_begins_anew_and_the_others_keep_what_is_known() -> None:
    seeing = Seeing(["192.0.2.1"], {KUBUNG: "192.0.2.10", "b": "192.0.2.11"})
    seeing.run(60)
    seeing.eyes.renew(["192.0.2.1"], {KUBUNG: "192.0.2.12", "b": "192.0.2.11"}, seeing.now)
    assert seeing.eyes.references() is True
    assert seeing.eyes.targets[Kind.ADDRESS, "b"].answered is not None
    assert seeing.eyes.targets[ADDRESS].answered is None


# --- the edge -------------------------------------------------------------------------------


class Told:
    """Keeps what a pinger says."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.lost: list[str] = []
        self.unable: list[str] = []
        self.pinger = Pinger(
            lambda key, _, __: self.answered.append(key[1]),
            lambda key, _, __: self.lost.append(key[1]),
            lambda key: self.unable.append(key[1]),
        )

    async def settle(self, number: int) -> None:
        async with asyncio.timeout(10):
            while len(self.answered) + len(self.lost) + len(self.unable) < number:
                await asyncio.sleep(0.05)
                self.pinger.tick(time.monotonic())


def to(host: str) -> Ask:
    return Ask(Kind.REFERENCE, host, host)


async def test_this_host_answers_and_documentation_addresses_do_not() -> None:
    told = Told()
    for host in ("127.0.0.1", "::1", "127.255.255.255"):
        told.pinger.ask(to(host), time.monotonic())
    await told.settle(3)
    told.pinger.close()
    assert sorted(told.answered) == ["127.0.0.1", "::1"]
    assert told.lost == ["127.255.255.255"]


async def test_a_name_is_looked_up_beside_the_loop() -> None:
    told = Told()
    async with asyncio.timeout(10):
        while not told.answered:
            told.pinger.ask(to("localhost"), time.monotonic())
            await asyncio.sleep(0.1)
    told.pinger.ask(to("nosuchname.invalid"), time.monotonic())
    told.pinger.close()
    assert told.lost[-1] == "nosuchname.invalid"


async def test_many_at_once_each_get_their_own_answer() -> None:
    told = Told()
    hosts = [f"127.0.0.{n}" for n in range(1, 151)]
    for host in hosts:
        told.pinger.ask(to(host), time.monotonic())
    await told.settle(len(hosts))
    told.pinger.close()
    assert sorted(told.answered) == sorted(hosts)


@pytest.mark.lab
async def test_where_the_kernel_allows_it_no_privilege_is_needed() -> None:
    with own_network():
        Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")
        told = Told()
        for host in ("127.0.0.1", "127.0.0.2", "::1"):
            told.pinger.ask(to(host), time.monotonic())
        await told.settle(3)
        told.pinger.close()
    assert sorted(told.answered) == ["127.0.0.1", "127.0.0.2", "::1"]


async def test_where_neither_way_is_allowed_it_says_so_once_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: int) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("collector.eyes_ping.open_icmp", refuse)
    told = Told()
    for _ in range(3):
        told.pinger.ask(to("127.0.0.1"), time.monotonic())
    assert (len(told.unable), told.lost) == (3, [])
    assert caplog.text.count("ping_group_range") == 1


class Judge:
    """Keeps what the watch tells."""

    def __init__(self, inventory: Inventory) -> None:
        self.collector: list[CollectorSeen] = []
        self.centre: list[tuple[str, CentreSeen]] = []
        self.refusals = Refusals()
        self.watch = Watch(
            self.refusals,
            self.collector.append,
            lambda site, seen: self.centre.append((site, seen)),
        )
        self.watch.renew(inventory, time.monotonic())
        self.views = {site.code: SiteView(site.code, State.UP, 0) for site in inventory.sites}

    async def run(self, seconds: float) -> None:
        work = asyncio.create_task(self.watch.run(Mishaps(lambda _: None)))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.watch.tell(self.views.values(), time.monotonic(), time.time_ns() // 1_000_000)
            await asyncio.sleep(0.1)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_the_judge_hears_of_references_and_of_a_silent_office_that_answers() -> None:
    site = Site(KUBUNG, "Kubung", address="127.0.0.1")
    judge = Judge(Inventory("Dinas Uji", references=(Reference("127.0.0.1"),), sites=(site,)))
    await judge.run(0.5)
    assert judge.collector[-1].references is True
    assert judge.collector[-1].hearing
    judge.views[KUBUNG].state = State.SILENT
    judge.refusals.note(KUBUNG, Reason.WRONG_DIGEST)
    await judge.run(1.0)
    site_code, seen = judge.centre[-1]
    assert (site_code, seen.address, seen.wrong_digests) == (KUBUNG, True, 1)
    assert len(judge.centre) <= 2, "it is told when it changes"


async def test_with_all_references_lost_and_a_report_heard_the_line_is_not_cut() -> None:
    site = Site(KUBUNG, "Kubung", interval_s=1)
    judge = Judge(Inventory("Dinas Uji", references=(Reference("127.255.255.255"),), sites=(site,)))
    await judge.run(1.0)
    assert judge.collector[-1].references is False
    assert judge.collector[-1].hearing, "it has not listened long enough to miss anybody"
    await judge.run(6.0)
    assert not judge.collector[-1].hearing


def test_refusals_are_counted_since_the_last_good_report() -> None:
    refusals = Refusals()
    refusals.note(KUBUNG, Reason.WRONG_DIGEST)
    refusals.note(KUBUNG, Reason.WRONG_DIGEST)
    refusals.note(KUBUNG, Reason.MALFORMED)
    assert refusals.count(KUBUNG, Reason.WRONG_DIGEST) == 2
    refusals.heard(KUBUNG)
    assert refusals.count(KUBUNG, Reason.WRONG_DIGEST) == 0
    assert refusals.total == {(KUBUNG, Reason.WRONG_DIGEST): 2}


def test_a_reference_that_never_answered_is_named() -> None:
    seeing = Seeing(["192.0.2.1", "192.0.2.2"], {})
    seeing.dead = {"192.0.2.2"}
    seeing.run(30)
    assert seeing.eyes.mute() == ["192.0.2.2"]
