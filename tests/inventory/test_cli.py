from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path

from click.testing import CliRunner, Result

from inventory.cli import inventory
from inventory.load import load
from inventory.model import Precision

CONTRACT = Path(__file__).parent / "contract"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(inventory, [str(argument) for argument in arguments])


def test_a_valid_inventory_is_usable_with_its_warnings() -> None:
    result = run("check", CONTRACT)
    assert result.exit_code == 0
    *warned, summary = result.stdout.splitlines()
    assert summary == "1 site, 3 warnings: usable"
    assert warned[0].startswith(f"{CONTRACT}/inventory.yaml: warning: boundaries: no such file")
    assert all(": warning: " in line for line in warned)


def test_errors_are_printed_as_compilers_print_theirs(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text("organisation: Dinas\nlangage: id\n")
    result = run("check", tmp_path)
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        f"{tmp_path}/inventory.yaml:2: error: unknown key 'langage'; did you mean 'language'?",
        "1 error; not usable",
    ]


def test_json_holds_each_finding_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text("organisation: Dinas\nlangage: id\n")
    broken = run("check", tmp_path, "-o", "json")
    assert broken.exit_code == 2
    assert json.loads(broken.stdout) == {
        "sites": 0,
        "errors": [
            {
                "file": f"{tmp_path}/inventory.yaml",
                "line": 2,
                "message": "unknown key 'langage'; did you mean 'language'?",
            }
        ],
        "warnings": [],
    }
    sound = json.loads(run("check", CONTRACT, "-o", "json").stdout)
    assert (sound["sites"], sound["errors"], len(sound["warnings"])) == (1, [], 3)
    assert {warning["site"] for warning in sound["warnings"]} == {None, "13.02.10"}


def test_a_gap_of_many_offices_is_one_line(tmp_path: Path) -> None:
    sites = "".join(f"  - {{code: k{n:02}, name: K}}\n" for n in range(30))
    (tmp_path / "inventory.yaml").write_text(f"organisation: Dinas\nsites:\n{sites}")
    lines = run("check", tmp_path).stdout.splitlines()
    (contact,) = [line for line in lines if "no contact" in line]
    assert contact.startswith(f"{tmp_path}/inventory.yaml:3: warning: 30 sites: no contact")
    assert contact.endswith("k18, k19 and 10 more (-o json names all)")
    assert lines[-1].startswith("30 sites, ")


def test_help_shows_how_to_begin() -> None:
    assert "tabuah inventory check /etc/tabuah" in run("check", "--help").stdout


def test_the_example_of_kabupaten_solok_is_usable_and_invents_nothing() -> None:
    with as_file(files("inventory") / "examples" / "kabupaten_solok") as example:
        result = run("check", example)
        solok = load(example)
    assert result.exit_code == 0, result.stdout
    assert ": error: " not in result.stdout
    assert len(solok.sites) == 14
    assert sum(site.code == "13.02.10" for site in solok.sites) == 1
    assert set(solok.services) == {"siak", "lpse", "ppid", "sinawa"}
    assert all(".example/" in service.http for service in solok.services.values())
    for site in solok.sites:
        assert site.name == f"Kantor Camat {site.kecamatan}"
        assert site.location is not None
        assert site.location.precision is Precision.CENTROID
        assert not site.contacts
        assert site.upstream is None
        assert not any(circuit.sid or circuit.sla for circuit in site.circuits)
