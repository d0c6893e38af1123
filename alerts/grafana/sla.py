"""The month against the contracts: availability, what is left of the allowance, and the money."""

from __future__ import annotations

from typing import Final

from alerts.grafana.panels import (
    Board,
    Column,
    Text,
    bars,
    cells,
    figures,
    lines,
    named,
    now,
    over_time,
    rows,
    stacked,
    steps,
)
from inventory.model import Language

UID: Final = "tabuah-sla"
_HERE: Final = 'site=~"$site"'

_BUDGET: Final = (
    f'1 - tabuah_circuit_month_seconds{{{_HERE}, share="countable"}} / on (site, circuit) '
    "(tabuah_circuit_month_whole_seconds * on (site, circuit) "
    "(1 - tabuah_circuit_objective_ratio))"
)


def board(language: Language) -> Board:
    """Return the dashboard."""
    board = Board(
        UID,
        Text("SLA", "SLA"),
        Text(
            "Bulan berjalan terhadap kontrak. Catatan resminya laporan `tabuah sla`; angka di sini "
            "dihitung dengan cara yang sama setiap beberapa menit.",
            "The month so far against the contracts. `tabuah sla` is the record; these figures are "
            "reckoned from the same verdicts every few minutes.",
        ),
        language,
    ).variable(
        "site", Text("Kantor", "Office"), "label_values(tabuah_circuit_info, site)", every=True
    )
    board.row(Text("Bulan berjalan", "The month so far"))
    _sums(board)
    _circuits(board)
    board.row(Text("Sisa jatah", "What is left"))
    _budget(board)
    return board


def _sums(board: Board) -> None:
    money = f"sum(tabuah_circuit_month_restitution_rupiah{{{_HERE}, %s}})"
    for where, title, says in (
        (
            'clock="measured", bound="claim"',
            Text("Restitusi, terukur", "Restitution, measured"),
            Text(
                "Potensi restitusi dari gangguan yang terukur, menunggu berita acara.",
                "What measured outages come to, before both sides sign.",
            ),
        ),
        (
            'clock="ticketed", bound="claim"',
            Text("Restitusi, menurut tiket", "Restitution, by ticket"),
            Text(
                "Hanya waktu di dalam tiket gangguan: catat nomor tiket segera.",
                "Only time within the provider's tickets: write their numbers down at once.",
            ),
        ),
        (
            'clock="measured", bound="potential"',
            Text("Bila yang tak diketahui putus", "Were the unknown down"),
            Text(
                "Termasuk waktu tanpa data, seandainya semuanya putus.",
                "With time of which nothing is known, were all of it down.",
            ),
        ),
    ):
        board.add(
            figures(
                "currencyIDR",
                now(money % where, title.said(board.language)),
                bounds=steps((None, "blue")),
            ),
            title,
            says,
            6,
            4,
        )
    board.add(
        figures(
            "s",
            now(f'sum(tabuah_circuit_month_seconds{{{_HERE}, share="unknown"}})', "unknown"),
            bounds=steps((None, "#37872d"), (3600, "orange")),
        ),
        Text("Waktu tanpa data", "Unknown time"),
        Text(
            "Jumlah waktu semua sirkuit yang keadaannya belum diketahui.",
            "Time of all circuits of which nothing is known yet.",
        ),
        6,
        4,
    )


def _circuits(board: Board) -> None:
    def by_name(expression: str) -> str:
        return f"sum by (name, site, circuit) ({named(expression)})"

    def month(name: str, **labels: str) -> str:
        more = "".join(f', {label}="{value}"' for label, value in labels.items())
        return by_name(f"tabuah_circuit_month_{name}{{{_HERE}{more}}}")

    good = [(None, "red"), (0.98, "orange"), (0.995, "green")]
    board.add(
        cells(
            board.language,
            (
                Column(
                    "name",
                    Text("Kantor", "Office"),
                    link=(
                        Text("Buka kantor", "Open the office"),
                        "/d/tabuah-office?var-site=${__data.fields.site}",
                    ),
                ),
                Column("circuit", Text("Sirkuit", "Circuit")),
                Column(
                    "Value #A",
                    Text("Ketersediaan, rendah", "Availability, low"),
                    "percentunit",
                    bounds=good,
                ),
                Column(
                    "Value #B",
                    Text("Ketersediaan, tinggi", "Availability, high"),
                    "percentunit",
                    bounds=good,
                ),
                Column("Value #C", Text("Dijanjikan", "Promised"), "percentunit"),
                Column("Value #D", Text("Waktu henti terhitung", "Countable downtime"), "s"),
                Column("Value #E", Text("Biaya bulanan", "Monthly fee"), "currencyIDR"),
                Column(
                    "Value #F", Text("Restitusi, terukur", "Restitution, measured"), "currencyIDR"
                ),
                Column(
                    "Value #G", Text("Restitusi, tiket", "Restitution, by ticket"), "currencyIDR"
                ),
                Column("site", Text("Kode", "Code")),
            ),
            rows(month("availability_ratio", bound="low")),
            rows(month("availability_ratio", bound="high")),
            rows(by_name(f"tabuah_circuit_objective_ratio{{{_HERE}}}")),
            rows(month("seconds", share="countable")),
            rows(month("fee_rupiah")),
            rows(month("restitution_rupiah", clock="measured", bound="claim")),
            rows(month("restitution_rupiah", clock="ticketed", bound="claim")),
        ),
        Text("Setiap sirkuit", "Each circuit"),
        Text(
            "Ketersediaan rendah menghitung waktu tak diketahui sebagai putus, tinggi sebagai "
            "terhubung. Kosong: inventaris tidak memuat kontrak.",
            "Low counts unknown time as down, high as up. Blank: the inventory holds no contract.",
        ),
        24,
        12,
    )


def _budget(board: Board) -> None:
    legend = "{{name}} {{circuit}}"
    board.add(
        bars(
            "percentunit",
            now(f"sort({named(_BUDGET)})", legend),
            bounds=steps((None, "red"), (0.1, "orange"), (0.5, "green")),
        ),
        Text("Sisa jatah waktu henti", "Allowance left"),
        Text(
            "Bagian waktu henti yang masih diperbolehkan; di bawah nol janji dilanggar.",
            "What is left of the month's allowed downtime; below zero the promise is broken.",
        ),
        12,
        10,
    )
    rate = "tabuah:circuit_bad:avg30m{%s} / on (site, circuit) (1 - tabuah_circuit_objective_ratio)"
    board.add(
        lines("none", over_time(named(rate % _HERE), legend), min=0),
        Text("Laju pemakaian jatah", "Burn rate"),
        Text(
            "Berapa kali lebih cepat dari rata-rata sebulan jatah terpakai (30 menit terakhir). "
            "Peringatan pada 14,4 dan 6.",
            "How many times faster than evenly over a month the allowance is spent (last 30 "
            "minutes). Alerts at 14.4 and 6.",
        ),
        12,
        10,
    )
    board.add(
        stacked(
            "s",
            over_time(
                f'sum by (share) (tabuah_circuit_month_seconds{{{_HERE}, share!="up"}})',
                "{{share}}",
            ),
        ),
        Text("Waktu yang tidak terhubung", "Time that was not up"),
        Text(
            "Semua sirkuit: countable dihitung; open menunggu penetapan; short terlalu "
            "singkat; excluded dikecualikan; off dimatikan; unknown tidak diketahui.",
            "The month so far, all circuits: countable; open awaits a person's word; short of the "
            "contract's least; excluded; off; unknown.",
        ),
        24,
    )
