"""References to secrets: the inventory says where one lies, never what it is.

A secret is looked up when it is used, on the machine that uses it; loading an inventory reads
none, so that it can be checked and reviewed anywhere.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tabuah.errors import ConfigError, Problem

_REFERENCE = re.compile(r"(env|file):(.+)", re.DOTALL)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Source(Enum):
    """Where a secret lies. The value is the word before the colon."""

    ENV = "env"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """`env:NAME` or `file:PATH`: where a secret lies. Its repr never holds the secret."""

    source: Source
    name: str
    """The variable's name, or the path; a relative one is seen from the inventory's folder."""
    where: str = field(default="", compare=False)
    """Whose secret it is, for messages: `inventory.yaml:12: site 13.02.10: device router:
    snmp.community`."""

    @classmethod
    def parse(cls, text: str, where: str = "") -> SecretRef:
        """Return the reference that `text` is.

        Raises:
            ValueError: `text` is no reference. The words do not repeat it: it may be a secret.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise ValueError("a secret must not stand in the inventory; use env:NAME or file:PATH")
        source, name = Source(match[1]), match[2]
        if source is Source.ENV and _ENV_NAME.fullmatch(name) is None:
            raise ValueError(
                "env: must be followed by the name of an environment variable, like env:UPS_KEY"
            )
        if not name.isprintable():
            raise ValueError("file: must be followed by a path without control characters")
        return cls(source, name, where)

    def __str__(self) -> str:
        """Return the reference as it stands in the inventory."""
        return f"{self.source.value}:{self.name}"

    def path(self, base: Path) -> Path | None:
        """Return the file that holds the secret, `base` being the inventory's folder.

        None for `env:`. For tools that want a key file rather than its text.
        """
        return base / self.name if self.source is Source.FILE else None

    def resolve(self, base: Path) -> str:
        """Return the secret, without the line end that editors add to files.

        Raises:
            ConfigError: it is not there, cannot be read, or is empty; the message names the
                site and the key, and never the secret.
        """
        if self.source is Source.ENV:
            secret = os.environ.get(self.name)
            if secret is None:
                raise self._error(f"environment variable {self.name} is not set")
            if not secret:
                raise self._error(f"environment variable {self.name} is empty")
            return secret
        path = base / self.name
        try:
            secret = path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise self._error(f"cannot read {path}: {error.strerror or error}") from error
        except UnicodeDecodeError:
            # Without `from`: the decoder's exception holds the secret's bytes.
            raise self._error(f"{path} is not UTF-8 text") from None
        if not secret:
            raise self._error(f"{path} is empty")
        return secret

    def _error(self, what: str) -> ConfigError:
        return ConfigError([Problem(self.where or "inventory", f"secret {self}: {what}")])


def resolve_text(value: str | SecretRef, base: Path) -> str:
    """Return `value` itself, or what it refers to (see `SecretRef.resolve`)."""
    return value.resolve(base) if isinstance(value, SecretRef) else value
