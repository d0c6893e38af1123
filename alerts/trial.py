"""The message that tries a channel, and says that it does. Pure.

Its alertname and severity are its own, so that no route and no rule of others takes it for trouble.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alerts.incident import Incident
from alerts.message import Message, Status
from alerts.samples import TRIAL, over, usual

if TYPE_CHECKING:
    from alerts.writing import Writer
    from inventory.model import Inventory

_MARK: Final = {"id": "UJI COBA: ", "en": "TRIAL: "}


def trial(
    channel: str, inventory: Inventory, write: Writer, began_ms: int, cause: str | None = None
) -> tuple[Message, Message]:
    """Return what is said to a channel, and its end.

    Args:
        channel: its name.
        inventory: the example's office is one of it.
        write: finds the words.
        began_ms: now, ms since 1970 UTC.
        cause: with it, a text for an incident of that cause is shown too.
    """
    incident = Incident(
        id=f"trial-{channel}-{began_ms}",
        alertname=TRIAL,
        sites=(),
        circuits=(),
        cause=cause or "unknown",
        severity="info",
        began_ms=began_ms,
        about=channel,
    )
    ended = replace(incident, ended_ms=began_ms + 1_000)
    example = None if cause is None else usual(cause, inventory, began_ms)
    return (
        _said(Status.FIRING, incident, example, inventory, write),
        _said(Status.RESOLVED, ended, None if example is None else over(example), inventory, write),
    )


def _said(
    status: Status,
    incident: Incident,
    example: Incident | None,
    inventory: Inventory,
    write: Writer,
) -> Message:
    own = write(incident)
    if example is None:
        return Message(status, incident, own.summary, own.description)
    shown = write(example)
    summary = _MARK[inventory.language.value] + shown.summary
    return Message(status, incident, summary, f"{own.description}\n\n{shown.description}")
