"""Keys are derived, identities last, boots never go back, and enrolling needs no restart."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import enrolled
from collector.enrolled import Enrolment
from collector.identity import BOOTS_FILE_NAME, FILE_NAME, Identity, boot
from collector.keys import KeyRing, hkdf, parse_user, site_key, user_name
from tabuah.errors import NothingMatchedError, TabuahError
from tabuah.oids import ENTERPRISE
from tabuah.snmp.usm import MAX_INT, Auth, UsmUser

KUBUNG = "13.02.10"
NOON_2026 = datetime(2026, 12, 31, 12, tzinfo=UTC).timestamp()
SECONDS_2026 = 3_681_360 * 60
"""From 2020-01-01T00:00Z to NOON_2026."""


class Clock:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def identity(data: Path) -> Identity:
    return Identity.open(data)


@pytest.fixture
def clock() -> Clock:
    return Clock()


# RFC 5869 appendix A, the three cases with SHA-256.
RFC_5869 = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        42,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        82,
        (
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
    ),
    (
        "0b" * 22,
        "",
        "",
        42,
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("secret", "salt", "info", "length", "okm"), RFC_5869)
def test_hkdf_gives_what_rfc_5869_prints(
    secret: str, salt: str, info: str, length: int, okm: str
) -> None:
    given = (bytes.fromhex(secret), bytes.fromhex(salt), bytes.fromhex(info), length)
    assert hkdf(*given).hex() == okm


def test_hkdf_refuses_more_than_it_can_give() -> None:
    assert len(hkdf(b"x", b"", b"", 8160)) == 8160
    with pytest.raises(ValueError, match="at most 8160"):
        hkdf(b"x", b"", b"", 8161)


def test_each_site_generation_and_collector_has_its_own_key() -> None:
    masters = (bytes(32), bytes(31) + b"\1")
    keys = {
        site_key(master, site, generation)
        for master in masters
        for site in (KUBUNG, "13.02.1", "13.02.11")
        for generation in (1, 2, 11)
    }
    assert len(keys) == 18
    assert {len(key) for key in keys} == {32}


def test_a_key_never_changes_because_offices_hold_it() -> None:
    assert site_key(bytes(range(32)), KUBUNG, 2).hex() == (
        "31bb154b2176263340f43db2b31b125f3b155b0b734b8dc7fc5b5d94395dbdd1"
    )


codes = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,21}", fullmatch=True)


@given(codes, st.integers(1, 999_999_999))
def test_a_user_name_tells_site_and_generation(code: str, generation: int) -> None:
    assert parse_user(user_name(code, generation)) == (code, generation)


@pytest.mark.parametrize(
    "user",
    [
        "", "#", "13.02.10", "13.02.10#", "#1", "13.02.10#0", "13.02.10#02", "13.02.10#-1",
        "13.02.10#+1", "13.02.10#1 ", " 13.02.10#1", "13.02.10#1\n", "13.02.10#1#1", "a b#1",
        "13.02.10#\u0661", "\u0661#1", "../x#1", "13.02.10#9999999999", "13.02.10#1\0",
    ],
)  # fmt: skip
def test_any_other_spelling_is_no_user(user: str) -> None:
    assert parse_user(user) is None


def test_a_code_too_long_for_snmp_says_so() -> None:
    assert user_name("x" * 30, 9)
    with pytest.raises(TabuahError, match="use at most 29 letters"):
        user_name("x" * 30, 10)


def test_an_identity_is_made_once_and_kept(data: Path) -> None:
    first = Identity.open(data)
    assert Identity.open(data) == first
    assert first.engine_id[:5] == (0x8000_0000 | ENTERPRISE).to_bytes(4, "big") + b"\5"
    assert len(first.engine_id) == 9
    assert len(first.master) == 32
    assert Identity.open(data.with_name("other")).engine_id != first.engine_id


def test_every_file_of_the_folder_is_private(data: Path, identity: Identity) -> None:
    boot(data, NOON_2026, 0.0)
    enrolled.enrol(data, [KUBUNG])
    assert data.stat().st_mode & 0o777 == 0o700
    assert identity.master
    modes = {file.name: file.stat().st_mode & 0o777 for file in data.iterdir()}
    assert modes == dict.fromkeys((".lock", FILE_NAME, BOOTS_FILE_NAME, enrolled.FILE_NAME), 0o600)


@pytest.mark.lab
def test_what_root_writes_beside_a_collector_of_another_user_belongs_to_that_user(
    data: Path,
) -> None:
    data.mkdir()
    os.chown(data, 65534, 65534)
    Identity.open(data)
    enrolled.enrol(data, [KUBUNG])
    assert {file.stat().st_uid for file in data.iterdir()} == {65534}


def test_secrets_show_neither_in_repr_nor_in_messages(
    data: Path, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    enrolled.enrol(data, [KUBUNG])
    ring = KeyRing(data, identity)
    user = ring.lookup(f"{KUBUNG}#1")
    secrets = [identity.master, site_key(identity.master, KUBUNG, 1)]
    path = data / FILE_NAME
    path.write_text(path.read_text().replace("}", ""))
    with pytest.raises(TabuahError, match="damaged; restore it") as caught:
        Identity.open(data)
    assert caught.value.__cause__ is None
    said = repr((identity, user, ring)) + caplog.text + str(caught.value)
    for secret in secrets:
        assert secret.hex() not in said
        assert repr(secret) not in said


def test_an_identity_left_open_to_others_is_closed(
    data: Path, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    (data / FILE_NAME).chmod(0o644)
    assert Identity.open(data) == identity
    assert (data / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert "readable by others" in caplog.text


@pytest.mark.usefixtures("identity")
def test_a_lost_identity_is_not_replaced_in_silence(data: Path) -> None:
    enrolled.enrol(data, [KUBUNG])
    (data / FILE_NAME).unlink()
    with pytest.raises(TabuahError, match="offices were enrolled with it; restore it"):
        Identity.open(data)


@pytest.mark.usefixtures("identity")
@pytest.mark.parametrize(
    "content", [{}, {"engine_id": "80", "master": "00" * 32}, {"engine_id": "zz", "master": 3}, []]
)
def test_a_damaged_identity_says_so(data: Path, content: object) -> None:
    (data / FILE_NAME).write_text(json.dumps(content))
    with pytest.raises(TabuahError, match=r"identity\.json: damaged"):
        Identity.open(data)


@pytest.mark.usefixtures("identity")
def test_boots_grow_with_each_start_and_are_kept_before_use(data: Path) -> None:
    first = boot(data, NOON_2026, 50.0)
    assert first.boots == SECONDS_2026
    assert (data / BOOTS_FILE_NAME).read_text() == f"{SECONDS_2026}\n"
    assert [boot(data, NOON_2026 + n, 0.0).boots for n in range(3)] == [
        SECONDS_2026 + 1, SECONDS_2026 + 2, SECONDS_2026 + 3,
    ]  # fmt: skip
    assert first.at(50.9) == (SECONDS_2026, 0)
    assert first.at(3650.0) == (SECONDS_2026, 3600)


@pytest.mark.usefixtures("identity")
def test_boots_do_not_go_back_with_a_restored_backup(data: Path) -> None:
    old = (boot(data, NOON_2026 - 86_400 * 90, 0.0), (data / BOOTS_FILE_NAME).read_bytes())[1]
    before = boot(data, NOON_2026, 0.0).boots
    (data / BOOTS_FILE_NAME).write_bytes(old)
    assert boot(data, NOON_2026 + 60, 0.0).boots > before
    (data / BOOTS_FILE_NAME).unlink()
    assert boot(data, NOON_2026 + 120, 0.0).boots > before


@pytest.mark.usefixtures("identity")
def test_boots_do_not_run_ahead_of_the_clock_however_often_a_collector_is_started(
    data: Path,
) -> None:
    boot(data, NOON_2026, 0.0)
    backup = (data / BOOTS_FILE_NAME).read_bytes()
    before = 0
    for start in range(1, 300):
        before = boot(data, NOON_2026 + start, 0.0).boots
    (data / BOOTS_FILE_NAME).write_bytes(backup)
    assert boot(data, NOON_2026 + 300, 0.0).boots > before


@pytest.mark.usefixtures("identity")
def test_boots_do_not_go_back_with_a_clock_that_begins_at_1970(data: Path) -> None:
    before = boot(data, NOON_2026, 0.0).boots
    assert boot(data, 5.0, 0.0).boots == before + 1


@pytest.mark.usefixtures("identity")
def test_boots_that_ran_out_say_so(data: Path) -> None:
    (data / BOOTS_FILE_NAME).write_text(str(MAX_INT - 1))
    with pytest.raises(TabuahError, match="reached their end"):
        boot(data, NOON_2026, 0.0)


def test_enrolling_again_keeps_the_key_and_rotating_makes_one(data: Path) -> None:
    Identity.open(data)
    assert enrolled.enrol(data, [KUBUNG, "x"]) == {KUBUNG: 1, "x": 1}
    assert enrolled.enrol(data, [KUBUNG]) == {KUBUNG: 1}
    assert enrolled.enrol(data, [KUBUNG], rotate=True) == {KUBUNG: 2}
    assert enrolled.read(data) == {KUBUNG: Enrolment(2), "x": Enrolment(1)}


def test_many_may_enrol_at_once(data: Path) -> None:
    script = """
import sys
from pathlib import Path
from collector import enrolled
from collector.identity import Identity
data, name = Path(sys.argv[1]), sys.argv[2]
sys.stdin.readline()
print(Identity.open(data).engine_id.hex())
for number in range(20):
    enrolled.enrol(data, [f"{name}-{number}"])
    enrolled.enrol(data, ["shared"], rotate=True)
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(data), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "abcd"
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    engines = set()
    for child in children:
        assert child.stdout is not None
        engines.add(child.stdout.read())
        child.stdout.close()
        assert child.wait() == 0
    assert len(engines) == 1
    offices = enrolled.read(data)
    assert len(offices) == 81
    assert offices["shared"].generation == 80
    assert not [file for file in data.iterdir() if file.name.startswith(".enrolled")]


def test_a_damaged_list_of_offices_says_so(data: Path, identity: Identity) -> None:
    (data / enrolled.FILE_NAME).write_text('{"13.02.10": 4}')
    with pytest.raises(TabuahError, match=r"enrolled\.json: damaged .* restore it"):
        KeyRing(data, identity)


def test_a_user_has_the_keys_that_its_office_derives(
    data: Path, identity: Identity, clock: Clock
) -> None:
    enrolled.enrol(data, [KUBUNG])
    ku = site_key(identity.master, KUBUNG, 1)
    office = UsmUser.from_ku(f"{KUBUNG}#1", Auth.SHA256_192, ku, ku, identity.engine_id)
    ring = KeyRing(data, identity, clock)
    assert ring.lookup(f"{KUBUNG}#1") == office
    assert ring.lookup(f"{KUBUNG}#1") is ring.lookup(f"{KUBUNG}#1")


def test_an_office_enrolled_beside_a_running_collector_is_known_within_a_second(
    data: Path, identity: Identity, clock: Clock
) -> None:
    ring = KeyRing(data, identity, clock)
    enrolled.enrol(data, [KUBUNG])
    assert ring.lookup(f"{KUBUNG}#1") is None
    clock.now += 1.0
    assert ring.lookup(f"{KUBUNG}#1") is not None
    assert ring.lookup(f"{KUBUNG}#2") is None


def test_unknown_names_cost_no_look_at_the_disk(
    data: Path, identity: Identity, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing(data, identity, clock)
    looks: list[Path] = []
    real = Path.stat

    def counted(path: Path, *, follow_symlinks: bool = True) -> object:
        looks.append(path)
        return real(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", counted)
    for second in range(3):
        clock.now = 2000.0 + second
        for number in range(500):
            assert ring.lookup(f"guess-{number}#1") is None
            assert ring.lookup(f"{number}") is None
    assert looks == [data / enrolled.FILE_NAME] * 3


def test_the_old_key_is_good_until_the_new_one_is_first_heard(
    data: Path, identity: Identity, clock: Clock
) -> None:
    enrolled.enrol(data, [KUBUNG])
    ring = KeyRing(data, identity, clock)
    old, new = f"{KUBUNG}#1", f"{KUBUNG}#2"
    assert ring.lookup(old) is not None
    ring.heard(old)
    enrolled.enrol(data, [KUBUNG], rotate=True)
    clock.now += 5
    assert ring.lookup(new) is not None
    ring.heard(old)
    assert ring.lookup(old) is not None
    ring.heard(new)
    assert ring.lookup(old) is None
    ring.heard(old)  # a report of the old key that was still on its way
    assert ring.lookup(old) is None
    assert ring.lookup(new) is not None


def test_what_was_heard_outlives_a_restart_and_another_enrolment(
    data: Path, identity: Identity, clock: Clock
) -> None:
    enrolled.enrol(data, [KUBUNG])
    enrolled.enrol(data, [KUBUNG], rotate=True)
    ring = KeyRing(data, identity, clock)
    ring.heard(f"{KUBUNG}#2")
    enrolled.enrol(data, ["x"])
    clock.now += 5
    assert ring.lookup("x#1") is not None  # the file is read again here, before it was saved
    assert ring.lookup(f"{KUBUNG}#1") is None
    ring.save()
    enrolled.enrol(data, ["y"])
    again = KeyRing(data, identity, clock)
    assert again.lookup(f"{KUBUNG}#1") is None
    assert again.lookup(f"{KUBUNG}#2") is not None


def test_a_revoked_key_stops_working_within_a_second_and_a_new_one_works(
    data: Path, identity: Identity, clock: Clock
) -> None:
    enrolled.enrol(data, [KUBUNG, "x"])
    ring = KeyRing(data, identity, clock)
    assert ring.lookup(f"{KUBUNG}#1") is not None
    ring.heard(f"{KUBUNG}#1")
    assert enrolled.revoke(data, [KUBUNG]) == {KUBUNG: 1}
    clock.now += 1.0
    ring.refresh()
    assert ring.lookup(f"{KUBUNG}#1") is None
    assert ring.lookup("x#1") is not None
    ring.heard(f"{KUBUNG}#1")  # a report that was still on its way
    ring.save()
    assert enrolled.enrol(data, [KUBUNG]) == {KUBUNG: 2}
    assert enrolled.enrol(data, [KUBUNG]) == {KUBUNG: 2}, "the same file again"
    clock.now += 1.0
    ring.refresh()
    assert ring.lookup(f"{KUBUNG}#2") is not None
    assert ring.lookup(f"{KUBUNG}#1") is None
    assert KeyRing(data, identity, clock).lookup(f"{KUBUNG}#1") is None


@pytest.mark.usefixtures("identity")
def test_revoking_voids_all_generations_also_one_that_was_never_heard(data: Path) -> None:
    enrolled.enrol(data, [KUBUNG])
    enrolled.enrol(data, [KUBUNG], rotate=True)
    assert enrolled.revoke(data, [KUBUNG]) == {KUBUNG: 2}
    entry = enrolled.read(data)[KUBUNG]
    assert not any(entry.accepts(generation) for generation in (1, 2))
    assert enrolled.enrol(data, [KUBUNG], rotate=True) == {KUBUNG: 4}


@pytest.mark.usefixtures("identity")
def test_revoking_an_office_that_is_not_enrolled_changes_nothing(data: Path) -> None:
    enrolled.enrol(data, [KUBUNG])
    with pytest.raises(NothingMatchedError, match="not enrolled there: y, z; nothing was revoked"):
        enrolled.revoke(data, [KUBUNG, "y", "z"])
    assert enrolled.read(data) == {KUBUNG: Enrolment(1)}


def test_looking_whether_keys_were_revoked_costs_one_look_at_the_disk_a_second(
    data: Path, identity: Identity, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing(data, identity, clock)
    looks: list[None] = []
    monkeypatch.setattr(ring, "_file_stamp", lambda: looks.append(None))
    for tick in range(10):
        clock.now = 2000.0 + tick / 2
        ring.refresh()
    assert len(looks) == 5


def test_saving_nothing_writes_nothing(data: Path, identity: Identity, clock: Clock) -> None:
    enrolled.enrol(data, [KUBUNG])
    ring = KeyRing(data, identity, clock)
    before = (data / enrolled.FILE_NAME).stat().st_mtime_ns
    ring.heard(f"{KUBUNG}#1")
    ring.heard("nobody#1")
    ring.save()
    assert (data / enrolled.FILE_NAME).stat().st_mtime_ns == before


def test_an_office_behind_two_rotations_is_not_locked_out(
    data: Path, identity: Identity, clock: Clock
) -> None:
    for rotate in (False, True, True):
        enrolled.enrol(data, [KUBUNG], rotate=rotate)
    ring = KeyRing(data, identity, clock)
    assert ring.lookup(f"{KUBUNG}#1") is not None
    assert ring.lookup(f"{KUBUNG}#4") is None


def test_the_ring_goes_on_with_what_it_knows_when_the_file_breaks(
    data: Path, identity: Identity, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    enrolled.enrol(data, [KUBUNG])
    ring = KeyRing(data, identity, clock)
    (data / enrolled.FILE_NAME).write_text("{")
    clock.now += 5
    assert ring.lookup("x#1") is None
    assert "going on with what was read before" in caplog.text
    assert ring.lookup(f"{KUBUNG}#1") is not None


def test_the_memory_of_the_ring_is_bounded(data: Path, identity: Identity, clock: Clock) -> None:
    names = [f"sim-{number}" for number in range(10)]
    enrolled.enrol(data, names)
    ring = KeyRing(data, identity, clock, limit=3)
    for name in names * 2:
        assert ring.lookup(f"{name}#1") is not None
        assert len(ring._users) <= 3
