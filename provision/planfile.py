"""The plan file: what was reviewed, by digests and masked texts. What is pushed must equal it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.diff import as_json
from provision.render import Risk
from provision.workshop import Prepared
from tabuah.chain import canonical
from tabuah.errors import ConfigError, Problem
from tabuah.whole_file import write_whole

VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One device of a plan."""

    site: str
    device: str
    before_digest: str
    want_digest: str
    risk: Risk | None
    """None: nothing changes."""
    refused: tuple[str, ...]
    """Why it may not be pushed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it was read."""

    author: str
    made_ms: int
    window_s: int
    entries: tuple[Entry, ...]
    digest: str
    """Of the whole file's meaning."""


def write(path: Path, prepared: list[Prepared], author: str, made_ms: int, window_s: int) -> str:
    """Write the plan, for its owner alone; return its digest."""
    body = {
        "version": VERSION,
        "author": author,
        "made_ms": made_ms,
        "window_s": window_s,
        "devices": [_entry(one) for one in prepared],
    }
    text = json.dumps({**body, "digest": _digest(body)}, indent=2, ensure_ascii=False)
    write_whole(path, f"{text}\n".encode())
    return _digest(body)


def read(path: Path) -> Plan:
    """Return the plan of a file.

    Raises:
        ConfigError: it is none, or was changed after it was made.
    """
    try:
        body: Any = json.loads(path.read_text(encoding="utf-8"))
        said = body.pop("digest")
        if body["version"] != VERSION:
            raise ConfigError([Problem(str(path), "was made by another version; plan again")])
        if _digest(body) != said:
            raise ConfigError([Problem(str(path), "was changed after it was made; plan again")])
        return Plan(
            author=str(body["author"]),
            made_ms=int(body["made_ms"]),
            window_s=int(body["window_s"]),
            entries=tuple(entry_of(one) for one in body["devices"]),
            digest=said,
        )
    except OSError as error:
        problem = Problem(str(path), f"cannot read it: {error.strerror or error}")
        raise ConfigError([problem]) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            [Problem(str(path), "is no plan; make one: tabuah config plan")]
        ) from error


def entry_facts(entry: Entry) -> dict[str, object]:
    """Return an entry as JSON; `entry_of` reads it again."""
    return {
        "site": entry.site,
        "device": entry.device,
        "before_digest": entry.before_digest,
        "want_digest": entry.want_digest,
        "risk": None if entry.risk is None else entry.risk.value,
        "errors": list(entry.refused),
    }


def entry_of(facts: Mapping[str, Any]) -> Entry:
    """Return the entry that JSON has.

    Raises:
        KeyError, ValueError, TypeError: it has none.
    """
    return Entry(
        site=str(facts["site"]),
        device=str(facts["device"]),
        before_digest=str(facts["before_digest"]),
        want_digest=str(facts["want_digest"]),
        risk=None if facts["risk"] is None else Risk(facts["risk"]),
        refused=tuple(facts["errors"]),
    )


def _entry(one: Prepared) -> dict[str, object]:
    return {
        "site": one.site.code,
        "device": one.device.name,
        "platform": one.device.platform,
        "before_digest": one.before_digest,
        "want_digest": one.want_digest,
        "risk": None if one.risk is None else one.risk.value,
        "templates": [fragment.name for fragment in one.rendered.fragments],
        "errors": one.errors,
        "findings": [{"severity": f.severity.value, "what": f.what} for f in one.findings],
        "diff": as_json(one.diff),
    }


def _digest(body: Mapping[str, object]) -> str:
    return hashlib.sha256(canonical(body).encode()).hexdigest()
