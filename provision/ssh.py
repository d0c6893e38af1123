"""Connections to devices by netmiko: strict host keys, and errors by what is wrong.

netmiko is imported when the first device is connected: it takes a second and 46 MB. What we push to
gets each command on a channel of its own, not in netmiko's shell: a channel has an end and no
prompt, so that no echo, page or safe mode can stand between a question and its answer.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.dialect import Login, Way
from provision.session import OutOfReachError, Ran, RefusedError, Session
from tabuah.address import address_text

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko
    from netmiko import BaseConnection

CONNECT_S = 20.0
_CHUNK = 32768
_LINUX = Login("linux", Way.SHELL)


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
        way: Way = Way.SHELL,
    ) -> None:
        self._client = client
        self._place = place
        self._close = close
        self._tell = tell
        self._way = way
        self._prefix = "sudo -n " if way is Way.SHELL and place.user != "root" else ""

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
            channel.exec_command(self._prefix + command)
            channel.sendall(stdin.encode())
            channel.shutdown_write()
            out = _read(channel.recv, began + limit_s)
            err = _read(channel.recv_stderr, began + limit_s)
            code = _exit_code(channel, began + limit_s, self._way)
            channel.close()
        except (OSError, EOFError, paramiko.SSHException) as error:
            self._tell(f"{verb}: the session broke: {error}")
            raise OutOfReachError(
                f"{self._place}: the session broke: {str(error) or 'no answer in time'}"
            ) from error
        self._tell(f"{verb}: exit {code}\n{err}")
        return Ran(code, out, err)

    def put(self, path: str, text: str, limit_s: float = 30.0) -> str:
        """Write a file on the device by SFTP, and return it as it is there now.

        Raises:
            OutOfReachError: the session broke.
            RefusedError: the device takes no files.
        """
        import paramiko  # noqa: PLC0415

        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise OutOfReachError(f"{self._place}: the session is gone")
        try:
            channel = transport.open_session(timeout=limit_s)
            channel.settimeout(limit_s)
            channel.invoke_subsystem("sftp")
            with closing(paramiko.SFTPClient(channel)) as files:
                with files.open(path, "w") as file:
                    file.write(text.encode())
                with files.open(path, "r") as file:
                    arrived = str(file.read(), errors="replace")
        except paramiko.SFTPError as error:
            raise RefusedError(f"{self._place}: takes no file {path}: {error}") from error
        except (EOFError, paramiko.SSHException) as error:
            raise OutOfReachError(f"{self._place}: the session broke: {error}") from error
        except OSError as error:
            # An answer of SFTP's has a number, or none; a socket that broke is not alive.
            if transport.is_active():
                raise RefusedError(f"{self._place}: takes no file {path}: {error}") from error
            raise OutOfReachError(f"{self._place}: the session broke: {error}") from error
        self._tell(f"put {path}: {len(text)} characters")
        return arrived

    def close(self) -> None:
        """End it."""
        with suppress(Exception):
            self._close()


class PromptSession:
    """netmiko's own prompt, for platforms that are only read."""

    def __init__(
        self, device: BaseConnection, place: Place, close: Callable[[], None], wrong: str
    ) -> None:
        """Make one.

        Args:
            device: the connection, at its prompt, paging off.
            place: where it is.
            close: ends it.
            wrong: a pattern of what the platform says to a command that it refuses.
        """
        self._device = device
        self._place = place
        self._close = close
        self._wrong = re.compile(wrong, re.MULTILINE)

    def run(self, command: str, stdin: str = "", limit_s: float = 30.0) -> Ran:
        """Return the ended command; its code is 1 where the device refused it.

        Raises:
            OutOfReachError: the session broke.
        """
        assert not stdin, "a prompt takes commands alone"
        try:
            out = str(self._device.send_command(command, read_timeout=limit_s))
        except Exception as error:
            raise _named(error, self._place) from error
        refused = self._wrong.search(out[:2000])
        return Ran(1 if refused else 0, "" if refused else out, refused[0] if refused else "")

    def put(self, path: str, text: str, limit_s: float = 30.0) -> str:
        """Refuse: such a device is only read.

        Raises:
            RefusedError: always.
        """
        raise RefusedError(f"{self._place}: is only read; {path} is not written")

    def close(self) -> None:
        """End it."""
        with suppress(Exception):
            self._close()


def connect(
    place: Place,
    known_hosts: Path,
    tell: Callable[[str], None] = lambda _words: None,
    login: Login = _LINUX,
) -> Session:
    """Return a session on the device.

    Raises:
        HostKeyError: its host key is unknown, or another one than was pinned.
        RefusedError: it does not let us in.
        OutOfReachError: nobody answers.
    """
    import netmiko  # noqa: PLC0415 - see above

    made = _connection(login)
    if not known_hosts.exists():
        known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        known_hosts.touch(mode=0o600)
    gate: paramiko.SSHClient | None = None
    try:
        through, gate = _through(place, known_hosts)
        device = made(
            host=place.host,
            port=place.port,
            username=place.user,
            password=place.password,
            device_type=login.device_type,
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
    if login.way is Way.PROMPT:
        return PromptSession(device, place, close, login.wrong)
    return SshSession(device.remote_conn_pre, place, close, tell, login.way)


def _connection(login: Login) -> type[BaseConnection]:
    """Return netmiko's class of the platform; quiet, where its shell is not used."""
    from netmiko.ssh_dispatcher import ssh_dispatcher  # noqa: PLC0415

    base: type[BaseConnection] = ssh_dispatcher(login.device_type)
    if login.way is Way.PROMPT:
        return base

    class Quiet(base):  # type: ignore[valid-type,misc] # the class is known when it is asked for
        """netmiko's connection; its shell is not used, so nothing waits for a prompt."""

        def session_preparation(self) -> None:
            """Prepare nothing."""

        def special_login_handler(self, delay_factor: float = 1.0) -> None:
            """Answer nothing that a shell might ask."""

        def cleanup(self, command: str = "") -> None:
            """Send no `exit`: nothing was said in the shell."""

    return Quiet


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


def _exit_code(channel: paramiko.Channel, until: float, way: Way) -> int:
    if not channel.status_event.wait(max(until - time.monotonic(), 0.1)):
        raise TimeoutError("it does not end")
    code = int(channel.exit_status)
    # -1: the session ended before the command did, or what runs there is no shell.
    if code < 0 and way is Way.SHELL:
        raise EOFError("it ended without an exit code")
    return code
