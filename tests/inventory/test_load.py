from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from inventory.hours import parse_hours
from inventory.load import load
from inventory.model import (
    Bounds,
    ChannelKind,
    Endpoint,
    Exclusion,
    Formula,
    InService,
    Inventory,
    Language,
    SiteKind,
    Technology,
    Ups,
    effective_probes,
)
from inventory.secret import SecretRef
from tabuah.errors import ConfigError, NothingMatchedError
from tabuah.measurement import Kind, Role

CONTRACT = Path(__file__).parent / "contract"
HEAD = "organisation: Dinas Kominfo\n"


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Inventory]:
    def write_and_load(head: str = HEAD, **sites: str) -> Inventory:
        (tmp_path / "inventory.yaml").write_text(head, encoding="utf-8")
        (tmp_path / "sites").mkdir(exist_ok=True)
        for name, text in sites.items():
            (tmp_path / "sites" / f"{name}.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path)

    return write_and_load


def problems(load_it: Callable[[], object]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_it()
    return [str(problem) for problem in caught.value.problems]


def test_every_key_of_the_documentation_arrives_in_the_model() -> None:
    inventory = load(CONTRACT)
    assert inventory.language is Language.INDONESIAN
    assert inventory.boundaries == CONTRACT / "kecamatan.geojson"
    assert inventory.bounds[Technology.VSAT] == Bounds(0.8, 0.05, 0.1)
    assert [channel.kind for channel in inventory.alerts.channels] == list(ChannelKind)
    assert inventory.heartbeat == SecretRef.parse("env:HEARTBEAT_URL")
    assert inventory.retention.reports_s == 90 * 86400
    assert inventory.traps is not None
    assert inventory.traps.listen == Endpoint("0.0.0.0", 162)
    (signer,) = inventory.traps.users
    assert (signer.user, signer.auth.protocol, signer.site) == ("ups-kubung", "sha1", "13.02.10")
    assert signer.priv is not None
    assert str(signer.priv.key) == "env:UPS_PRIV"
    assert inventory.retention.traps_s == 30 * 86_400
    (window,) = inventory.maintenance
    assert window.begins == datetime(2026, 12, 1, 15, tzinfo=UTC)
    assert window.covers("13.02.10", window.begins)
    assert not window.covers("13.02.10", window.ends)

    site = inventory.site("13.02.10")
    assert (site.kind, site.ups, site.address) == (SiteKind.KECAMATAN, Ups.NONE, "198.51.100.10")
    assert [u.code for u in inventory.upstream_chain(site)] == ["sto-solok", "witel"]
    circuit = site.primary
    assert circuit is not None
    assert circuit.sla is not None
    assert circuit.sla.availability == Decimal("0.995")
    assert circuit.sla.monthly_fee == 10_000_000
    assert circuit.sla.formula is Formula.PRORATA_EXCESS
    assert circuit.sla.exclusions == (Exclusion.MAINTENANCE, Exclusion.POWER)
    resolver = site.probes[-1]
    assert (resolver.kind, resolver.target, resolver.server) == (
        Kind.DNS,
        "siak.example",
        "203.0.113.53",
    )
    router, ups = site.devices
    assert router.snmp is not None
    assert router.snmp.community == SecretRef.parse("file:secrets/community")
    assert ups.snmp is not None
    assert ups.snmp.version == "3"


def test_a_contract_may_have_its_own_hours_and_a_circuit_its_days(
    loaded: Callable[..., Inventory],
) -> None:
    inventory = loaded(
        "organisation: Dinas Kominfo\nsites:\n"
        "  - code: a\n    name: A\n    circuits:\n"
        "      - id: t\n        sla: {availability: 0.99, hours: Mon-Sun 00:00-24:00}\n"
        "        in_service: {from: 2026-11-10}\n"
        "      - {id: u, in_service: {to: 2026-12-01}}\n"
    )
    first, second = inventory.site("a").circuits
    assert first.sla is not None
    assert first.sla.hours == parse_hours("Mon-Sun 00:00-24:00")
    assert first.in_service == InService(begins=date(2026, 11, 10))
    assert second.in_service == InService(ends=date(2026, 12, 1))


def test_defaults_are_those_of_the_documentation(loaded: Callable[..., Inventory]) -> None:
    inventory = loaded(
        "organisation: Dinas Kominfo\nsites:\n  - code: kubung\n    name: Kubung\n    probes:\n"
        "      - {name: gw, ping: 192.0.2.1}\n"
        "      - {name: r, dns: {server: 192.0.2.53, name: siak.example}}\n"
        "      - {name: w, http: https://siak.example/}\n"
    )
    assert inventory.timezone.key == "Asia/Jakarta"
    site = inventory.site("kubung")
    assert site.kabupaten == "Dinas Kominfo"
    assert [probe.every_s for probe in site.probes] == [10.0, 60.0, 300.0]
    assert {(probe.count, probe.timeout_s) for probe in site.probes} == {(1, 2.0)}


def test_a_probe_faster_than_the_usual_timeout_waits_for_its_period(
    loaded: Callable[..., Inventory],
) -> None:
    inventory = loaded(
        HEAD + "sites: [{code: a, name: A, probes: [{name: gw, ping: 192.0.2.1, every: 1s}]}]\n"
    )
    assert inventory.site("a").probes[0].timeout_s == 1.0


def test_a_service_of_an_office_is_probed_unless_the_office_probes_it_itself(
    loaded: Callable[..., Inventory],
) -> None:
    inventory = loaded(
        "organisation: Dinas\n"
        "services: {siak: {http: https://siak.example/, expect: OK}, "
        "lpse: {http: https://lpse.example/}}\n"
        "sites:\n  - {code: a, name: A, services: [siak, lpse], "
        "probes: [{name: own, tcp: siak.example:443, service: siak}]}\n"
    )
    own, implied = effective_probes(inventory.site("a"), inventory)
    assert (own.name, own.role, own.service) == ("own", Role.SERVICE, "siak")
    assert (implied.name, implied.kind, implied.target, implied.service, implied.role) == (
        "lpse",
        Kind.HTTP,
        "https://lpse.example/",
        "lpse",
        Role.SERVICE,
    )


def test_files_of_one_site_and_of_many_are_merged_in_the_order_of_their_names(
    loaded: Callable[..., Inventory],
) -> None:
    inventory = loaded(
        HEAD + "sites: [{code: first, name: First}]\n",
        b_many="sites:\n  - {code: b1, name: B1}\n  - {code: b2, name: B2}\n",
        a_one="code: a\nname: Kantor Wali Nagari Paninggahan \u2014 \u0e01\n",
    )
    assert [site.code for site in inventory.sites] == ["first", "a", "b1", "b2"]
    assert inventory.site("a").where.endswith("sites/a_one.yaml:1")


def test_a_site_of_two_files_is_refused_with_both_places(
    loaded: Callable[..., Inventory], tmp_path: Path
) -> None:
    one, two = "code: kubung\nname: A\n", "# copied\ncode: kubung\nname: B\n"
    assert problems(lambda: loaded(a=one, b=two)) == [
        f"{tmp_path}/sites/b.yaml:2: site kubung: stands here and at {tmp_path}/sites/a.yaml:1"
    ]


def test_the_problems_of_all_files_are_told_at_once_in_their_order(
    loaded: Callable[..., Inventory], tmp_path: Path
) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "e.yml").write_text("code: e\nname: E\n")
    told = problems(
        lambda: loaded(
            "organization: Dinas\n",
            a="code: a\nname: A\nups: al\n",
            b="code\n name: B\n:",
            c="",
            d="sites: []\nname: D\n",
        )
    )
    assert [line.removeprefix(f"{tmp_path}/") for line in told] == [
        "inventory.yaml:1: unknown key 'organization'; did you mean 'organisation'?",
        "inventory.yaml:1: lacks 'organisation'; write it like Dinas Kominfo Kabupaten Solok",
        "sites/a.yaml:3: site a: ups: unknown value 'al'; did you mean 'all'?",
        "sites/b.yaml:2: is not YAML: mapping values are not allowed in this context",
        "sites/c.yaml: is empty; remove it, or write a site into it",
        "sites/d.yaml:2: unknown key 'name'; known keys: sites",
        "sites/e.yml: would not be read; rename it to e.yaml",
    ]


def test_an_inventory_without_sites_is_valid(loaded: Callable[..., Inventory]) -> None:
    assert loaded(HEAD).sites == ()


def test_an_alias_repeats_a_contract(loaded: Callable[..., Inventory]) -> None:
    inventory = loaded(
        "organisation: Dinas\nsites:\n"
        "  - {code: a, name: A, circuits: [{id: t, sla: &k {availability: 0.99}}]}\n"
        "  - {code: b, name: B, circuits: [{id: t, sla: *k}]}\n"
    )
    first, second = (site.circuits[0].sla for site in inventory.sites)
    assert first == second


def test_the_mistakes_with_the_directory_are_named(tmp_path: Path) -> None:
    assert problems(lambda: load(tmp_path / "none")) == [f"{tmp_path}/none: no such directory"]
    assert problems(lambda: load(tmp_path))[0].startswith(f"{tmp_path}: holds no inventory.yaml")
    file = tmp_path / "inventory.yaml"
    file.write_text(HEAD)
    assert problems(lambda: load(file)) == [
        f"{file}: is a file; name the directory that holds inventory.yaml"
    ]
    (tmp_path / "sites").write_text("not a folder")
    assert problems(lambda: load(tmp_path)) == [
        f"{tmp_path}/sites: cannot read it: Not a directory"
    ]
    file.unlink()
    file.mkdir()
    assert problems(lambda: load(tmp_path)) == [f"{file}: is not a file"]


def test_an_unknown_site_is_answered_with_the_nearest() -> None:
    with pytest.raises(NothingMatchedError, match=r"no site '13.2.10'.*did you mean '13.02.10'"):
        load(CONTRACT).site("13.2.10")
    assert load(CONTRACT).find("13.2.10") is None


def test_all_kecamatan_of_the_country_load_in_seconds(
    loaded: Callable[..., Inventory],
) -> None:
    entry = (
        "  - {{code: k{0}, name: Kantor Camat {0}, kind: kecamatan, ups: none, upstream: sto,\n"
        "     location: {{lat: -0.8, lon: 100.6, precision: centroid}},\n"
        "     circuits: [{{id: telkom, provider: Telkom, technology: fibre, sid: '{0}'}}],\n"
        "     probes: [{{name: gw, ping: 192.0.2.1, role: gateway}},\n"
        "       {{name: dc, udp: 192.0.2.9:10862, role: centre}}]}}\n"
    )
    text = "organisation: Dinas\nupstreams: {sto: {}}\nsites:\n"
    began = time.monotonic()
    inventory = loaded(text + "".join(entry.format(n) for n in range(7285)))
    assert len(inventory.sites) == 7285
    # 4 s measured on one slow core; the bound only catches what grows with the square.
    assert time.monotonic() - began < 40


def test_thousands_of_unknown_names_are_told_in_seconds(loaded: Callable[..., Inventory]) -> None:
    sites = "".join(f"  - {{code: k{n}, name: K, upstream: u{n}, x: 1}}\n" for n in range(3000))
    began = time.monotonic()
    told = problems(lambda: loaded(f"organisation: Dinas\nsites:\n{sites}"))
    assert len(told) == 1001
    assert told[-1].endswith("and 5000 more problems")
    assert time.monotonic() - began < 20
