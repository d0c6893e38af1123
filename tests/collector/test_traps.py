"""Traps: what is read of a datagram, whose it is, what is fresh, and what a flood may cost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.case import Case, Gap, Nature
from collector.judgement.diagnosis import diagnose
from collector.judgement.evidence import Cause, CentreSeen, Observation, Source, Verdict
from collector.store import Store
from collector.traps import keeper, words
from collector.traps.book import PAGE, Book, Entry, TrapStore, body_of, entry_of
from collector.traps.opening import MOST_OCTETS, Credentials, Opened, Opener, Refusal
from collector.traps.places import Place, Places, plain
from collector.traps.rations import Rations
from collector.traps.trap import MOST_LINE, MOST_TEXT, MOST_VARIABLES, Trap, from_line, to_line
from inventory.model import Device, Endpoint, Inventory, Site, SnmpSecurity, Traps, TrapUser
from inventory.secret import SecretRef
from tabuah.errors import DecodeError
from tabuah.snmp import message
from tabuah.snmp.message import ScopedPdu
from tabuah.snmp.pdu import Pdu, PduType, Tag, VarBind
from tabuah.snmp.usm import Auth, EngineTime, Level, UsmUser, password_to_key

UPS = "1.3.6.1.2.1.33.2.1"
UPTIME = VarBind((1, 3, 6, 1, 2, 1, 1, 3, 0), Tag.TIMETICKS, 55)
KUBUNG, TALANG = "13.02.10", "13.02.07"
PASSWORD, PRIVATE = "a long password", "another one"
ENGINE = bytes.fromhex("8000000001020304")
USER = Credentials.of("ups-kubung", "sha1", PASSWORD, PRIVATE)
TRAP = Trap(1_000, "198.51.100.10", "2c", UPS)
SIGNED = replace(TRAP, version="3", user="ups-kubung", engine_id=ENGINE.hex(), boots=7, time=1000)


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., bytes]]:
    """Make datagrams with net-snmp's snmptrap."""
    state = tmp_path_factory.mktemp("snmptrap")
    (state / "cert_indexes").mkdir()
    program = shutil.which("snmptrap", path=f"{os.environ.get('PATH', '')}:/usr/bin")
    assert program is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        port = listening.getsockname()[1]

        def make(*words: str, rest: tuple[str, ...]) -> bytes:
            subprocess.run(
                [program, *words, "-m", "", f"udp:127.0.0.1:{port}", *rest],
                env={**os.environ, "SNMP_PERSISTENT_DIR": str(state), "SNMPCONFPATH": str(state)},
                check=True,
                timeout=10,
            )
            return listening.recv(65_535)

        yield make


def opened(datagram: bytes, *users: Credentials) -> Opened:
    found = Opener(users).open(datagram, "198.51.100.10", 5)
    assert isinstance(found, Opened), found
    return found


LINK = (
    *("1.3.6.1.2.1.2.2.1.1.3", "i", "3"),
    *("1.3.6.1.2.1.31.1.1.1.1.3", "s", "wan0"),
    *("1.3.6.1.2.1.2.2.1.8.3", "i", "2"),
)


@pytest.mark.peer
def test_a_v1_trap_is_read_as_rfc_3584_has_it(trap: Callable[..., bytes]) -> None:
    rest = ("1.3.6.1.4.1.9", "192.168.1.1", "2", "0", "55", *LINK)
    found = opened(trap("-v", "1", "-c", "x", rest=rest)).trap
    assert (found.version, found.oid, found.agent) == ("1", words.LINK_DOWN, "192.168.1.1")
    assert (found.uptime_ticks, found.authentic) == (55, False)
    assert words.says(found) == (
        "linkDown: an interface went down (ifIndex 3, ifName wan0, ifOperStatus down)"
    )


@pytest.mark.peer
def test_a_v1_trap_of_an_enterprise_is_known_by_its_number(trap: Callable[..., bytes]) -> None:
    minutes = ("1.3.6.1.2.1.33.1.2.3.0", "i", "12")
    rest = ("1.3.6.1.2.1.33.2", "192.168.1.5", "6", "1", "55", *minutes)
    found = opened(trap("-v", "1", "-c", "x", rest=rest)).trap
    assert found.oid in words.UPS_ON_BATTERY
    assert words.says(found) == (
        "upsTrapOnBattery: the UPS runs on its battery (upsEstimatedMinutesRemaining 12)"
    )


@pytest.mark.peer
def test_a_v2c_trap_of_any_community_is_read_and_the_community_is_not_kept(
    trap: Callable[..., bytes],
) -> None:
    found = opened(trap("-v", "2c", "-c", "hunter2", rest=("9", words.LINK_UP, *LINK))).trap
    assert (found.version, found.oid, len(found.variables)) == ("2c", words.LINK_UP, 3)
    assert "hunter2" not in to_line(found).decode()


@pytest.mark.peer
@pytest.mark.parametrize(
    ("auth", "word"), [("sha1", "SHA"), ("sha256", "SHA-256")], ids=["sha1", "sha256"]
)
@pytest.mark.parametrize("private", [True, False], ids=["authPriv", "authNoPriv"])
def test_a_signed_trap_names_who_signed_it(
    trap: Callable[..., bytes], auth: str, word: str, private: bool
) -> None:
    user = Credentials.of("ups", auth, PASSWORD, PRIVATE if private else None)
    level = "authPriv" if private else "authNoPriv"
    how = ["-v", "3", "-e", "0x" + ENGINE.hex(), "-u", "ups", "-l", level, "-a", word]
    how += ["-A", PASSWORD, *(("-x", "AES", "-X", PRIVATE) if private else ())]
    datagram = trap(*how, rest=("9", UPS))
    found = opened(datagram, user).trap
    assert (found.user, found.engine_id, found.oid) == ("ups", ENGINE.hex(), UPS)
    other = Credentials.of("ups", auth, "wrong password", PRIVATE if private else None)
    assert Opener([other]).open(datagram, "", 0) is Refusal.BAD_AUTH
    assert Opener([]).open(datagram, "", 0) is Refusal.UNKNOWN_USER
    stricter = Credentials.of("ups", auth, PASSWORD, None if private else PRIVATE)
    assert Opener([stricter]).open(datagram, "", 0) is Refusal.BAD_AUTH
    assert Opener([user], lambda _: False).open(datagram, "", 0) is Refusal.LIMITED


@pytest.mark.peer
def test_what_claims_a_known_user_and_is_not_signed_is_refused(trap: Callable[..., bytes]) -> None:
    how = ("-v", "3", "-e", "0x" + ENGINE.hex(), "-u", USER.name, "-l", "noAuthNoPriv")
    assert Opener([USER]).open(trap(*how, rest=("9", UPS)), "", 0) is Refusal.BAD_AUTH


def signed(pdu: Pdu, user: str = USER.name, engine_id: bytes = ENGINE) -> bytes:
    auth_ku, priv_ku = (password_to_key(p.encode(), Auth.SHA1_96) for p in (PASSWORD, PRIVATE))
    return message.encode(
        message.encode_scoped(ScopedPdu(ENGINE, b"", pdu)),
        msg_id=1,
        user=UsmUser.from_ku(user, Auth.SHA1_96, auth_ku, priv_ku, engine_id),
        level=Level.AUTH_PRIV,
        engine_id=engine_id,
        stamp=EngineTime(7, 1000),
        salt=bytes(8),
        reportable=False,
    )


def trap_pdu(kind: PduType = PduType.TRAP, *binds: VarBind) -> Pdu:
    oid = tuple(map(int, UPS.split(".")))
    name = VarBind((1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0), Tag.OID, oid)
    return Pdu(kind, 1, varbinds=(UPTIME, name, *binds))


def test_a_signed_inform_is_not_a_trap() -> None:
    assert Opener([USER]).open(signed(trap_pdu(PduType.INFORM)), "", 0) is Refusal.UNSUPPORTED


def test_a_message_that_claims_to_be_signed_and_names_nobody_is_refused() -> None:
    """As pysnmp 7.1 takes it for authentic."""
    assert Opener([USER]).open(signed(trap_pdu(), user=""), "", 0) is Refusal.UNKNOWN_USER


@pytest.mark.peer
def test_a_v2c_inform_is_answered_by_its_echo(trap: Callable[..., bytes]) -> None:
    datagram = trap("-v", "2c", "-c", "x", rest=("9", UPS, *LINK))
    at = datagram.index(bytes((PduType.TRAP,)))
    inform = datagram[:at] + bytes((PduType.INFORM,)) + datagram[at + 1 :]
    found = opened(inform + b"junk that follows")
    assert found.trap.oid == UPS
    assert found.reply is not None
    answer = message.decode_community(found.reply)
    assert answer.pdu.type is PduType.RESPONSE
    assert len(answer.pdu.varbinds) == 5


@given(st.binary(max_size=400))
def test_no_octets_make_the_opener_raise(octets: bytes) -> None:
    found = Opener([USER]).open(octets, "192.0.2.1", 0)
    assert isinstance(found, Opened | Refusal)


# Of snmptrap -v 1: linkDown of 192.168.1.1, ifIndex 3.
OF_V1 = bytes.fromhex(
    "3032020100040178a42a06062b06010401094004c0a801010201020201004301373011300f060a2b06010201020201"
    "0103020103"
)
SEEDS = (OF_V1, message.encode_community(b"x", trap_pdu()), signed(trap_pdu()))


@given(st.sampled_from(SEEDS), st.data())
def test_no_change_to_a_trap_makes_the_opener_raise(seed: bytes, data: st.DataObject) -> None:
    octets = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    found = Opener([USER]).open(bytes(octets), "192.0.2.1", 0)
    if isinstance(found, Opened):
        assert from_line(to_line(found.trap)) == found.trap
        assert not found.trap.user or bytes(octets) == seed


def test_a_datagram_that_is_too_long_is_not_read() -> None:
    assert Opener().open(bytes(MOST_OCTETS + 1), "", 0) is Refusal.MALFORMED


def test_what_is_kept_of_a_trap_is_bounded() -> None:
    values = [VarBind((1, 3, 6, 1, 4, 1, 9, n), Tag.OCTET_STRING, b"x" * 9) for n in range(39)]
    values.insert(0, VarBind((1, 3, 6, 1, 4, 1, 9, 9), Tag.OCTET_STRING, b"x" * 900))
    found = opened(signed(trap_pdu(PduType.TRAP, *values)), USER).trap
    assert len(found.variables) == MOST_VARIABLES
    assert all(len(value) <= MOST_TEXT for _, value in found.variables)
    assert len(to_line(found)) <= MOST_LINE


# --- the line between the processes ---------------------------------------------------------

TEXT = st.text(max_size=60)
TRAPS = st.builds(
    Trap,
    at_ms=st.integers(0, 2**50),
    source=TEXT,
    version=st.sampled_from(["1", "2c", "3"]),
    oid=TEXT,
    variables=st.lists(st.tuples(TEXT, TEXT), max_size=5).map(tuple),
    uptime_ticks=st.none() | st.integers(0, 2**32 - 1),
    agent=TEXT,
    user=TEXT,
    engine_id=TEXT,
    boots=st.integers(0, 2**31 - 1),
    time=st.integers(0, 2**31 - 1),
)


@given(TRAPS)
def test_a_trap_survives_its_line_and_its_kept_form(one: Trap) -> None:
    assert from_line(to_line(one)) == one
    entry = Entry(one, KUBUNG, "ups", certain=True)
    assert entry_of(KUBUNG, body_of(entry)) == entry
    assert isinstance(words.says(one), str)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(sorted(Trap.__slots__)), JSON).map(
        lambda value: json.dumps({**json.loads(to_line(TRAP)), **value}).encode()
    )
)
def test_no_line_makes_the_reader_raise_but_what_it_says(line: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert isinstance(from_line(line), Trap)


def test_a_trap_that_an_earlier_version_kept_is_read() -> None:
    kept = json.loads(to_line(TRAP))
    del kept["agent"], kept["variables"], kept["boots"]
    assert from_line(json.dumps(kept).encode()) == TRAP


# --- whose it is ----------------------------------------------------------------------------


def place_of(trap: Trap) -> Place | None:
    key = SnmpSecurity("sha1", SecretRef.parse("env:UPS"))
    users = (TrapUser("ups-kubung", key, None, KUBUNG), TrapUser("all", key))
    router, ups = Device("router", "192.168.1.1"), Device("ups", "192.168.1.5")
    sites = (
        Site(KUBUNG, "Kubung", address="198.51.100.10", devices=(router, ups)),
        Site(TALANG, "Talang", address="198.51.100.7", devices=(router, Device("l", "10.7.0.1"))),
        Site("a", "A", address="198.51.100.99"),
        Site("b", "B", address="198.51.100.99"),
    )
    listen = Traps(Endpoint("0.0.0.0", 162), users)
    return Places.of(Inventory("test", traps=listen, sites=sites)).find(trap)


@pytest.mark.parametrize(
    ("found", "place"),
    [
        (TRAP, Place(KUBUNG)),
        (replace(TRAP, source="::ffff:198.51.100.10"), Place(KUBUNG)),
        (replace(TRAP, agent="192.168.1.5"), Place(KUBUNG, "ups")),
        (replace(TRAP, source="198.51.100.7", agent="192.168.1.1"), Place(TALANG, "router")),
        (replace(TRAP, source="10.7.0.1"), Place(TALANG, "l")),
        (replace(TRAP, source="192.168.1.1"), None),
        (replace(TRAP, source="198.51.100.99"), None),
        (replace(TRAP, source="203.0.113.5"), None),
        (SIGNED, Place(KUBUNG, certain=True)),
        (replace(SIGNED, source="203.0.113.5"), Place(KUBUNG, certain=True)),
        (replace(SIGNED, user="all"), Place(KUBUNG)),
        (replace(SIGNED, source="192.168.1.5"), Place(KUBUNG, "ups", certain=True)),
    ],
)
def test_whose_trap_it_is(found: Trap, place: Place | None) -> None:
    assert place_of(found) == place


def test_an_address_is_spelt_in_one_way() -> None:
    assert plain("2001:DB8:0::1%eth0") == "2001:db8::1"
    assert plain("router.example") == "router.example"


def book() -> Book:
    places = Places()
    places._users["ups-kubung"] = KUBUNG
    return Book(places)


def test_only_a_fresh_trap_of_one_offices_user_is_certain() -> None:
    kept = book()
    assert kept.hear(SIGNED, 0.0).certain
    assert kept.battery == {KUBUNG: SIGNED.at_ms}
    assert not kept.hear(TRAP, 1.0).certain
    assert not kept.hear(replace(SIGNED, time=700), 2.0).certain, "a replay out of its window"
    assert not kept.hear(replace(SIGNED, boots=6, time=9000), 3.0).certain
    assert not kept.hear(SIGNED, 400.0).certain, "the same again, later"
    assert kept.outcomes == {"certain": 1, "placed": 0, "unplaced": 1, "replayed": 3}


def test_a_replay_is_known_over_a_restart() -> None:
    kept = book()
    kept.remember([Entry(SIGNED, KUBUNG, certain=True)], 0.0)
    assert kept.battery == {KUBUNG: SIGNED.at_ms}
    assert not kept.hear(replace(SIGNED, time=600), 1.0).certain


def test_the_mains_return_ends_what_the_battery_began() -> None:
    kept = book()
    kept.hear(SIGNED, 0.0)
    alarm = (("1.3.6.1.2.1.33.1.6.2.1.2.1", "1.3.6.1.2.1.33.1.6.3.2"),)
    back = replace(SIGNED, oid="1.3.6.1.2.1.33.2.4", variables=alarm, time=1100)
    assert words.says(back).endswith("(upsAlarmDescr upsAlarmOnBattery)")
    kept.hear(back, 100.0)
    assert kept.battery == {}


def test_traps_are_kept_found_by_office_and_time_and_let_go(place: Path | str) -> None:
    with Store.open(place) as store:
        shelf = TrapStore(store)
        shelf.append(
            [Entry(replace(TRAP, at_ms=n), KUBUNG if n % 2 else TALANG) for n in range(10)]
        )
        assert [one.trap.at_ms for one in shelf.between(KUBUNG, 3, 9)] == [3, 5, 7]
        assert len(list(shelf.between(None, 0, 100))) == 10
        assert [one.trap.at_ms for one in shelf.between(None, 0, 100, 2)] == [0, 1]
        assert [one.trap.at_ms for one in shelf.newest(2)] == [8, 9]
        shelf.append([Entry(replace(TRAP, at_ms=50), "many") for _ in range(2 * PAGE + 7)])
        assert len(list(shelf.between("many", 50, 51))) == 2 * PAGE + 7
        assert len(list(shelf.between("many", 0, 99, PAGE + 1))) == PAGE + 1
        shelf.prune(4)
        assert [one.trap.at_ms for one in shelf.between(None, 0, 50)] == [4, 5, 6, 7, 8, 9]
        shelf.prune(4, most=2 * PAGE + 12)
        assert [one.trap.at_ms for one in shelf.between(None, 0, 50)] == [5, 6, 7, 8, 9]


# --- rations --------------------------------------------------------------------------------


def test_a_flood_from_everywhere_leaves_the_offices_devices_their_ration() -> None:
    rations = Rations(frozenset({"198.51.100.10"}))
    taken = sum(
        rations.allows(f"203.0.{n % 200}.{n % 250}", n / 10_000, v3=False) for n in range(100_000)
    )
    assert taken <= 100 + 10 * 10
    assert rations.allows("198.51.100.10", 10.0, v3=False)
    assert rations.allows("203.0.113.1", 10.0, v3=True)


def test_one_that_floods_takes_nothing_from_the_others() -> None:
    rations = Rations(frozenset({"198.51.100.10", "198.51.100.11"}))
    for n in range(10_000):
        rations.allows("198.51.100.10", n / 1000, v3=False)
    assert rations.allows("198.51.100.11", 10.0, v3=False)


# --- beside a silence -----------------------------------------------------------------------

SILENCE = Case(KUBUNG, "telkom", Nature.GAP, 10_000_000, None, gap=Gap.OPEN)


def told(at_ms: int, before: Observation | None = None) -> Verdict:
    seen = CentreSeen(SILENCE.began_ms, battery_ms=at_ms)
    return diagnose(replace(SILENCE, centre=seen, before=before))


def test_a_ups_that_signed_its_word_explains_the_silence_that_follows() -> None:
    verdict = told(SILENCE.began_ms - 600_000)
    assert verdict.cause is Cause.POWER
    assert "signed trap" in verdict.evidence[0].says
    assert told(SILENCE.began_ms - 2 * 3_600_000).cause is Cause.UNKNOWN, "too long ago"


def test_a_report_that_says_mains_after_it_outweighs_it() -> None:
    before = Observation(
        *(KUBUNG, SILENCE.began_ms - 10_000, SILENCE.began_ms - 10_000),
        late=False,
        interval_ms=10_000,
        epoch=1,
        seq=1,
        boot_id=b"",
        uptime_ms=1,
        on_battery=False,
    )
    assert told(SILENCE.began_ms - 600_000, before).cause is Cause.UNKNOWN


def test_a_trap_that_anyone_could_have_sent_is_shown_and_decides_nothing() -> None:
    kept = book()
    kept.places._offices[TRAP.source] = {KUBUNG}
    kept.hear(replace(TRAP, at_ms=SILENCE.began_ms - 1000), 0.0)
    assert kept.battery == {}
    shown = kept.around(KUBUNG, SILENCE.began_ms)
    verdict = diagnose(replace(SILENCE, centre=CentreSeen(SILENCE.began_ms, traps=shown)))
    assert verdict.cause is Cause.UNKNOWN
    assert verdict.evidence[-1].source is Source.TRAP
    assert verdict.evidence[-1].says == (
        "198.51.100.10 said upsTrapOnBattery: the UPS runs on its battery; unproved, so it decides "
        "nothing"
    )
    assert kept.around(KUBUNG, SILENCE.began_ms + 3_600_000) == ()


def test_only_the_newest_traps_of_an_office_are_shown() -> None:
    kept = book()
    kept.places._offices[TRAP.source] = {KUBUNG}
    for n in range(100):
        kept.hear(replace(TRAP, at_ms=n), 0.0)
    assert [one.at_ms for one in kept.around(KUBUNG, 0)] == [95, 96, 97, 98, 99]


def test_a_port_that_needs_a_privilege_is_told_with_what_to_do() -> None:
    refused = PermissionError(13, "Permission denied")
    said = keeper._advice(Endpoint("0.0.0.0", 162), refused)
    assert said.startswith("cannot hear traps on 0.0.0.0:162: Permission denied; the rest runs.")
    assert "CAP_NET_BIND_SERVICE" in said


def test_a_password_that_cannot_be_had_leaves_the_other_users(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "good").write_text("a long password\n")
    users = tuple(
        TrapUser(name, SnmpSecurity("sha1", SecretRef.parse(f"file:{name}")))
        for name in ("bad", "good")
    )
    listen = Traps(Endpoint("0.0.0.0", 162), users)
    orders = keeper.orders_of(Inventory("test", directory=tmp_path, traps=listen), ["10.7.0.1"])
    assert orders == {"users": [["good", "sha1", "a long password", None]], "known": ["10.7.0.1"]}
    assert "traps of user bad are not taken" in caplog.text
