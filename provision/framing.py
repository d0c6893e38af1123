"""How configurations travel to and from `deadman.sh`: named runs of lines. Pure.

`#NAME` begins one, every line of it has one sign before it, `#end` says that all is there.
"""

from __future__ import annotations

from collections.abc import Mapping

from provision.configuration import OF_LINUX, Scope, Sections
from tabuah.errors import DecodeError


def encode(frames: Mapping[str, str]) -> str:
    """Return the frames as text for the script's stdin."""
    out = []
    for name, text in frames.items():
        out.append(f"#{name}\n")
        out += [f" {line}\n" for line in text.splitlines()]
    return "".join(out) + "#end\n"


def decode(text: str) -> dict[str, str]:
    """Return the frames of what the script printed.

    Raises:
        DecodeError: it is cut off, or something else.
    """
    frames: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("#"):
            current = frames.setdefault(line[1:], [])
        elif current is None:
            raise DecodeError(f"the device printed what was not expected: {line[:80]!r}")
        else:
            current.append(line[1:])
    if "end" not in frames:
        raise DecodeError("the device's answer is cut off")
    return {
        name: "".join(f"{line}\n" for line in lines)
        for name, lines in frames.items()
        if name != "end"
    }


def scope_frames(scope: Scope) -> dict[str, str]:
    """Return the scope as frames."""
    files = [(file.mode, file.path) for file in scope.files]
    files += [("600", f"/etc/config/{name}") for name in _packages(scope)]
    frames = {
        "interfaces": "".join(f"{name}\n" for name in scope.interfaces),
        "keys": "".join(f"{key}\n" for key in scope.keys),
        "packages": "".join(f"{name}\n" for name in _packages(scope)),
        "files.list": "".join(f"{mode} {path}\n" for mode, path in files),
    }
    if scope.nftables:
        frames["nftables"] = ""
    if scope.frr:
        frames["frr"] = ""
    return frames


def section_frames(sections: Sections, scope: Scope, prefix: str) -> dict[str, str]:
    """Return a configuration as frames, each name after `prefix`."""
    numbers = {name: number for number, name in enumerate(_numbered(scope))}
    return {
        prefix + (name if name in OF_LINUX else f"files/{numbers[name]}"): text
        for name, text in sections.items()
    }


def sections(frames: Mapping[str, str], scope: Scope, prefix: str = "") -> dict[str, str]:
    """Return the configuration that is in the frames of that prefix."""
    found = {}
    numbered = _numbered(scope)
    for name, text in frames.items():
        if not name.startswith(prefix):
            continue
        part = name[len(prefix) :]
        if part in OF_LINUX or part.startswith("uci/"):
            # As the device prints it; its file may say the same in other words.
            found[part] = text
        elif part.startswith("files/"):
            found.setdefault(numbered[int(part[6:])], text)
    return found


def _packages(scope: Scope) -> list[str]:
    return [name.removeprefix("uci/") for name in scope.sections]


def _numbered(scope: Scope) -> list[str]:
    """Return the sections that are files, in the order of `files.list`."""
    return [*(file.path for file in scope.files), *scope.sections]
