"""A compiled inventory is the one that was read, and is made again whenever it is not."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from inventory import compiled
from inventory.compiled import FILE_NAME, open_inventory, read_compiled, write_compiled
from inventory.load import load
from inventory.model import Outline, Site, StoredSites
from tabuah.errors import ConfigError, NothingMatchedError

CONTRACT = Path(__file__).parent / "contract"
SITE = "  - {{code: k{0:04}, name: Kantor {0}, upstream: sto, hours: Mon-Fri 07:30-16:00}}\n"


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory of three hundred offices, which are many enough to be compiled."""
    monkeypatch.setattr(compiled, "LARGE_BYTES", 10_000)
    directory = tmp_path / "inventory"
    (directory / "sites").mkdir(parents=True)
    (directory / "inventory.yaml").write_text("organisation: Dinas\nupstreams: {sto: {}}\n")
    for group in range(3):
        numbers = range(group * 100, group * 100 + 100)
        write(directory, group, "".join(SITE.format(number) for number in numbers))
    (tmp_path / "data").mkdir()
    return directory


def write(directory: Path, group: int, sites: str) -> None:
    (directory / "sites" / f"{group}.yaml").write_text(f"sites:\n{sites}", encoding="utf-8")


def test_every_key_of_the_contract_survives_compiling(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    assert write_compiled(CONTRACT, path) == 1
    found = read_compiled(CONTRACT, path)
    expected = load(CONTRACT)
    assert found is not None
    assert replace(found, sites=tuple(found.sites)) == expected
    assert [site.where for site in found.sites] == [site.where for site in expected.sites]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_small_inventory_is_not_compiled(tmp_path: Path) -> None:
    assert open_inventory(CONTRACT, tmp_path) == load(CONTRACT)
    assert not list(tmp_path.iterdir())


def test_a_large_inventory_answers_as_a_small_one_does(fleet: Path, tmp_path: Path) -> None:
    found = open_inventory(fleet, tmp_path / "data")
    expected = load(fleet)
    assert isinstance(found.sites, StoredSites)
    assert found.sites == expected.sites
    assert list(found.codes) == list(expected.codes)
    assert found.names == expected.names
    assert list(found.outlines) == list(expected.outlines)
    assert (found.sites[-1], found.sites[7:9]) == (expected.sites[-1], expected.sites[7:9])
    for code in ("k0000", "k0123", "k0299"):
        assert found.site(code) == expected.site(code)
    for code in ("", "a", "k0300", "z", "k\udc80"):
        assert found.find(code) is None
    with pytest.raises(NothingMatchedError, match="did you mean 'k0123'"):
        found.site("k0123x")
    with pytest.raises(IndexError):
        found.sites[300]


def test_it_is_compiled_once(fleet: Path, tmp_path: Path) -> None:
    open_inventory(fleet, tmp_path / "data")
    path = tmp_path / "data" / FILE_NAME
    before = path.stat()
    (fleet / "sites" / "1.yaml").touch()  # as a checkout does: the same words
    open_inventory(fleet, tmp_path / "data")
    assert path.stat() == before
    assert [one.name for one in path.parent.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_a_change_of_its_sources_is_seen(fleet: Path, tmp_path: Path, change: str) -> None:
    old = open_inventory(fleet, tmp_path / "data")
    if change == "edited":  # in the same moment, to the same size
        file = fleet / "sites" / "1.yaml"
        file.write_text(file.read_text().replace("k0150", "q0150"))
    elif change == "added":
        write(fleet, 7, SITE.format(700))
    else:
        (fleet / "sites" / "2.yaml").unlink()
    new = open_inventory(fleet, tmp_path / "data")
    assert list(new.codes) == list(load(fleet).codes) != list(old.codes)
    assert len(old.sites[150].code) == 5  # whoever has the old one goes on reading it


def test_only_what_changed_is_read_again(fleet: Path, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    assert write_compiled(fleet, path) == 300
    assert write_compiled(fleet, path) == 0
    write(fleet, 1, "".join(SITE.format(number) for number in range(150, 290)).replace("290", "x"))
    (fleet / "sites" / "2.yaml").unlink()
    assert write_compiled(fleet, path) == 140
    assert sites_of(fleet, path) == load(fleet).sites
    assert [one.code for one in outlines(fleet, path)] == list(load(fleet).codes)
    more = "organisation: Dinas\nupstreams: {sto: {}, other: {}}\nreferences: [{ping: 192.0.2.1}]\n"
    (fleet / "inventory.yaml").write_text(more)
    assert write_compiled(fleet, path) == 0
    assert sites_of(fleet, path) == load(fleet).sites


def test_a_changed_organisation_is_that_of_every_site(fleet: Path, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    write_compiled(fleet, path)
    (fleet / "inventory.yaml").write_text("organisation: Lain\nupstreams: {sto: {}}\n")
    assert write_compiled(fleet, path) == 300
    assert {site.kabupaten for site in sites_of(fleet, path)} == {"Lain"}


def test_what_no_longer_holds_is_found_in_files_that_did_not_change(
    fleet: Path, tmp_path: Path
) -> None:
    path = tmp_path / FILE_NAME
    write_compiled(fleet, path)
    (fleet / "inventory.yaml").write_text("organisation: Dinas\nupstreams: {stp: {}}\n")
    with pytest.raises(ConfigError, match="unknown upstream 'sto'; did you mean 'stp'"):
        write_compiled(fleet, path)
    (fleet / "inventory.yaml").write_text("organisation: Dinas\nupstreams: {sto: {}}\n")
    write(fleet, 0, SITE.format(250))
    with pytest.raises(ConfigError) as compiling:
        write_compiled(fleet, path)
    assert str(compiling.value) == (
        f"{fleet}/sites/2.yaml:52: site k0250: stands here and at {fleet}/sites/0.yaml:2"
    )


def outlines(directory: Path, path: Path) -> Iterable[Outline]:
    found = read_compiled(directory, path)
    assert found is not None
    return found.outlines


def sites_of(directory: Path, path: Path) -> Sequence[Site]:
    found = read_compiled(directory, path)
    assert found is not None
    return found.sites


@pytest.mark.parametrize("at", [0, 30, 5_000, -200, -10])
def test_a_damaged_file_is_made_again(fleet: Path, tmp_path: Path, at: int) -> None:
    open_inventory(fleet, tmp_path / "data")
    path = tmp_path / "data" / FILE_NAME
    octets = bytearray(path.read_bytes())
    octets[at] ^= 0x40
    path.write_bytes(octets)
    assert read_compiled(fleet, path) is None
    assert open_inventory(fleet, tmp_path / "data").sites == load(fleet).sites
    assert read_compiled(fleet, path) is not None


@pytest.mark.parametrize("size", [0, 10, 60, 3_000])
def test_a_file_that_was_cut_off_is_made_again(fleet: Path, tmp_path: Path, size: int) -> None:
    open_inventory(fleet, tmp_path / "data")
    path = tmp_path / "data" / FILE_NAME
    os.truncate(path, size)
    assert read_compiled(fleet, path) is None


def test_one_of_another_model_is_made_again(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / FILE_NAME
    with monkeypatch.context() as then:
        then.setattr(compiled, "fingerprint", lambda _: "of an older version")
        write_compiled(fleet, path)
    assert read_compiled(fleet, path) is None


def test_its_errors_are_those_of_the_strict_reader(fleet: Path, tmp_path: Path) -> None:
    good = open_inventory(fleet, tmp_path / "data")
    write(fleet, 5, "  - {code: k0005, nama: Kantor}\n  - {code: x, name: X, upstream: stp}\n")
    with pytest.raises(ConfigError) as compiling:
        open_inventory(fleet, tmp_path / "data")
    with pytest.raises(ConfigError) as loading:
        load(fleet)
    assert compiling.value.problems == loading.value.problems
    assert "did you mean 'sto'?" in str(compiling.value)
    assert f"k0005: stands here and at {fleet}/sites/0.yaml:7" in str(compiling.value)
    (fleet / "sites" / "5.yaml").unlink()
    again = read_compiled(fleet, tmp_path / "data" / FILE_NAME)
    assert again is not None  # what was good is there still
    assert again.sites == good.sites


def test_where_it_cannot_be_kept_the_inventory_is_read_without(fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / FILE_NAME).mkdir()
    assert open_inventory(fleet, tmp_path / "data") == load(fleet)
