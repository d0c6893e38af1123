"""Two offices with all that a text can say of them, in either language."""

from __future__ import annotations

from pathlib import Path

from inventory.model import (
    Alerts,
    Circuit,
    CircuitRole,
    Contact,
    Inventory,
    Language,
    Provider,
    Service,
    Site,
    Upstream,
)

BEGAN_MS = 1_795_500_000_000
"""Tuesday, 24 November 2026, 13:00 WIB."""


def solok(language: str = "id", templates: Path | None = None) -> Inventory:
    """Return their inventory; the names and numbers of people are made up."""
    return Inventory(
        "Dinas Uji",
        language=Language(language),
        page_url="https://tabuah.example/",
        upstreams={"sto-solok": Upstream("sto-solok", "STO Solok")},
        services={
            "siak": Service("siak", "SIAK", "https://siak.example/", owner="Disdukcapil"),
            "lpse": Service("lpse", "LPSE", "https://lpse.example/"),
        },
        providers={"Telkom": Provider("Telkom", "TENESA 0800-0000000")},
        alerts=Alerts(templates=templates),
        sites=(
            _office("13.02.10", "Kantor Camat Kubung", "Kubung", "4700000001"),
            _office("13.02.07", "Kantor Camat Gunung Talang", "Gunung Talang", ""),
        ),
    )


def _office(code: str, name: str, kecamatan: str, sid: str) -> Site:
    line = Circuit("telkom", CircuitRole.PRIMARY, provider="Telkom", product="Astinet", sid=sid)
    return Site(
        code,
        name,
        kecamatan=kecamatan,
        upstream="sto-solok",
        circuits=(line,),
        contacts=(Contact(f"PIC {kecamatan}", "0812-0000-0001"),),
        services=("siak", "lpse"),
    )
