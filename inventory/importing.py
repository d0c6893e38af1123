"""Takes a table's sites into an inventory's folder, as files that a person reads and edits on.

Files that an import wrote begin with a mark. Their sites may be replaced by a later import; those
of other files are somebody's handwork, and are left alone. Nothing is written before everything
is known to be good; each file is replaced whole, and all are put back if one cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inventory.fields import MAX_PROBLEMS, Findings, Scope
from inventory.load import read, site_files
from inventory.model import Inventory, Site
from inventory.offices import read_site
from inventory.organisation import LinkCheck
from inventory.table import Table
from inventory.yaml_nodes import Mapping, Node, Scalar, parse_yaml
from tabuah.errors import ConfigError, Problem, TabuahError
from tabuah.whole_file import READABLE, opened_new, sync_folder

MARK: Final = "# Written by `tabuah inventory import`"
_HEAD: Final = f"""{MARK}, which replaces sites that it
# is given again. Take these two lines away, and it leaves the file to you.
sites:
"""
_BEGIN: Final = re.compile(r'^  - code: "([^"]*)"$', re.MULTILINE)
_SAFE: Final = re.compile(r"[A-Za-z][A-Za-z0-9 _/-]*|[0-9]+(?:ms|[smhdy])|[0-9]+(?:\.[0-9]+){3}")
_NAME_MOST: Final = 60


@dataclass(frozen=True, slots=True)
class Import:
    """What an import is about to do."""

    files: dict[Path, str] = field(default_factory=dict)
    """What changed files will hold; those that will hold no site any more, nothing."""
    new: int = 0
    changed: int = 0
    unchanged: int = 0


def plan(
    table_path: Path, directory: Path, group: Callable[[Site], str], *, overwrite: bool
) -> Import:
    """Return what importing a table comes to; nothing is written.

    Args:
        table_path: the CSV.
        directory: the inventory.
        group: gives the name of a site's group, which becomes a file's.
        overwrite: whether a file with a group's name may be replaced though somebody else wrote it.

    Raises:
        ConfigError: with all that is wrong with the table, or with the inventory as it stands.
    """
    ours, owners = _blocks(directory)
    standing: dict[str, str] = {}
    head = read(directory, lambda site: standing.__setitem__(site.code, site.where))
    findings = Findings()
    table = Table(table_path, findings)
    sites = list(_checked(table, head, findings))
    after = {path: dict(blocks) for path, blocks in ours.items()}
    new = changed = unchanged = 0
    taken: set[Path] = set()
    for site, block in sites:
        path = directory / "sites" / _file_name(group(site))
        owner = owners.get(site.code)
        where = standing.get(site.code)
        replaced = where is not None and where.rpartition(":")[0] == str(path)
        if where is not None and owner is None and not replaced:
            findings.add(
                site.where, f"site {site.code}: is written by hand at {where}; remove one of them"
            )
        if path not in ours and path.exists():
            taken.add(path)
            if not overwrite:
                findings.add(
                    site.where,
                    f"site {site.code}: belongs to {path}, which somebody wrote by hand; give "
                    "--overwrite to replace that file, or choose another --group-by",
                )
        if owner is None:
            new += 1
        elif owner == path and ours[owner][site.code] == block:
            unchanged += 1
        else:
            changed += 1
        if owner is not None and owner != path:
            del after[owner][site.code]
        after.setdefault(path, {})[site.code] = block
    given = {site.code for site, _ in sites}
    for code, where in standing.items():
        path = Path(where.rpartition(":")[0])
        if path in taken and code not in given:
            findings.add(where, f"site {code}: would be lost with {path}; the table lacks it")
    _raise(table, findings)
    files = {
        path: _HEAD + "".join(blocks.values()) if blocks else ""
        for path, blocks in after.items()
        if blocks != ours.get(path)
    }
    return Import(files, new, changed, unchanged)


def write(todo: Import) -> None:
    """Do what was planned: all of it, or nothing.

    Raises:
        TabuahError: a file could not be written; all stand as before.
    """
    drafts: dict[Path, Path] = {}
    before: dict[Path, bytes | None] = {}
    try:
        for path, text in todo.files.items():
            path.parent.mkdir(exist_ok=True)
            draft = path.with_name(f".{path.name}.draft")
            drafts[path] = draft
            draft.unlink(missing_ok=True)
            with opened_new(draft, READABLE) as file:
                file.write(text.encode())
        for path, text in todo.files.items():
            before[path] = path.read_bytes() if path.exists() else None
            if text:
                drafts[path].replace(path)
            else:
                path.unlink(missing_ok=True)
        for folder in {path.parent for path in todo.files}:
            sync_folder(folder)
    except OSError as error:
        for path, octets in before.items():
            with suppress(OSError):
                path.unlink() if octets is None else path.write_bytes(octets)
        raise TabuahError(
            f"{error.filename}: cannot be written: {error.strerror}; nothing was imported"
        ) from error
    finally:
        for draft in drafts.values():
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def _checked(table: Table, head: Inventory, findings: Findings) -> Iterator[tuple[Site, str]]:
    """Yield each good site with its YAML, which was read again and says the same."""
    known = {
        "upstream": tuple(head.upstreams),
        "power group": tuple(head.power_groups),
        "service": tuple(head.services),
    }
    check = LinkCheck(findings)
    scope = Scope(str(table.path), findings)
    seen: dict[str, str] = {}
    for node in table.sites():
        problems = len(findings.problems)
        site = read_site(node, scope, head.organisation)
        check.against(known)
        if site is None or len(findings.problems) > problems:
            continue
        if site.code in seen:
            scope.complain(
                node, f"site {site.code}: stands here and at {table.place(seen[site.code])[0]}"
            )
            continue
        seen[site.code] = site.where
        block = _block(node)
        if _read_again(block, head.organisation) != site:
            scope.complain(node, f"site {site.code}: cannot be written as YAML")
        yield site, block


def _read_again(block: str, organisation: str) -> Site | None:
    root = parse_yaml(block.encode(), "written")
    scope = Scope("written", Findings())
    (node,) = scope.items(root, "sites") if root is not None else [None]
    return None if node is None else read_site(node, scope, organisation)


def _raise(table: Table, findings: Findings) -> None:
    if findings.problems:
        problems = [table.located(problem) for problem in findings.problems]
        if findings.more:
            problems.append(Problem(str(table.path), f"and {findings.more} more problems"))
        raise ConfigError(problems[: MAX_PROBLEMS + 1])


def _blocks(directory: Path) -> tuple[dict[Path, dict[str, str]], dict[str, Path]]:
    """Return the sites' YAML in each file that an import wrote, and which file has which site."""
    ours: dict[Path, dict[str, str]] = {}
    owners: dict[str, Path] = {}
    for path in site_files(directory, Findings()):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # the reader says so
        if not text.startswith(MARK):
            continue
        begins = [*_BEGIN.finditer(text)]
        ends = [*(one.start() for one in begins[1:]), len(text)]
        ours[path] = {
            one[1]: text[one.start() : end] for one, end in zip(begins, ends, strict=True)
        }
        owners.update(dict.fromkeys(ours[path], path))
    return ours, owners


def _file_name(group: str) -> str:
    """Return a file's name for a group, in any script."""
    words = re.sub(r"[^\w]+", "-", group.casefold()).strip("-_")[:_NAME_MOST]
    return f"{words or 'sites'}.yaml"


# --- YAML -------------------------------------------------------------------------------------


def _block(site: Mapping) -> str:
    """Return a site as an item of a list: its keys line by line, what is inside them in one."""
    lines: list[str] = []
    for key, value in site.entries:
        assert isinstance(key, Scalar)
        begin = "  - " if not lines else "    "
        if key.text in ("circuits", "probes", "contacts"):
            lines.append(f"{begin}{key.text}:")
            lines += [f"      - {_flow(item)}" for item in getattr(value, "items", ())]
        elif key.text == "code" and isinstance(value, Scalar):
            lines.append(f'{begin}code: "{value.text}"')
        else:
            lines.append(f"{begin}{key.text}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _flow(node: Node) -> str:
    if isinstance(node, Mapping):
        return f"{{{', '.join(f'{_flow(key)}: {_flow(value)}' for key, value in node.entries)}}}"
    if not isinstance(node, Scalar):
        return f"[{', '.join(map(_flow, node.items))}]"
    if node.plain or (_SAFE.fullmatch(node.text) and _is_itself(node)):
        return node.text
    escaped = node.text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_itself(node: Scalar) -> bool:
    """Return whether every reader of YAML takes the bare word for this text or this number."""
    bare = Scalar(node.line, node.text, plain=True)
    return not bare.is_null and bare.reads_as is None
