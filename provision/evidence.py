"""What the offices report, and that there is work at them: the running collector's socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from provision.gate import Heard, Seen
from tabuah.errors import TabuahError

_LOOK_BACK = timedelta(minutes=15)
_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Collector:
    """The collector that keeps the data folder `data`."""

    data: Path

    def now(self) -> datetime:
        """Return the collector's own time, to the second: ours may be an hour off.

        Raises:
            TabuahError: no collector answers there, or it refuses.
        """
        said = self._answer("GET", "/healthz").headers.get("date", "")
        try:
            return parsedate_to_datetime(said)
        except ValueError as error:
            raise TabuahError(f"the collector does not say what time it has: '{said}'") from error

    def reports(self, site: str, now: datetime) -> list[Heard]:
        """Return an office's recent reports.

        Raises:
            TabuahError: no collector answers there, or it refuses.
        """
        since = (now - _LOOK_BACK).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        answer = self._ask("GET", f"/api/v1/sites/{site}/reports", params={"from": since})
        return [heard(entry) for entry in answer]

    def announce(self, site: str, seconds: int, why: str, by: str) -> str:
        """Announce work at an office from now on; return its id. Its silence is no incident then.

        Raises:
            TabuahError: as `reports`.
        """
        said = {"act": "maintenance", "about": "", "by": by, "sites": [site], "text": why}
        made = self._ask("POST", "/api/v1/said", json={**said, "lasts": f"{seconds}s"})
        return str(made["about"])

    def ended(self, work: str, by: str) -> None:
        """Say that announced work is over.

        Raises:
            TabuahError: as `reports`.
        """
        self._ask(
            "POST", "/api/v1/said", json={"act": "maintenance_ended", "about": work, "by": by}
        )

    def _ask(self, method: str, path: str, **more: Any) -> Any:  # JSON both ways
        return self._answer(method, path, **more).json()

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        socket = self.data / "collector.sock"
        try:
            if not socket.exists():
                raise httpx.ConnectError("it is not there")  # httpx leaves its own open
            with httpx.Client(
                transport=httpx.HTTPTransport(uds=str(socket)), timeout=_LIMIT_S
            ) as client:
                answer = client.request(method, f"http://collector{path}", **more)
        except httpx.HTTPError as error:
            raise TabuahError(
                f"no collector answers at {socket} ({error}): without the office's own reports "
                "nothing can be confirmed; start it, or name the right --data"
            ) from error
        if answer.is_error:
            raise TabuahError(f"{path}: the collector answers {answer.status_code}: {answer.text}")
        return answer


def heard(entry: Mapping[str, Any]) -> Heard:
    """Return one entry of /api/v1/sites/CODE/reports."""
    received = datetime.fromisoformat(str(entry["received"]))
    return Heard(
        epoch=str(entry["epoch"]),
        seq=int(entry["seq"]),
        received_ms=round(received.timestamp() * 1000),
        interval_ms=int(entry["interval_ms"]),
        late=bool(entry["late"]),
        path=str(entry["path"]),
        seen=tuple(
            Seen(
                probe=str(one["probe"]),
                good=bool(one["good"]),
                run=int(one["run"]),
                rtt_us=None if one["rtt"] is None else int(one["rtt"]["mean_us"]),
                sent=int(one["sent"]),
                received=int(one["received"]),
            )
            for one in entry["measurements"]
        ),
    )
