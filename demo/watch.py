"""What the centre says of each office, read from its API and its metrics as any tool would."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, cast

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo.relay import Address

WAIT_S = 2.0
RTT = "tabuah_probe_rtt_seconds"
LOSS = "tabuah_probe_loss_ratio"
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_SAMPLE = re.compile(rf"({RTT}|{LOSS})\{{(.*)\}} (\S+)")


@dataclass(frozen=True, slots=True)
class Seen:
    """One office as the centre sees it."""

    state: str = "unknown"
    since: datetime | None = None
    last_report: datetime | None = None
    rtt_s: float | None = None
    """Mean round trip of the probe of the centre; None when it has none or is stale."""
    loss_ratio: float | None = None
    """Of the same probe."""


def read_sites(sites: Iterable[dict[str, object]]) -> dict[str, Seen]:
    """Return each office's state from what `/api/v1/sites` holds."""
    return {
        str(site["code"]): Seen(
            str(site["state"]), _time(site.get("since")), _time(site.get("last_report"))
        )
        for site in sites
    }


def with_metrics(seen: dict[str, Seen], exposition: str) -> dict[str, Seen]:
    """Return `seen` with the round trips and losses of a `/metrics` page."""
    complete = dict(seen)
    for line in exposition.splitlines():
        sample = _SAMPLE.match(line)
        if sample is None:
            continue
        labels = dict(_LABEL.findall(sample[2]))
        office = complete.get(labels.get("site", ""))
        if office is None or labels.get("role") != "centre":
            continue
        value = float(sample[3])
        if sample[1] == LOSS:
            complete[labels["site"]] = replace(office, loss_ratio=value)
        elif labels.get("stat") == "mean":
            complete[labels["site"]] = replace(office, rtt_s=value)
    return complete


class Watch:
    """Asks the collector, again and again."""

    def __init__(self, http: Address) -> None:
        # A proxy of the environment has no way to our loopback.
        self._client = httpx.AsyncClient(base_url=f"http://{http}", timeout=WAIT_S, trust_env=False)

    async def ready(self) -> bool:
        """Return whether the collector stores and hears."""
        try:
            return (await self._client.get("/readyz")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def poll(self) -> dict[str, Seen] | None:
        """Return what it says now, or None when it does not answer."""
        try:
            sites = (await self._client.get("/api/v1/sites")).raise_for_status()
            metrics = (await self._client.get("/metrics")).raise_for_status()
        except httpx.HTTPError:
            return None
        listed = cast("list[dict[str, object]]", sites.json())
        return with_metrics(read_sites(listed), metrics.text)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
