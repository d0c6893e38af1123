"""Whatever stands in the files: an Inventory or a ConfigError, and soon."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inventory.check import warnings
from inventory.load import load
from inventory.model import Inventory, effective_probes
from inventory.yaml_nodes import parse_yaml
from tabuah.errors import ConfigError, Problem

CONTRACT = (Path(__file__).parent / "contract" / "inventory.yaml").read_bytes()
TREE = yaml.safe_load(CONTRACT)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=10)
    | st.dates()
    | st.sampled_from(["13.02.10", "siak", "10s", "env:X", "99.5", "9" * 5000, "1e999999999"])
    | st.sampled_from(["[::1]:80", "http://[", "http://x:99999999/", "0001-01-01T00:00+23:59"])
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*TREE, *TREE["sites"][0], "x"]), inner, max_size=5)
    ),
    max_leaves=15,
)


def read(directory: Path) -> tuple[Inventory | None, tuple[Problem, ...]]:
    try:
        return load(directory), ()
    except ConfigError as error:
        return None, error.problems


def check(data: bytes, site: bytes | None = None) -> None:
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "inventory.yaml").write_bytes(data)
        if site is not None:
            (directory / "sites").mkdir()
            (directory / "sites" / "a.yaml").write_bytes(site)
        inventory, problems = read(directory)
    for problem in problems:
        assert "\n" not in str(problem)
        assert str(problem).encode()
    if inventory is None:
        assert problems
        return
    warnings(inventory)
    for office in inventory.sites:
        effective_probes(office, inventory)
        inventory.upstream_chain(office)


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
@example(b"[" * 100_000, b"")
@example(b"{a: " * 100_000, b"")
@example(b"- " * 100_000, b"")
@example(b"? " * 20_000, b"")
@example(b"organisation: a\n" + b"k" * 200_000 + b": 1\n", b"")
@example(b"timezone: " + b"A" * 100_000, b"")
@example(b"organisation: " + b"a: " * 50_000, b"")
@example(b"&a " * 10_000, b"")
def test_any_bytes_are_an_inventory_or_a_config_error(head: bytes, site: bytes) -> None:
    check(head, site)


@settings(deadline=None)
@given(st.data())
def test_a_scratched_inventory_is_an_inventory_or_a_config_error(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(CONTRACT)))
    cut = data.draw(st.integers(0, 40))
    put = data.draw(
        st.binary(max_size=6) | st.sampled_from([b"- ", b": ", b"{", b"]", b"&a ", b"*a"])
    )
    check(CONTRACT[:at] + put + CONTRACT[at + cut :])


@settings(deadline=None)
@given(st.data())
def test_any_value_in_any_place_is_an_inventory_or_a_config_error(data: st.DataObject) -> None:
    tree = yaml.safe_load(CONTRACT)
    branch: object = tree
    while True:
        if isinstance(branch, dict):
            key = data.draw(st.sampled_from(sorted(branch)))
        elif isinstance(branch, list):
            key = data.draw(st.integers(0, len(branch) - 1))
        else:
            break
        inner = branch[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            branch[key] = data.draw(TREES)
            break
        branch = inner
    check(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "replace"))


@settings(deadline=None)
@given(TREES)
def test_what_pyyaml_writes_is_read_to_its_end(tree: object) -> None:
    data = yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "replace")
    try:
        parse_yaml(data, "f")
    except ConfigError as error:
        # Tags that PyYAML writes for bytes and floats of its own kind.
        assert "tag" in str(error) or "control characters" in str(error)  # noqa: PT017
