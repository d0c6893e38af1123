"""Whatever is wrong, the person at the office reads one sentence that says what to do."""

from __future__ import annotations

import errno
import re

import pytest

from agent import advice
from agent.advice import SENTENCES, Trouble
from tabuah.report import Clock
from tabuah.snmp.client import Reason

YEAR_2026_MS = 1_795_500_000_000


def test_both_languages_have_a_sentence_for_each_trouble_and_name_the_same_things() -> None:
    def slots(text: str) -> set[str]:
        return set(re.findall(r"{(\w+)}", text))

    for trouble in Trouble:
        indonesian, english = (SENTENCES[language][trouble] for language in ("id", "en"))
        assert slots(indonesian) == slots(english), trouble
        for sentence in (indonesian, english):
            assert sentence.endswith(".")
            assert sentence.count(". ") == 0, "one sentence"
            assert "\n" not in sentence


@pytest.mark.parametrize(
    ("reason", "trouble"),
    [
        (Reason.UNKNOWN_ENGINE, Trouble.OTHER_ENGINE),
        (Reason.UNKNOWN_USER, Trouble.UNKNOWN_USER),
        (Reason.WRONG_DIGEST, Trouble.WRONG_KEY),
        (Reason.DECRYPTION, Trouble.WRONG_KEY),
        (Reason.NOT_IN_WINDOW, Trouble.TIME_WINDOW),
        (Reason.STALE, Trouble.TIME_WINDOW),
        (Reason.MALFORMED, Trouble.NOT_UNDERSTOOD),
        (Reason.UNSUPPORTED_LEVEL, Trouble.NOT_UNDERSTOOD),
    ],
)
def test_each_refusal_is_a_trouble(reason: Reason, trouble: Trouble) -> None:
    assert advice.trouble_of_reason(reason) is trouble


@pytest.mark.parametrize(
    ("number", "trouble"),
    [
        (errno.ECONNREFUSED, Trouble.REFUSED),
        (errno.ENETUNREACH, Trouble.NO_ROUTE),
        (errno.EHOSTUNREACH, Trouble.NO_ROUTE),
        (errno.EPERM, Trouble.NO_ANSWER),
        (None, Trouble.NO_ANSWER),
    ],
)
def test_what_the_kernel_says_is_a_trouble(number: int | None, trouble: Trouble) -> None:
    assert advice.trouble_of_errno(number) is trouble


@pytest.mark.parametrize(
    ("wall_ms", "clock", "trouble"),
    [
        (5_000, Clock.UNSYNCHRONISED, Trouble.CLOCK_UNSET),
        (1_704_067_199_999, Clock.SYNCHRONISED, Trouble.CLOCK_UNSET),
        (1_704_067_200_000, Clock.SYNCHRONISED, None),
        (YEAR_2026_MS, Clock.UNSYNCHRONISED, Trouble.CLOCK_UNSYNCHRONISED),
        (YEAR_2026_MS, Clock.UNKNOWN, None),
        (YEAR_2026_MS, Clock.SYNCHRONISED, None),
    ],
)
def test_a_clock_that_was_never_set_or_runs_free_is_told(
    wall_ms: int, clock: Clock, trouble: Trouble | None
) -> None:
    assert advice.clock_trouble(wall_ms, clock) is trouble


def test_the_sentence_on_the_clock_calms_and_says_what_to_mend() -> None:
    assert advice.clock_sentence("en", Trouble.CLOCK_UNSET, 5_000) == (
        "this machine's clock was never set (year 1970): reports are accepted and their times "
        "corrected at the centre, but mend NTP (UDP port 123)."
    )
    assert "laporan tetap diterima" in advice.clock_sentence(
        "id", Trouble.CLOCK_UNSYNCHRONISED, YEAR_2026_MS
    )


def test_a_sentence_names_the_address_as_it_is_written() -> None:
    def told(trouble: Trouble, host: str) -> str:
        return advice.path_sentence(
            "id", trouble, site="13.02.10", host=host, port=10162, user="13.02.10#1"
        )

    assert "dari [2001:db8::1]:10162: " in told(Trouble.NO_ANSWER, "2001:db8::1")
    assert "UDP port 10162 dibuka" in told(Trouble.NO_ANSWER, "203.0.113.5")
    assert "`tabuah enrol 13.02.10`" in told(Trouble.UNKNOWN_USER, "pusat.example")
