"""How commands ask a running collector: its API on the data folder's socket."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import httpx

from tabuah.errors import NothingMatchedError, TabuahError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class NotRunningError(TabuahError):
    """No collector runs with that data folder: its store may be read instead."""


def ask(
    data: Path, path: str, parameters: Mapping[str, str] = _NOTHING, timeout_s: float = 5.0
) -> Any:  # the API's JSON
    """Return what the collector with the data folder `data` answers to GET `path`.

    Raises:
        NotRunningError: none is running there.
        NothingMatchedError: it knows nothing of what is asked (404).
        TabuahError: it refuses.
    """
    return _get(data, path, parameters, timeout_s).json()


def tell(data: Path, path: str, body: Mapping[str, object]) -> Any:  # the API's JSON
    """Return what the collector answers to POST `path` with a JSON body.

    Raises:
        NotRunningError: none is running there.
        NothingMatchedError: it knows nothing of what is said (404).
        TabuahError: it refuses; exit code 2 where the words are at fault.
    """
    return _request(data, "POST", path, {}, 15.0, body=body).json()


def ask_text(data: Path, path: str, parameters: Mapping[str, str], timeout_s: float) -> str:
    """Return the body that the collector answers to GET `path`, as text.

    Raises:
        NothingMatchedError: it knows nothing of what is asked (404).
        TabuahError: none is running there, or it refuses.
    """
    return _get(data, path, parameters, timeout_s).text


def _get(data: Path, path: str, parameters: Mapping[str, str], timeout_s: float) -> httpx.Response:
    return _request(data, "GET", path, parameters, timeout_s)


def _request(
    data: Path,
    method: str,
    path: str,
    parameters: Mapping[str, str],
    timeout_s: float,
    *,
    body: Mapping[str, object] | None = None,
) -> httpx.Response:
    socket = data / "collector.sock"
    if not socket.exists():
        raise NotRunningError(_no_answer(data, "there is no such file"))
    try:
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)), timeout=timeout_s
        ) as client:
            answer = client.request(method, f"http://collector{path}", params=parameters, json=body)
    except httpx.HTTPError as error:
        kind = NotRunningError if isinstance(error, httpx.ConnectError) else TabuahError
        raise kind(_no_answer(data, str(error))) from error
    if answer.is_error:
        refused = NothingMatchedError if answer.status_code == 404 else TabuahError
        complaint = refused(f"{path}: the collector answers {answer.status_code}: {_why(answer)}")
        if answer.status_code == 400:
            complaint = TabuahError(_why(answer))
            complaint.exit_code = 2
        raise complaint
    return answer


def _no_answer(data: Path, why: str) -> str:
    return (
        f"no collector answers at {data / 'collector.sock'} ({why}); start it with "
        f"`tabuah collector run --data {data} ...`, or name the folder of the one that runs"
    )


def _why(answer: httpx.Response) -> str:
    """Return the API's own words, or whatever else stands there."""
    try:
        said = answer.json()
    except ValueError:
        return answer.text.strip()
    return str(said["error"]) if isinstance(said, dict) and "error" in said else answer.text.strip()
