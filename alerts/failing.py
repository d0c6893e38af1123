"""A channel that fails, as an incident that the other channels tell of. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from alerts.incident import Incident

CHANNEL_FAILING: Final = "TabuahChannelFailing"


class Failing:
    """Makes incidents of channels that fail, and of their working again."""

    def __init__(self) -> None:
        self._lasting: dict[str, Incident] = {}
        """By channel."""

    def begins(self, channel: str, trouble: str, began_ms: int) -> Incident:
        """Return the incident that a channel fails.

        Args:
            channel: its name.
            trouble: why, in a word or two, without what is secret.
            began_ms: since when, ms since 1970 UTC.
        """
        incident = self._lasting[channel] = Incident(
            id=f"channel-{channel}-{began_ms}",
            alertname=CHANNEL_FAILING,
            sites=(),
            circuits=(),
            cause="unknown",
            severity="warning",
            began_ms=began_ms,
            about=channel,
            says=trouble,
        )
        return incident

    def resume(self, incident: Incident) -> None:
        """Go on with one that was told before a start."""
        self._lasting[incident.about] = incident

    def ends(self, channel: str, ended_ms: int) -> Incident:
        """Return that incident as it ends.

        Raises:
            KeyError: it was not said to fail.
        """
        incident = self._lasting.pop(channel)
        return replace(incident, ended_ms=max(ended_ms, incident.began_ms))


def is_about(incident: Incident, channel: str) -> bool:
    """Return whether an incident says of this channel that it fails: it need not hear that."""
    return incident.alertname == CHANNEL_FAILING and incident.about == channel
