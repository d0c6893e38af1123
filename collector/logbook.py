"""What was said of each incident, and to whom, kept across restarts.

An incident gives each channel one `firing` and one `resolved`, whatever happens to the collector
between them. A message goes to its channel at once, and is noted on disk beside that: a disk that
refuses delays no alert. Who kills the collector within the few milliseconds between the two, or
while the disk refuses, may hear a message twice, and none is lost.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alerts.message import Status
from collector.incident_rows import Noted
from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from alerts.message import Message

log = logging.getLogger(__name__)

RETRY_S: Final = 5.0


class Logbook:
    """Hands messages to the channels, and notes what each has taken. Lives in the event loop."""

    def __init__(
        self,
        write: Callable[[Sequence[Noted]], None],
        channels: Mapping[str, Callable[[Message], None]],
        keepers: Sequence[Callable[[Message], None]] = (),
    ) -> None:
        """Prepare.

        Args:
            write: makes entries durable, blocking; run in a thread.
            channels: by name, what takes a message for delivery; each calls `taken` after it.
            keepers: those that go on telling what lasts, and must know it after a start.
        """
        self._write = write
        self._channels = channels
        self._keepers = keepers
        self._entries: dict[str, Noted] = {}
        self._changed: set[str] = set()
        self._filled = asyncio.Event()

    def say(self, message: Message) -> None:
        """Give a message to every channel."""
        firing = message.status is Status.FIRING
        before = self._entries.get(message.incident.id) or Noted(message.incident)
        added = tuple((name, message.status) for name in self._channels)
        self._note(
            replace(
                before,
                incident=message.incident,
                fired=before.fired or firing,
                resolved=before.resolved or not firing,
                waiting=before.waiting + added,
            )
        )
        for put in self._channels.values():
            put(message)

    def revise(self, message: Message) -> None:
        """Give what is known by now to those who go on telling what lasts."""
        for keep in self._keepers:
            keep(message)

    def resume(self, entry: Noted, message: Callable[[Status], Message]) -> None:
        """Take up an incident from before the start, and what a channel has not taken of it.

        Args:
            entry: as `collector.incident_rows.unfinished` gave it.
            message: makes the message anew.
        """
        waiting = tuple(each for each in entry.waiting if each[0] in self._channels)
        kept = self._entries[entry.incident.id] = replace(entry, waiting=waiting)
        if kept != entry:
            self._note(kept)
        if entry.fired and not entry.resolved:
            for keep in self._keepers:
                keep(message(Status.FIRING))
        for channel, status in waiting:
            self._channels[channel](message(status))

    def taken(self, channel: str, message: Message) -> None:
        """Note that a channel has taken a message."""
        entry = self._entries.get(message.incident.id)
        if entry is not None:
            left = tuple(each for each in entry.waiting if each != (channel, message.status))
            self._note(replace(entry, waiting=left))

    async def run(self) -> None:
        """Write what changes until cancelled; what is not written then is tried once more."""
        writing: asyncio.Task[bool] | None = None
        try:
            while True:
                await self._filled.wait()
                writing = asyncio.create_task(self._write_changed())
                if not await asyncio.shield(writing):
                    await asyncio.sleep(RETRY_S)
        finally:
            if writing is not None:
                await writing  # it was under way when we were told to stop
            await self._write_changed()

    def _note(self, entry: Noted) -> None:
        self._entries[entry.incident.id] = entry
        self._changed.add(entry.incident.id)
        self._filled.set()

    async def _write_changed(self) -> bool:
        changed = [self._entries[name] for name in sorted(self._changed)]
        self._changed.clear()
        self._filled.clear()
        try:
            if changed:
                await asyncio.to_thread(self._write, changed)
        except TabuahError as error:
            log.error("incidents are not noted, and told anew after a restart: %s", error)  # noqa: TRY400
            for entry in changed:
                self._note(self._entries[entry.incident.id])
            return False
        for entry in changed:
            if entry.finished and self._entries[entry.incident.id] is entry:
                del self._entries[entry.incident.id]
        return True
