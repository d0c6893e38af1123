"""What is wrong between an office and its collector, in one sentence that says what to do. Pure.

For the person at the office, in Bahasa Indonesia and English: `agent check` prints it, and the
running agent may log it. What a Report says is mostly unauthenticated, so it is advice: nothing is
decided by it.

There is no word on a clock that is wrong and believed to be right. The collector's own time does
not reach the office: its engine boots are the seconds since 2020 only as long as its clock was
never wrong. The collector itself sees the difference (`tabuah_agent_clock_skew_seconds`).
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from tabuah.address import address_text
from tabuah.report import Clock
from tabuah.snmp.client import Reason

_NOT_BEFORE_MS: Final = round(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
"""A host without a battery for its clock begins at 1970, or when its image was made."""


class Trouble(Enum):
    """What can be wrong. The value is the word in JSON."""

    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    """The host says that nobody listens there (ICMP port unreachable)."""
    NO_ROUTE = "no_route"
    NAME_NOT_FOUND = "name_not_found"
    WRONG_KEY = "wrong_key"
    UNKNOWN_USER = "unknown_user"
    OTHER_ENGINE = "other_engine"
    TIME_WINDOW = "time_window"
    NOT_UNDERSTOOD = "not_understood"
    """Something answers, and it is nothing that a collector of ours would say."""
    CLOCK_UNSET = "clock_unset"
    CLOCK_UNSYNCHRONISED = "clock_unsynchronised"


_OF_REASON: Final[Mapping[Reason, Trouble]] = {
    Reason.UNKNOWN_ENGINE: Trouble.OTHER_ENGINE,
    Reason.OTHER_ENGINE: Trouble.OTHER_ENGINE,
    Reason.UNKNOWN_USER: Trouble.UNKNOWN_USER,
    Reason.OTHER_USER: Trouble.UNKNOWN_USER,
    Reason.WRONG_DIGEST: Trouble.WRONG_KEY,
    Reason.BAD_DIGEST: Trouble.WRONG_KEY,
    Reason.DECRYPTION: Trouble.WRONG_KEY,
    Reason.NOT_IN_WINDOW: Trouble.TIME_WINDOW,
    Reason.STALE: Trouble.TIME_WINDOW,
}

_OF_ERRNO: Final[Mapping[int, Trouble]] = {
    errno.ECONNREFUSED: Trouble.REFUSED,
    errno.ENETUNREACH: Trouble.NO_ROUTE,
    errno.EHOSTUNREACH: Trouble.NO_ROUTE,
    errno.ENETDOWN: Trouble.NO_ROUTE,
    errno.EADDRNOTAVAIL: Trouble.NO_ROUTE,
}

_INDONESIAN: Final[Mapping[Trouble, str]] = {
    Trouble.NO_ANSWER: (
        "tidak ada jawaban dari {address}: periksa koneksi kantor ini, lalu minta agar UDP port "
        "{port} dibuka di setiap firewall antara kantor dan pusat."
    ),
    Trouble.REFUSED: (
        "tidak ada kolektor di {address}: mintalah pusat menjalankannya, atau perbaiki 'address' "
        "bila kolektornya di alamat atau UDP port lain."
    ),
    Trouble.NO_ROUTE: (
        "tidak ada jalan ke {address}: periksa kabel, modem, dan rute bawaan mesin ini."
    ),
    Trouble.NAME_NOT_FOUND: (
        "nama '{host}' tidak ditemukan: periksa DNS mesin ini, atau tulis alamat IP kolektor pada "
        "'address'."
    ),
    Trouble.WRONG_KEY: (
        "{address} mengenal '{user}', tetapi kuncinya lain: mintalah pusat menjalankan `tabuah "
        "enrol {site} --rotate`, lalu pasang berkas yang baru itu seutuhnya."
    ),
    Trouble.UNKNOWN_USER: (
        "{address} tidak mengenal '{user}': kantor ini belum didaftarkan di sana, atau kuncinya "
        "sudah dicabut atau diganti; mintalah berkas baru dari pusat (`tabuah enrol {site}`)."
    ),
    Trouble.OTHER_ENGINE: (
        "yang menjawab di {address} bukan kolektor dari berkas ini: periksa 'address', atau bila "
        "folder data kolektor dibuat ulang mintalah berkas baru dari pusat (`tabuah enrol {site}`)."
    ),
    Trouble.TIME_WINDOW: (
        "{address} menolak karena waktu SNMP tidak cocok, juga setelah disamakan: coba lagi dua "
        "menit lagi; bila tetap ditolak, mintalah pusat menjalankan ulang kolektornya."
    ),
    Trouble.NOT_UNDERSTOOD: (
        "yang menjawab di {address} tidak berbicara seperti kolektor tabuah: periksa 'address' "
        "dan UDP port {port}; mungkin ada perangkat lain di sana."
    ),
    Trouble.CLOCK_UNSET: (
        "jam mesin ini belum diatur (tahun {year}): laporan tetap diterima dan waktunya dibetulkan "
        "di pusat, tetapi perbaiki NTP (UDP port 123)."
    ),
    Trouble.CLOCK_UNSYNCHRONISED: (
        "jam mesin ini tidak disamakan oleh NTP: laporan tetap diterima dan waktunya dibetulkan "
        "di pusat, tetapi perbaiki NTP (UDP port 123)."
    ),
}

_ENGLISH: Final[Mapping[Trouble, str]] = {
    Trouble.NO_ANSWER: (
        "no answer from {address}: check this office's line, then have UDP port {port} opened in "
        "every firewall between the office and the centre."
    ),
    Trouble.REFUSED: (
        "there is no collector at {address}: ask the centre to start it, or mend 'address' if it "
        "is at another address or UDP port."
    ),
    Trouble.NO_ROUTE: (
        "there is no way to {address}: check the cable, the modem and this machine's default route."
    ),
    Trouble.NAME_NOT_FOUND: (
        "the name '{host}' is not found: check this machine's DNS, or write the collector's IP "
        "address in 'address'."
    ),
    Trouble.WRONG_KEY: (
        "{address} knows '{user}', but by another key: ask the centre to run `tabuah enrol {site} "
        "--rotate`, and install that new file as a whole."
    ),
    Trouble.UNKNOWN_USER: (
        "{address} does not know '{user}': this office is not enrolled there, or its key was "
        "revoked or replaced; ask the centre for a new file (`tabuah enrol {site}`)."
    ),
    Trouble.OTHER_ENGINE: (
        "what answers at {address} is not the collector of this file: check 'address', or if the "
        "collector's data folder was made anew ask the centre for a new file (`tabuah enrol "
        "{site}`)."
    ),
    Trouble.TIME_WINDOW: (
        "{address} refuses because the SNMP times differ, also after they were set: try again in "
        "two minutes; if it still refuses, ask the centre to restart the collector."
    ),
    Trouble.NOT_UNDERSTOOD: (
        "what answers at {address} does not speak as a tabuah collector: check 'address' and UDP "
        "port {port}; another device may be there."
    ),
    Trouble.CLOCK_UNSET: (
        "this machine's clock was never set (year {year}): reports are accepted and their times "
        "corrected at the centre, but mend NTP (UDP port 123)."
    ),
    Trouble.CLOCK_UNSYNCHRONISED: (
        "this machine's clock is not held to the time by NTP: reports are accepted and their times "
        "corrected at the centre, but mend NTP (UDP port 123)."
    ),
}

SENTENCES: Final[Mapping[str, Mapping[Trouble, str]]] = {"id": _INDONESIAN, "en": _ENGLISH}


def trouble_of_reason(reason: Reason) -> Trouble:
    """Return what is wrong when an answer was ignored for that reason."""
    return _OF_REASON.get(reason, Trouble.NOT_UNDERSTOOD)


def trouble_of_errno(number: int | None) -> Trouble:
    """Return what is wrong when the kernel refuses to send or receive."""
    return _OF_ERRNO.get(number or 0, Trouble.NO_ANSWER)


def clock_trouble(wall_ms: int, clock: Clock) -> Trouble | None:
    """Return what is wrong with the host's clock; None when nothing shows.

    Args:
        wall_ms: what it says, ms since 1970 UTC.
        clock: whether the kernel says that it is disciplined.
    """
    if wall_ms < _NOT_BEFORE_MS:
        return Trouble.CLOCK_UNSET
    if clock is Clock.UNSYNCHRONISED:
        return Trouble.CLOCK_UNSYNCHRONISED
    return None


def path_sentence(
    language: str, trouble: Trouble, *, site: str, host: str, port: int, user: str
) -> str:
    """Return what to tell of the way to a collector.

    Args:
        language: `id` or `en`.
        trouble: what is wrong.
        site: the office's code.
        host: the collector's, as it is written in the configuration.
        port: its UDP port.
        user: our SNMP user name there.
    """
    address = address_text(host, port)
    return SENTENCES[language][trouble].format(
        site=site, host=host, port=port, user=user, address=address
    )


def clock_sentence(language: str, trouble: Trouble, wall_ms: int) -> str:
    """Return what to tell of the host's clock, which says `wall_ms`."""
    year = datetime.fromtimestamp(wall_ms / 1000, UTC).year
    return SENTENCES[language][trouble].format(year=year)
