"""From a directory of YAML to an `Inventory`, or to every problem that stands in the way.

`DIR/inventory.yaml` is the head, and may hold sites; each `DIR/sites/*.yaml` holds either one
site, its keys at the top, or `sites:` with a list of them. Files are read in the order of their
names; nothing in one overrules another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from inventory.fields import Fields, Findings, Scope
from inventory.model import HEAD, Inventory, Site
from inventory.offices import read_site
from inventory.organisation import Head, LinkCheck, read_head
from inventory.yaml_nodes import Mapping, Node, Scalar, read_yaml
from tabuah.errors import ConfigError, Problem

_LINE = re.compile(r"(.*):(\d+)")


def load(directory: Path) -> Inventory:
    """Return the inventory of the directory.

    Raises:
        ConfigError: with every problem found, each with file, line, site and what to do. What
            must be known first (the head is readable YAML) hides what comes after it.
    """
    sites: list[Site] = []
    head = read(directory, sites.append)
    return replace(head, sites=tuple(sites))


def read(
    directory: Path,
    keep: Callable[[Site], None],
    known: Callable[[Path, Inventory], Sequence[str] | None] = lambda *_: None,
) -> Inventory:
    """Return the inventory without its offices, each of which `keep` was given meanwhile.

    One that has problems is given too, as far as it could be read. A file of sites is passed over
    if `known`, asked in its turn, has the codes of what is in it.

    Raises:
        ConfigError: as `load`.
    """
    findings = Findings()
    head_path = directory / HEAD
    check_directory(directory)
    scope = Scope(str(head_path), findings)
    root = read_yaml(head_path)
    if root is None:
        raise ConfigError([Problem(str(head_path), "is empty; it needs at least 'organisation'")])
    head = read_head(root, scope, directory)
    inventory = head.inventory
    named = {
        "upstream": tuple(inventory.upstreams),
        "power group": tuple(inventory.power_groups),
        "service": tuple(inventory.services),
    }
    check = LinkCheck(findings)
    codes: dict[str, str] = {}

    def pass_over(path: Path) -> bool:
        found = known(path, inventory)
        for code in found or ():
            if code in codes:
                findings.add(str(path), f"site {code}: stands here and at {codes[code]}")
            codes[code] = str(path)
        return found is not None

    for nodes, file_scope in _nodes(head, scope, directory, pass_over):
        for node in nodes:
            site = read_site(node, file_scope, inventory.organisation)
            if site is None:
                continue
            if (first := codes.get(site.code)) is not None:
                file_scope.complain(node, f"site {site.code}: stands here and at {first}")
                continue
            codes[site.code] = site.where
            keep(site)
        # File by file: what a hundred thousand offices refer to would fill the memory.
        check.against(named)
    check.against({"site": tuple(codes)})
    if findings.problems:
        problems = sorted(findings.problems, key=_in_file_order)
        if findings.more:
            problems.append(Problem(str(directory), f"and {findings.more} more problems"))
        raise ConfigError(problems)
    return inventory


def check_directory(directory: Path) -> None:
    """Raise ConfigError for the mistakes that people make with the directory."""
    try:
        if directory.is_file():
            what = f"is a file; name the directory that holds {HEAD}"
            raise ConfigError([Problem(str(directory), what)])
        if not directory.is_dir():
            raise ConfigError([Problem(str(directory), "no such directory")])
        if not (directory / HEAD).exists():
            what = f"holds no {HEAD}; 'tabuah inventory check --help' shows how to begin"
            raise ConfigError([Problem(str(directory), what)])
    except OSError as error:
        what = f"cannot read it: {error.strerror or error}"
        raise ConfigError([Problem(str(directory), what)]) from error


def _nodes(
    head: Head, scope: Scope, directory: Path, pass_over: Callable[[Path], bool]
) -> Iterator[tuple[list[Node], Scope]]:
    """Yield the sites of each file as nodes."""
    yield head.sites, scope
    for path in site_files(directory, scope.findings):
        if pass_over(path):
            continue
        file_scope = replace(scope, file=str(path))
        try:
            root = read_yaml(path)
        except ConfigError as error:
            for problem in error.problems:
                scope.findings.add(problem.where, problem.what)
            continue
        if root is None:
            scope.findings.add(str(path), "is empty; remove it, or write a site into it")
            continue
        yield _site_nodes(root, file_scope), file_scope


def site_files(directory: Path, findings: Findings) -> list[Path]:
    """Return the files that hold sites, in the order in which they are read."""
    folder = directory / "sites"
    try:
        entries = sorted(folder.iterdir()) if folder.exists() else []
    except OSError as error:
        findings.add(str(folder), f"cannot read it: {error.strerror or error}")
        return []
    for path in entries:
        # It would be left out without a word, and its offices with it.
        if path.suffix in (".yml", ".YAML", ".YML"):
            findings.add(str(path), f"would not be read; rename it to {path.stem}.yaml")
    return [path for path in entries if path.suffix == ".yaml" and not path.name.startswith(".")]


def _site_nodes(root: Node, scope: Scope) -> list[Node]:
    """Return the sites of a file: its list, or itself."""
    keys = [key for key, _ in root.entries] if isinstance(root, Mapping) else []
    if any(isinstance(key, Scalar) and key.text == "sites" for key in keys):
        return Fields(root, scope, ("sites",)).list("sites")
    return [root]


def _in_file_order(problem: Problem) -> tuple[str, int]:
    match = _LINE.fullmatch(problem.where)
    return (match[1], int(match[2])) if match else (problem.where, 0)
