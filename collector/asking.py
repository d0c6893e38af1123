"""How commands ask a running collector: its API on the data folder's socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from tabuah.errors import NothingMatchedError, TabuahError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def ask(data: Path, path: str) -> Any:  # the API's JSON
    """Return what the collector with the data folder `data` answers to GET `path`.

    Raises:
        TabuahError: none is running there, or it refuses.
    """
    return _get(data, path, {}, 5.0).json()


def ask_text(data: Path, path: str, parameters: Mapping[str, str], timeout_s: float) -> str:
    """Return the body that the collector answers to GET `path`, as text.

    Raises:
        NothingMatchedError: it knows nothing of what is asked (404).
        TabuahError: none is running there, or it refuses.
    """
    return _get(data, path, parameters, timeout_s).text


def _get(data: Path, path: str, parameters: Mapping[str, str], timeout_s: float) -> httpx.Response:
    socket = data / "collector.sock"
    try:
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)), timeout=timeout_s
        ) as client:
            answer = client.get(f"http://collector{path}", params=parameters)
    except httpx.HTTPError as error:
        raise TabuahError(
            f"no collector answers at {socket} ({error}); start it with "
            f"`tabuah collector run --data {data} ...`, or name the folder of the one that runs"
        ) from error
    if answer.is_error:
        kind = NothingMatchedError if answer.status_code == 404 else TabuahError
        raise kind(f"{path}: the collector answers {answer.status_code}: {answer.text.strip()}")
    return answer
