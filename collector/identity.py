"""Who this collector is: its SNMP engine ID, its master secret, and how often it has started.

They lie in the data folder, in files that we alone may read. Every office pins the engine ID and
holds a key made from the master secret, so a lost `identity.json` means enrolling all of them
anew: it belongs in the backup. A restored backup is safe: the boots never go back, see `boot`.
"""

from __future__ import annotations

import json
import logging
import secrets
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from collector import enrolled
from collector.files import locked, private_folder, write_private
from tabuah.errors import TabuahError
from tabuah.oids import ENTERPRISE
from tabuah.snmp.usm import MAX_ENGINE_ID_OCTETS, MAX_INT, EngineTime

FILE_NAME = "identity.json"
BOOTS_FILE_NAME = "engine_boots"
MASTER_OCTETS = 32

_FORMAT_OCTETS = 5
_RANDOM_OCTETS = 4
# The engine ID stands four times in each report and its answer: short, on a line that is paid for
# by the octet. Four random ones tell any number of collectors apart that one office can know.
_BOOTS_BEGIN = datetime(2020, 1, 1, tzinfo=UTC).timestamp()

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """What an office must know of this collector, and what nobody may."""

    engine_id: bytes
    """snmpEngineID (RFC 3411 section 5): enterprise number, format 5, random octets."""
    master: bytes = field(repr=False)
    """The secret that all offices' keys are derived from."""

    @classmethod
    def open(cls, data: Path) -> Identity:
        """Return the identity in the data folder, made now if the folder is new.

        Raises:
            TabuahError: it is damaged, cannot be read or written, or is lost although offices
                have been enrolled with it.
        """
        private_folder(data)
        path = data / FILE_NAME
        with locked(data):
            if path.exists():
                return _read(path)
            if (data / enrolled.FILE_NAME).exists():
                raise TabuahError(
                    f"{path} is missing, but offices were enrolled with it; restore it from a "
                    f"backup, or remove {enrolled.FILE_NAME} and enrol every office anew"
                )
            identity = cls(new_engine_id(), secrets.token_bytes(MASTER_OCTETS))
            content = {"engine_id": identity.engine_id.hex(), "master": identity.master.hex()}
            write_private(path, json.dumps(content, indent=2).encode() + b"\n")
            return identity


@dataclass(frozen=True, slots=True)
class EngineClock:
    """Our authoritative engine's clock (RFC 3414 section 2.2), from this start on."""

    boots: int
    started: float
    """Monotonic seconds."""

    def at(self, now: float) -> EngineTime:
        """Return snmpEngineBoots and snmpEngineTime at `now`, monotonic seconds."""
        return EngineTime(self.boots, min(MAX_INT, max(0, int(now - self.started))))


def new_engine_id() -> bytes:
    """Return a new engine ID: enterprise number with the high bit, 5, random octets (RFC 3411)."""
    enterprise = (0x8000_0000 | ENTERPRISE).to_bytes(4, "big")
    return enterprise + bytes((_FORMAT_OCTETS,)) + secrets.token_bytes(_RANDOM_OCTETS)


def boot(data: Path, wall: float, monotonic: float) -> EngineClock:
    """Return the engine's clock of this start, whose boots are kept before they are first used.

    The boots are the seconds since 2020, or one more than the last: so a restored old backup does
    not take them back, which would make every office refuse us (RFC 3414 section 3.2 7b), and
    neither does a host whose clock begins at 1970. Of seconds, because a start takes one: however
    often a collector was started, its boots have not run ahead of the clock. They last until 2088.

    Args:
        data: the data folder.
        wall: seconds since 1970 UTC.
        monotonic: seconds of the clock that `EngineClock.at` will be asked with.

    Raises:
        TabuahError: they cannot be kept, or have run out.
    """
    path = data / BOOTS_FILE_NAME
    with locked(data):
        boots = max(_last_boots(path) + 1, int(wall - _BOOTS_BEGIN))
        if boots >= MAX_INT:
            raise TabuahError(
                f"{path}: engine boots have reached their end (RFC 3414); was the clock wrong? "
                f"Set it right, remove {path} and {path.with_name(FILE_NAME)}, enrol all anew"
            )
        write_private(path, f"{boots}\n".encode())
    return EngineClock(boots, monotonic)


def _last_boots(path: Path) -> int:
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return 0
    except (OSError, UnicodeDecodeError) as error:
        raise TabuahError(f"{path}: cannot be read: {error}; check its owner and mode") from error
    if not text.isdecimal():
        log.warning("%s holds no number; the seconds since 2020 stand in for it", path)
        return 0
    return int(text)


def _read(path: Path) -> Identity:
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            path.chmod(0o600)
            log.warning("%s was readable by others; it is closed now (0600)", path)
        content = json.loads(path.read_bytes())
        identity = Identity(bytes.fromhex(content["engine_id"]), bytes.fromhex(content["master"]))
    except OSError as error:
        raise TabuahError(
            f"{path}: cannot be read: {error.strerror}; check its owner and mode"
        ) from error
    except (ValueError, TypeError, KeyError):
        # Without `from`: the cause may hold the secret.
        raise _damaged(path) from None
    if (
        len(identity.master) != MASTER_OCTETS
        or not 5 <= len(identity.engine_id) <= MAX_ENGINE_ID_OCTETS
    ):
        raise _damaged(path)
    return identity


def _damaged(path: Path) -> TabuahError:
    return TabuahError(f"{path}: damaged; restore it from a backup, all offices depend on it")
