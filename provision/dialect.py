"""How a platform keeps the table of `provision.states`: one module for each, of this shape.

Here are only values and the shape; `provision.linux.gateway` is the first. A platform whose own
primitive undoes a change (`commit confirmed` and its like) implements the same calls by it. One
that is only read (`provision.console`) is a `Reader`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from provision.configuration import Scope, Sections
from provision.lint import Finding, Needs
from provision.session import Session
from provision.states import Marker


@dataclass(frozen=True, slots=True)
class Said:
    """What a device says of one transaction."""

    marker: Marker
    applied: bool | None = None
    """Whether the change succeeded; None = not finished, or never begun."""
    restored: bool | None = None
    """Whether it runs what it ran before, by its own word; None = not finished."""
    left_s: int | None = None
    """Until its deadline, by its own uptime."""
    timer: bool = False
    """Whether the dead-man's timer runs."""
    changing: bool = False
    """Whether the change is under way."""
    saved: bool = False
    """Whether what was confirmed outlives a reboot."""
    open: str = ""
    """The transaction that holds the device."""
    words: str = ""
    """What it complained of last."""


@dataclass(frozen=True, slots=True)
class Armed:
    """What a device says when the dead-man was armed."""

    said: Said
    before: Sections
    """Its own copy of what it ran, to which it would return."""
    wanted: Sections
    """The change as it has arrived there."""


class Way(Enum):
    """How commands reach a device over SSH."""

    SHELL = "shell"
    """Each on a channel of its own, to a shell: with an exit code, by root or through sudo."""
    CHANNEL = "channel"
    """Each on a channel of its own, to what is no shell and tells no exit code."""
    PROMPT = "prompt"
    """At netmiko's prompt, one after the other."""


@dataclass(frozen=True, slots=True)
class Login:
    """What netmiko calls the platform, and how it is spoken to."""

    device_type: str
    way: Way
    wrong: str = "$."
    """At a prompt: a pattern of what it says to a command that it refuses; `$.` = nothing."""


class Reader(Protocol):
    """A platform that can be read."""

    @property
    def name(self) -> str:
        """Return what the docs call it."""
        ...

    @property
    def login(self) -> Login:
        """Return how a session is opened."""
        ...

    def read(self, session: Session, scope: Scope) -> Sections:
        """Return what the device runs; nothing is changed on it."""
        ...

    def prepare(self, session: Session, wanted: Sections, running: Sections) -> Sections:
        """Return what is wanted in the device's own words, as it would print it itself.

        Raises:
            RefusedError: the device does not understand it.
        """
        ...

    def lint(self, before: Sections, wanted: Sections, needs: Needs) -> list[Finding]:
        """Return what speaks against running `wanted` on a device that runs `before`."""
        ...


class Dialect(Reader, Protocol):
    """A platform that undoes a change alone."""

    def lacks(self, session: Session) -> str:
        """Return what this very device lacks of a whole dead-man, in words; empty = nothing.

        Raises:
            RefusedError: no push to it is possible at all.
        """
        ...

    def arm(
        self, session: Session, tx: str, window_s: int, scope: Scope, wanted: Sections
    ) -> Armed:
        """Arm the dead-man and send the change; nothing of it is applied yet."""
        ...

    def apply(self, session: Session, tx: str) -> None:
        """Start the change on the device by itself; returns before it is done."""
        ...

    def ask(self, session: Session, tx: str) -> Said:
        """Return what the device says of the transaction."""
        ...

    def confirm(self, session: Session, tx: str) -> Said:
        """Have the change kept and saved.

        Raises:
            RefusedError: it is not applied, or the dead-man was quicker.
        """
        ...

    def roll_back(self, session: Session, tx: str) -> None:
        """Start the undoing on the device by itself; returns before it is done."""
        ...

    def release(self, session: Session, tx: str) -> None:
        """Let the device forget a settled transaction."""
        ...
