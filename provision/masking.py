"""Secrets out of texts: what people, files and logs see instead. Pure.

A secret is replaced by `‹rahasia:NAME›`, NAME being a short HMAC of it: two configurations with the
same secret still look the same, a changed one shows as changed, and nobody can try guesses on it
without the key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping

from provision.filters import ros_quoted, uci_quoted

_SHORTEST = 4
"""A shorter secret would blot out half the text; it is refused when it is read."""

_KNOWN = re.compile(
    r"(?i)(?P<head>(?:\b|_)(?:password|passwd|secret|psk|passphrase|cipher|"
    r"(?:private|preshared|pre-shared|shared|authentication)[-_]?key|(?<=option )key|"
    r"community|rocommunity|rwcommunity|key-string|auth[-_]?pass|priv[-_]?pass)\b'?"
    r"(?:[ \t]*[=:][ \t]*|[ \t]+)(?:\d[ \t]+)?)"
    r"(?P<secret>\"[^\"\n]+\"|'[^'\n]+'|[^\s\"'{;]+)"
)
"""How configurations that we did not write spell their secrets."""
_SNMP_USER = re.compile(r"(?im)^(\s*createUser\s+\S+\s+\S+\s+)(\S+)(\s+\S+\s+)(\S+)")


def name(secret: str, key: bytes) -> str:
    """Return what stands for a secret."""
    made = hmac.new(key, secret.encode(), hashlib.sha256).hexdigest()[:12]
    return f"‹rahasia:{made}›"


def too_short(secret: str) -> bool:
    """Return whether a secret cannot be masked without masking ordinary words."""
    return len(secret) < _SHORTEST


def mask(text: str, secrets: Iterable[str], key: bytes) -> str:
    """Return the text without the secrets, and without what looks like one.

    Args:
        text: of a configuration, a transcript, a log.
        secrets: those that are known.
        key: of the names that stand for them.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        # As it is, and as the platforms quote it.
        for written in (secret, uci_quoted(secret)[1:-1], ros_quoted(secret)[1:-1]):
            if written:
                text = text.replace(written, name(secret, key))

    def hidden(word: str) -> str:
        """Return a word's name, between its quotes; one that is a name already as it is."""
        quote = word[0] if word[0] in "\"'" else ""
        inner = word.strip(quote) if quote else word
        made = inner if inner.startswith("‹") else name(inner, key)
        return f"{quote}{made}{quote}"

    def hide(match: re.Match[str]) -> str:
        return match["head"] + hidden(match["secret"])

    text = _KNOWN.sub(hide, text)

    def hide_user(match: re.Match[str]) -> str:
        return f"{match[1]}{hidden(match[2])}{match[3]}{hidden(match[4])}"

    return _SNMP_USER.sub(hide_user, text)


def mask_sections(
    sections: Mapping[str, str], secrets: Iterable[str], key: bytes
) -> dict[str, str]:
    """Return a configuration without its secrets."""
    known = tuple(secrets)
    return {section: mask(text, known, key) for section, text in sections.items()}
