"""Connections to devices by netmiko: strict host keys, and errors by what is wrong.

netmiko is imported when the first device is connected: it takes a second and 46 MB. Commands run
on channels of their own, not in netmiko's shell: a channel has an exit code, an end, and no prompt.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.session import OutOfReachError, Ran, RefusedError
from tabuah.address import address_text

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

CONNECT_S = 20.0
_CHUNK = 32768


@dataclass(frozen=True, slots=True)
class Place:
    """Where and as whom a device is entered. Its repr holds no secret."""

    host: str
    user: str
    port: int = 22
    key_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    jump: Place | None = None

    @property
    def known_as(self) -> str:
        """Return the name in a file of host keys."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.user}@{address_text(self.host, self.port)}"


class HostKeyError(RefusedError):
    """Who answers is not, or not yet, whom we trust there."""


class SshSession:
    """One connection; see `provision.session.Session`."""

    def __init__(
        self,
        client: paramiko.SSHClient,
        place: Place,
        close: Callable[[], None],
        tell: Callable[[str], None] = lambda _words: None,
    ) -> None:
        self._client = client
        self._place = place
        self._close = close
        self._tell = tell
        self._root = place.user == "root"

    def run(self, command: str, stdin: str = "", limit_s: float = 30.0) -> Ran:
        """Return the ended command.

        Raises:
            OutOfReachError: the session broke; the command may or may not have run.
        """
        import paramiko  # noqa: PLC0415 - with netmiko, when it is needed

        verb = command[command.rfind(" deadman ") + 9 :] if " deadman " in command else command
        began = time.monotonic()
        try:
            transport = self._client.get_transport()
            if transport is None or not transport.is_active():
                raise OutOfReachError(f"{self._place}: the session is gone")
            channel = transport.open_session(timeout=limit_s)
            channel.settimeout(limit_s)
            channel.exec_command(command if self._root else f"sudo -n {command}")
            channel.sendall(stdin.encode())
            channel.shutdown_write()
            out = _read(channel.recv, began + limit_s)
            err = _read(channel.recv_stderr, began + limit_s)
            code = _exit_code(channel, began + limit_s)
            channel.close()
        except (OSError, EOFError, paramiko.SSHException) as error:
            self._tell(f"{verb}: the session broke: {error}")
            raise OutOfReachError(
                f"{self._place}: the session broke: {error or 'no answer'}"
            ) from error
        self._tell(f"{verb}: exit {code}\n{err}")
        return Ran(code, out, err)

    def close(self) -> None:
        """End it."""
        with suppress(Exception):
            self._close()


def connect(
    place: Place, known_hosts: Path, tell: Callable[[str], None] = lambda _words: None
) -> SshSession:
    """Return a session on the device.

    Raises:
        HostKeyError: its host key is unknown, or another one than was pinned.
        RefusedError: it does not let us in.
        OutOfReachError: nobody answers.
    """
    import netmiko  # noqa: PLC0415 - see above
    from netmiko.linux.linux_ssh import LinuxSSH  # noqa: PLC0415

    class Quiet(LinuxSSH):
        """netmiko's connection; its shell is not used, so nothing waits for a prompt."""

        def session_preparation(self) -> None:
            """Prepare nothing."""

        def cleanup(self, command: str = "") -> None:
            """Send no `exit`: nothing was said in the shell."""

    if not known_hosts.exists():
        known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        known_hosts.touch(mode=0o600)
    gate: paramiko.SSHClient | None = None
    try:
        through, gate = _through(place, known_hosts)
        device = Quiet(
            host=place.host,
            port=place.port,
            username=place.user,
            password=place.password,
            device_type="linux",
            use_keys=place.key_file is not None,
            key_file=None if place.key_file is None else str(place.key_file),
            allow_agent=place.key_file is None and place.password is None,
            ssh_strict=True,
            system_host_keys=False,
            alt_host_keys=True,
            alt_key_file=str(known_hosts),
            conn_timeout=CONNECT_S,
            auth_timeout=CONNECT_S,
            banner_timeout=CONNECT_S,
            keepalive=15,
            sock=through,
        )
    except Exception as error:
        if gate is not None:
            gate.close()
        raise _named(error, place) from error

    def close() -> None:
        device.disconnect()
        if gate is not None:
            gate.close()

    tell(f"connected to {place}, netmiko {netmiko.__version__}")
    return SshSession(device.remote_conn_pre, place, close, tell)


def _through(
    place: Place, known_hosts: Path
) -> tuple[paramiko.Channel | None, paramiko.SSHClient | None]:
    """Return a channel to the device through its jump host, and the connection that it lives on."""
    import paramiko  # noqa: PLC0415

    jump = place.jump
    if jump is None:
        return None, None
    client = paramiko.SSHClient()
    client.load_host_keys(str(known_hosts))
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.connect(
        jump.host,
        jump.port,
        jump.user,
        password=jump.password,
        key_filename=None if jump.key_file is None else str(jump.key_file),
        timeout=CONNECT_S,
        look_for_keys=False,
    )
    transport = client.get_transport()
    assert transport is not None
    channel = transport.open_channel(
        "direct-tcpip", (place.host, place.port), ("127.0.0.1", 0), timeout=CONNECT_S
    )
    return channel, client


def _named(error: BaseException, place: Place) -> Exception:
    """Return the error by what is wrong; netmiko calls nearly everything a timeout."""
    import paramiko  # noqa: PLC0415

    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for one in chain:
        if isinstance(one, paramiko.BadHostKeyException):
            return HostKeyError(
                f"{place}: its host key has changed: it is another machine, or was set up anew, or "
                "somebody stands between; when you know which: tabuah config trust"
            )
        if isinstance(one, paramiko.SSHException) and "not found in known_hosts" in str(one):
            return HostKeyError(
                f"{place}: its host key is not known yet; compare it on the device's own console, "
                "then: tabuah config trust"
            )
        if isinstance(one, paramiko.AuthenticationException):
            return RefusedError(f"{place}: does not let us in with this key or password")
    first = str(chain[-1]).strip().splitlines()[:1] or [type(chain[-1]).__name__]
    return OutOfReachError(f"{place}: cannot be reached: {first[0]}")


@dataclass(frozen=True, slots=True)
class HostKey:
    """What a host proves itself by."""

    kind: str
    base64: str

    @property
    def fingerprint(self) -> str:
        """Return it as `ssh-keygen -l` prints it."""
        made = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(made).decode().rstrip("=")


def offered_key(place: Place, known_hosts: Path) -> HostKey:
    """Return the host key that answers at a place now; nobody logs in there.

    Raises:
        OutOfReachError: nobody answers.
    """
    import paramiko  # noqa: PLC0415

    gate: paramiko.SSHClient | None = None
    try:
        channel, gate = _through(place, known_hosts)
        way: Any = channel or socket.create_connection((place.host, place.port), CONNECT_S)
        transport = paramiko.Transport(way)
        try:
            transport.start_client(timeout=CONNECT_S)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise _named(error, place) from error
    finally:
        if gate is not None:
            gate.close()
    return HostKey(key.get_name(), key.get_base64())


def pinned_key(place: Place, known_hosts: Path) -> list[HostKey]:
    """Return the keys that are trusted for a place."""
    if not known_hosts.exists():
        return []
    lines = (line.split() for line in known_hosts.read_text(encoding="utf-8").splitlines())
    return [HostKey(words[1], words[2]) for words in lines if words[:1] == [place.known_as]]


def pin(place: Place, key: HostKey, known_hosts: Path) -> None:
    """Trust a key for a place from now on, and no other."""
    known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = known_hosts.read_text(encoding="utf-8").splitlines() if known_hosts.exists() else []
    kept = [line for line in kept if line.split()[:1] != [place.known_as]]
    new = known_hosts.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text("\n".join([*kept, f"{place.known_as} {key.kind} {key.base64}", ""]))
    new.replace(known_hosts)


def _read(receive: Callable[[int], bytes], until: float) -> str:
    parts = []
    while part := receive(_CHUNK):
        parts.append(part)
        if time.monotonic() > until:
            raise TimeoutError("it goes on and on")
    return b"".join(parts).decode(errors="replace")


def _exit_code(channel: paramiko.Channel, until: float) -> int:
    if not channel.status_event.wait(max(until - time.monotonic(), 0.1)):
        raise TimeoutError("it does not end")
    # -1: the session ended before the command did.
    code = int(channel.exit_status)
    if code == -1:
        raise EOFError("it ended without an exit code")
    return code
