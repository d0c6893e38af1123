"""How commands ask a running collector: its API on the data folder's socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from tabuah.errors import TabuahError

if TYPE_CHECKING:
    from pathlib import Path


def ask(data: Path, path: str) -> Any:  # the API's JSON
    """Return what the collector with the data folder `data` answers to GET `path`.

    Raises:
        TabuahError: none is running there, or it refuses.
    """
    socket = data / "collector.sock"
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as client:
            answer = client.get(f"http://collector{path}")
    except httpx.HTTPError as error:
        raise TabuahError(
            f"no collector answers at {socket} ({error}); start it with "
            f"`tabuah collector run --data {data} ...`, or name the folder of the one that runs"
        ) from error
    if answer.is_error:
        raise TabuahError(f"{path}: the collector answers {answer.status_code}: {answer.text}")
    return answer.json()
