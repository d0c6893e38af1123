"""The dialect of every other platform of netmiko: read at its prompt, and never pushed to."""

from __future__ import annotations

from dataclasses import dataclass

from provision import shown
from provision.configuration import Scope, Sections
from provision.dialect import Login, Way
from provision.lint import Finding, Needs, Severity
from provision.session import OutOfReachError, RefusedError, Session
from provision.shown import SHOWS, WHY_NOT

SECTION = "running"
_LONG_S = 120.0


@dataclass(frozen=True, slots=True)
class Console:
    """One of netmiko's platforms."""

    name: str
    """netmiko's."""

    @property
    def login(self) -> Login:
        """Return how a session is opened."""
        return Login(self.name, Way.PROMPT, SHOWS[self.name].refused)

    def read(self, session: Session, _scope: Scope) -> Sections:
        """Return all that the device shows of what it runs.

        Raises:
            RefusedError: it shows nothing to this login.
            OutOfReachError: the session broke.
        """
        shows = SHOWS[self.name]
        ran = session.run(shows.command, limit_s=_LONG_S)
        if ran.code:
            raise RefusedError(f"the device refuses '{shows.command}': {ran.err.strip()}")
        text = shown.tidy(ran.out, shows)
        if not text:
            raise OutOfReachError(f"the device shows nothing for '{shows.command}'")
        return {SECTION: text}

    def prepare(self, _session: Session, wanted: Sections, running: Sections) -> Sections:
        """Return what the device would run, as far as the words of the templates say."""
        return {name: shown.merged(running[SECTION], text) for name, text in wanted.items()}

    def lint(self, _before: Sections, _wanted: Sections, _needs: Needs) -> list[Finding]:
        """Return why it is not pushed to, and what to do."""
        return [Finding(Severity.ERROR, why_not(self.name))]


def why_not(platform: str) -> str:
    """Return why a platform is not pushed to, and what to do instead."""
    known = WHY_NOT.get(platform)
    return (
        f"platform '{platform}' has no dead-man here{f' ({known})' if known else ''}, so nothing "
        "is pushed to it: enter what is shown by hand, with somebody at the office, then run "
        "'tabuah config backup'"
    )
