"""A table of sites becomes files that a person reads, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from inventory.cli import inventory
from inventory.importing import MARK, plan, write
from inventory.load import load
from inventory.model import CircuitRole, Precision, SiteKind
from inventory.secret import SecretRef
from tabuah.errors import ConfigError, TabuahError
from tabuah.measurement import Kind, Role

HEAD = (
    "organisation: Dinas\nupstreams: {sto: {}}\nservices: {siak: {http: https://siak.example/}}\n"
)
PLAIN = """code,name,kecamatan,kabupaten
13.02.10.2001,Koto Baru,Kubung,Kabupaten Solok
13.02.10.2002,Selayo,Kubung,Kabupaten Solok
13.05.01.2001,Sicincin,Enam Lingkung,Kabupaten Padang Pariaman
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "inventory.yaml").write_text(HEAD)
    return tmp_path / "inventory"


def run(folder: Path, table: str | bytes, *more: str) -> Result:
    path = folder.parent / "desa.csv"
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    return CliRunner().invoke(inventory, ["import", str(path), "--inventory", str(folder), *more])


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "sites").glob("*")}


def complaints(folder: Path, table: str | bytes, *more: str) -> list[str]:
    """Return what is said of a table that is refused, and see that nothing was written."""
    before = held(folder)
    result = run(folder, table, *more)
    assert isinstance(result.exception, ConfigError), result.output
    assert held(folder) == before
    place = f"{folder.parent / 'desa.csv'}"
    return [str(one).removeprefix(place) for one in result.exception.problems]


def test_each_kabupaten_gets_a_file_that_a_person_reads(folder: Path) -> None:
    result = run(folder, PLAIN)
    assert result.stdout == "3 new, 0 changed, 0 unchanged\n"
    assert set(held(folder)) == {"kabupaten-solok.yaml", "kabupaten-padang-pariaman.yaml"}
    text = held(folder)["kabupaten-solok.yaml"]
    assert text.startswith(MARK)
    assert text.endswith(
        'sites:\n  - code: "13.02.10.2001"\n    name: Koto Baru\n    kecamatan: Kubung\n'
        '    kabupaten: Kabupaten Solok\n  - code: "13.02.10.2002"\n    name: Selayo\n'
        "    kecamatan: Kubung\n    kabupaten: Kabupaten Solok\n"
    )
    assert [site.name for site in load(folder).sites] == ["Sicincin", "Koto Baru", "Selayo"]


def test_every_column_arrives_in_the_model(folder: Path) -> None:
    run(
        folder,
        "Code;Name;kind;lat;lon;precision;upstream;ups;hours;interval;services;contact;phone;"
        "circuit;provider;product;technology;sid;down;up;availability;monthly_fee;formula;"
        "gateway;first_hop;public;centre\n"
        '13.02.10;"Kantor ""Kubung""; lama";kecamatan;-0,831;100.631;exact;sto;none;'
        "Mon-Fri 07:30-16:00;60s;siak;env:PIC;env:PHONE;telkom;Telkom;Astinet;fibre;00123;20;"
        "10;0.995;10000000;prorata_excess;192.168.1.1;10.1.2.3;203.0.113.10;10.0.0.1:10862\n".replace(
            "-0,831", "-0.8310000000000001"
        ),
    )
    (site,) = load(folder).sites
    assert (site.name, site.kind) == ('Kantor "Kubung"; lama', SiteKind.KECAMATAN)
    assert site.location is not None
    assert (site.location.lat, site.location.precision) == (-0.8310000000000001, Precision.EXACT)
    assert (site.upstream, site.interval_s, site.services) == ("sto", 60, ("siak",))
    assert site.contacts[0].name == SecretRef.parse("env:PIC")
    (circuit,) = site.circuits
    assert (circuit.id, circuit.role, circuit.sid) == ("telkom", CircuitRole.PRIMARY, "00123")
    assert circuit.bandwidth is not None
    assert (circuit.bandwidth.down, circuit.bandwidth.up) == (20, 10)
    assert circuit.sla is not None
    assert circuit.sla.monthly_fee == 10_000_000
    assert [(one.name, one.kind, one.role) for one in site.probes] == [
        ("gateway", Kind.PING, Role.GATEWAY),
        ("first_hop", Kind.PING, Role.FIRST_HOP),
        ("public", Kind.PING, Role.PUBLIC),
        ("centre", Kind.UDP, Role.CENTRE),
    ]


def test_done_again_it_changes_nothing(folder: Path) -> None:
    run(folder, PLAIN)
    before = {path: path.stat() for path in (folder / "sites").iterdir()}
    assert run(folder, PLAIN).output == "0 new, 0 changed, 3 unchanged\n"
    assert {path: path.stat() for path in (folder / "sites").iterdir()} == before


def test_a_later_table_changes_what_is_different_and_leaves_the_rest(folder: Path) -> None:
    run(folder, PLAIN)
    moved = "code,name,kabupaten\n13.02.10.2002,Selayo Baru,Baru\n13.09,Lain,Kabupaten Solok\n"
    assert run(folder, moved).stdout == "1 new, 1 changed, 0 unchanged\n"
    assert {site.code: site.name for site in load(folder).sites} == {
        "13.02.10.2001": "Koto Baru",
        "13.02.10.2002": "Selayo Baru",
        "13.05.01.2001": "Sicincin",
        "13.09": "Lain",
    }
    last = "code,name,kabupaten\n13.05.01.2001,Sicincin,Kabupaten Solok\n"
    run(folder, last)
    assert "kabupaten-padang-pariaman.yaml" not in held(folder)  # it holds no site any more
    assert len(load(folder).sites) == 4


def test_a_dry_run_says_what_it_would_write(folder: Path) -> None:
    result = run(folder, PLAIN, "--dry-run", "--group-by", "kecamatan")
    assert f"would write {folder}/sites/enam-lingkung.yaml" in result.stderr
    assert held(folder) == {}


def test_names_of_any_script_survive(folder: Path) -> None:
    run(folder, "code,name,kabupaten\na,Kantor Ñagari 村,村 Kota\nb,'quoted' # x: [1],نور\n")
    assert {site.name for site in load(folder).sites} == {"Kantor Ñagari 村", "'quoted' # x: [1]"}
    assert set(held(folder)) == {"村-kota.yaml", "نور.yaml"}


def test_what_is_wrong_is_told_with_line_and_column(folder: Path) -> None:
    table = (
        "code,name,kind,lat,lon,upstream\n"
        "a,A,kecamatn,-0.8,100,stp\n"
        '"b","B\nB",kecamatan,,,\n'
        "c,C,kecamatan,-0.8,1000,sto\n"
        ",D,,,,\n"
        "e,,,,,\n"
        "a,again,,,,\n"
    )
    found = complaints(folder, table)
    assert found[0].startswith(
        ":2: column 3 (kind): site a: kind: unknown value 'kecamatn'; did you"
    )
    assert (
        found[1] == ":2: column 6 (upstream): site a: unknown upstream 'stp'; did you mean 'sto'?"
    )
    assert ":3: column 2 (name): site b: name: holds a line break" in found[2]
    assert (
        found[3]
        == ":5: column 5 (lon): site c: location: lon: '1000' is no number from -180 to 180"
    )
    assert found[4].startswith(":6: site: lacks 'code'")
    assert found[5] == ":7: site e: lacks 'name'"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (b"", ": is empty; its first line names the columns: code, name"),
        (b"\n \n", ": is empty"),
        (b"code,name\n", ": names columns, and has no site under them"),
        (b"code,nama\na,A\n", ":1: column 2: unknown column 'nama'; did you mean 'name'?"),
        (b"code,name,code\na,A,b\n", ":1: column 3: 'code' stands here twice"),
        (b"name\nA\n", ":1: lacks the column 'code'"),
        (b"code,name\na,A,B\n", ":2: has 3 cells, and there are 2 columns"),
        (b'code,name\na,"A\n', ": is no CSV: unexpected end of data"),
        (b"code,name\na,\xff\n", ": is not UTF-8 (byte 12)"),
        (b"code,name\na,A\nb,B\na,C\n", ":4: site a: stands here and at "),
        (b"code,name,contact,sid,circuit\na,A,,x,bad id\n", ":2: column 5 (circuit)"),
    ],
)
def test_a_bad_table_is_refused_whole(folder: Path, table: bytes, says: str) -> None:
    run(folder, PLAIN)
    assert any(says in one for one in complaints(folder, table)), complaints(folder, table)


def test_handwork_is_never_overwritten_unasked(folder: Path) -> None:
    (folder / "sites").mkdir()
    mine = folder / "sites" / "kabupaten-solok.yaml"
    mine.write_text('code: "13.02.10.2001"\nname: Mine\n')
    found, *_ = complaints(folder, PLAIN)
    assert found == (
        f":2: site 13.02.10.2001: belongs to {mine}, which somebody wrote by hand; give "
        "--overwrite to replace that file, or choose another --group-by"
    )
    (found,) = complaints(folder, PLAIN, "--group-by", "kecamatan")
    assert found == (f":2: site 13.02.10.2001: is written by hand at {mine}:1; remove one of them")
    assert run(folder, PLAIN, "--overwrite").exit_code == 0
    assert {site.name for site in load(folder).sites} == {"Koto Baru", "Selayo", "Sicincin"}


def test_overwriting_loses_no_site_that_the_table_lacks(folder: Path) -> None:
    (folder / "sites").mkdir()
    (folder / "sites" / "kabupaten-solok.yaml").write_text("code: other\nname: Mine\n")
    assert "site other: would be lost" in complaints(folder, PLAIN, "--overwrite")[-1]


def test_an_inventory_with_errors_is_mended_first(folder: Path) -> None:
    (folder / "inventory.yaml").write_text("organisasi: Dinas\n")
    assert "unknown key 'organisasi'" in complaints(folder, PLAIN)[0]


def test_when_a_file_cannot_be_written_all_stand_as_before(folder: Path) -> None:
    run(folder, PLAIN)
    before = held(folder)
    table = folder.parent / "more.csv"
    table.write_text("code,name,kabupaten\n1,A,Kabupaten Solok\n2,B,Zuid\n")
    todo = plan(table, folder, lambda site: site.kabupaten, overwrite=False)
    blocked = folder / "sites" / "zuid.yaml"
    blocked.mkdir()
    (blocked / "x").touch()
    with pytest.raises(TabuahError, match="nothing was imported"):
        write(todo)
    (blocked / "x").unlink()
    blocked.rmdir()
    assert held(folder) == before


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), min_size=1, max_size=5)
)
def test_whatever_name_is_taken_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("names")
    (folder / "inventory.yaml").write_text(HEAD)
    quoted = [name.replace('"', '""') for name in names]
    rows = "".join(f'k{number},"{name}"\n' for number, name in enumerate(quoted))
    (folder / "t.csv").write_text(f"code,name\n{rows}", encoding="utf-8")
    try:
        write(plan(folder / "t.csv", folder, lambda _: "all", overwrite=False))
    except ConfigError:
        return
    assert [site.name for site in load(folder).sites] == [name.strip() for name in names]


def test_help_shows_how_to_begin() -> None:
    shown = CliRunner().invoke(inventory, ["import", "--help"]).stdout
    assert "tabuah inventory import desa.csv --inventory /etc/tabuah --dry-run" in shown
