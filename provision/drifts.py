"""What a gateway is known to run by right, and whether it was last seen to run something else.

By right it runs what was last confirmed on it, or what a person has accepted since. The journal
keeps both; the collector shows what was last seen (`tabuah_config_drift`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provision.configuration import Scope
from provision.diff import SectionDiff, compare
from provision.journal import Facts, Journal, Subject, Transaction
from tabuah.chain import canonical

Device = tuple[str, str]
"""Office and device."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a device runs by right."""

    want: Mapping[str, str]
    """Its sections, masked."""
    digest: str
    facts: Facts
    """Its scope, as the journal keeps it."""


def differences(known: Known, running: Mapping[str, str], scope: Scope) -> tuple[SectionDiff, ...]:
    """Return in what a device differs from what it runs by right, in all that both speak of.

    A plan may have another interface or sysctl among ours than what was confirmed: of that nothing
    was ever known, so nothing has drifted.

    Args:
        known: what it runs by right.
        running: what it runs now, masked, as far as `scope` reaches.
        scope: what of it is ours now.
    """
    said: Any = known.facts["scope"]  # the journal's JSON
    ours = {
        "ip": {*said["interfaces"]} & {*scope.interfaces},
        "sysctl": {*said["keys"]} & {*scope.keys},
    }

    def within(sections: Mapping[str, str]) -> dict[str, str]:
        return {
            name: _of(text, ours[name]) if name in ours else text
            for name, text in sections.items()
            if name in both
        }

    both = known.want.keys() & running.keys()
    return compare(within(known.want), within(running))


def _of(text: str, names: set[str]) -> str:
    """Return the lines that speak of one of the names, an interface or a sysctl."""
    return "".join(f"{line}\n" for line in text.splitlines() if names & {*line.split()})


class Drifts:
    """What is known of all devices, in one journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def known(self) -> dict[Device, Known]:
        """Return what each device runs by right; those that nobody knows are absent."""
        confirmed = self._journal.confirmed()
        known = {pair: _known(tx.facts) for pair, tx in confirmed.items()}
        for site, device, text in self._journal.read("SELECT site, device, facts FROM accepted"):
            facts = json.loads(text)
            # A later push of ours has the last word; no clock says which was later.
            if facts["after"] == _id(confirmed.get((site, device))):
                known[site, device] = _known(facts)
        return known

    def accept(
        self, device: Device, masked: Mapping[str, str], digest: str, scope: object, said: Facts
    ) -> None:
        """Have a device run by right what it runs now; `said` has who, why and `at_ms`.

        Raises:
            JournalError: it cannot be written.
        """
        now_ms = said["at_ms"]
        assert isinstance(now_ms, int)
        site, name = device
        after = _id(self._journal.confirmed().get(device))
        facts = {"want": dict(masked), "want_digest": digest, "scope": scope, "after": after}
        with self._journal.writing():
            self._journal.write(
                "INSERT OR REPLACE INTO accepted VALUES (?, ?, ?, ?)",
                *(site, name, now_ms, canonical(facts)),
            )
            body = {**said, "site": site, "device": name, "accepted": digest}
            self._journal.audit_row(now_ms, Subject.PERSON, body)
            self._write(device, now_ms, drifted=False)

    def saw(self, device: Device, now_ms: int, *, drifted: bool) -> None:
        """Note how a device was found.

        Raises:
            JournalError: it cannot be written.
        """
        with self._journal.writing():
            self._write(device, now_ms, drifted=drifted)

    def _write(self, device: Device, now_ms: int, *, drifted: bool) -> None:
        self._journal.write(
            "INSERT OR REPLACE INTO drift VALUES (?, ?, ?, ?)", *device, now_ms, int(drifted)
        )


def _id(tx: Transaction | None) -> str:
    return "" if tx is None else tx.id


def _known(facts: Facts) -> Known:
    want = facts["want"]
    assert isinstance(want, dict)
    return Known(want, str(facts["want_digest"]), facts)
