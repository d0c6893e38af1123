"""One office in depth: its line by role of probe, its services by step, its agent and devices."""

from __future__ import annotations

from typing import Final

from alerts.grafana.panels import (
    STATE,
    Board,
    Column,
    Text,
    cells,
    figures,
    lines,
    now,
    over_time,
    rows,
    stacked,
    states,
    steps,
    timeline,
    works,
)
from inventory.model import Language

UID: Final = "tabuah-office"
_HERE: Final = 'site="$site"'


def board(language: Language) -> Board:
    """Return the dashboard."""
    board = (
        Board(
            UID,
            Text("Kantor", "Office"),
            Text(
                "Satu kantor: saluran, layanan, perangkat dan agennya.",
                "One office: its line, services, devices and agent.",
            ),
            language,
        )
        .variable(
            "site",
            Text("Kantor", "Office"),
            "query_result(tabuah_site_info)",
            every=False,
            regex='/name="(?<text>[^"]+)".*site="(?<value>[^"]+)"/',
        )
        .annotations(
            Text("Insiden", "Incidents"),
            f"tabuah_incident_active{{{_HERE}}}",
            "{{cause}}",
            "{{incident}} ({{severity}})",
        )
    )
    _now(board)
    _line(board)
    _services(board)
    _devices(board)
    _agent(board)
    return board


def _now(board: Board) -> None:
    language = board.language
    board.row(Text("Sekarang", "Now"))
    board.add(
        figures(
            "none",
            now(f"{STATE} * on (site) tabuah_site_info{{{_HERE}}}", "{{site}}"),
            bounds=steps((None, "green")),
        ).mappings(states(language)),
        Text("Keadaan", "State"),
        Text("Keadaan kantor sekarang.", "The office's state now."),
        4,
        5,
    )
    board.add(
        figures(
            "s",
            now(f"time() - tabuah_report_last_timestamp_seconds{{{_HERE}}}", "{{site}}"),
            bounds=steps((None, "green"), (30, "orange"), (120, "red")),
        ),
        Text("Laporan terakhir", "Last report"),
        Text(
            "Umur laporan terbaru menurut jam kolektor.",
            "Age of the newest report, by the collector's clock.",
        ),
        4,
        5,
    )
    board.add(
        figures(
            "percentunit",
            now(f'tabuah_circuit_month_availability_ratio{{{_HERE}, bound="low"}}', "{{circuit}}"),
            bounds=steps((None, "red"), (0.98, "orange"), (0.995, "green")),
        ),
        Text("Ketersediaan bulan ini", "Availability this month"),
        Text(
            "Waktu yang belum diketahui dihitung putus; laporan SLA yang menentukan.",
            "Unknown time is counted as down; the SLA report decides.",
        ),
        4,
        5,
    )
    board.add(
        cells(
            language,
            (
                Column("circuit", Text("Sirkuit", "Circuit")),
                Column("provider", Text("Penyedia", "Provider")),
                Column("product", Text("Produk", "Product")),
                Column("technology", Text("Teknologi", "Technology")),
                Column("role", Text("Peran", "Role")),
                Column("Value", Text("Bekerja", "Works"), mappings=works(language)),
            ),
            rows(
                f"tabuah_circuit_up{{{_HERE}}} * on (site, circuit) "
                "group_left (provider, product, technology, role) tabuah_circuit_info"
            ),
        ),
        Text("Sirkuit", "Circuits"),
        Text(
            "Apakah sirkuit membawa lalu lintas menurut pengukuran kantor sendiri.",
            "Whether the circuit carries traffic by the office's own probes.",
        ),
        12,
        5,
    )
    board.add(
        timeline(
            states(language),
            over_time(
                f"{STATE} * on (site) group_left (name) tabuah_site_info{{{_HERE}}}", "{{name}}"
            ),
        ),
        Text("Riwayat keadaan", "State over time"),
        Text("Keadaan menurut kolektor.", "The state as the collector has it."),
        24,
        4,
    )


def _line(board: Board) -> None:
    board.row(Text("Saluran", "The line"))
    probe = "{{probe}} ({{role}})"
    board.add(
        lines("s", over_time(f'tabuah_probe_rtt_seconds{{{_HERE}, stat="mean"}}', probe), min=0),
        Text("Latensi setiap pengukuran", "Round trip by probe"),
        Text(
            "Bila hop pertama sudah lambat, masalahnya di saluran; bila hanya pusat atau publik, "
            "di jaringan penyedia.",
            "When the first hop is slow already it is the line; when only the centre or the public "
            "is, the provider's network.",
        ),
        12,
        9,
    )
    board.add(
        lines("percentunit", over_time(f"tabuah_probe_loss_ratio{{{_HERE}}}", probe), min=0, max=1),
        Text("Paket hilang setiap pengukuran", "Loss by probe"),
        Text("Bagian paket tanpa jawaban.", "Share of packets without an answer."),
        12,
        9,
    )
    board.add(
        lines(
            "percentunit",
            over_time(f"tabuah_probe_one_way_loss_ratio{{{_HERE}}}", "{{probe}} {{direction}}"),
            min=0,
        ),
        Text("Hilang per arah (STAMP)", "Loss by direction (STAMP)"),
        Text(
            "forward: dari kantor ke pusat; backward: sebaliknya.",
            "forward: from the office to the centre; backward: the other way.",
        ),
        8,
    )
    board.add(
        lines("s", over_time(f"tabuah_probe_jitter_seconds{{{_HERE}}}", probe), min=0),
        Text("Jitter", "Jitter"),
        Text(
            "Rata-rata selisih waktu tempuh berurutan.",
            "Mean difference of neighbouring round trips.",
        ),
        8,
    )
    board.add(
        lines("s", over_time(f"tabuah_report_rtt_seconds{{{_HERE}}}", "{{site}}"), min=0),
        Text("Waktu tempuh laporan", "Round trip of reports"),
        Text(
            "Termasuk waktu penyimpanan di pusat; dihaluskan oleh agen.",
            "With the time of storing at the centre; smoothed by the agent.",
        ),
        8,
    )


def _services(board: Board) -> None:
    board.row(Text("Layanan", "Services"))
    board.add(
        timeline(
            works(board.language),
            over_time(f"tabuah_service_up{{{_HERE}}}", "{{service}}"),
        ),
        Text("Layanan dapat dipakai", "Services that can be used"),
        Text(
            "Apakah semua pemeriksaan layanan dari kantor ini berhasil.",
            "Whether all checks of the service from this office succeed.",
        ),
        10,
    )
    board.add(
        stacked(
            "s",
            over_time(
                f"sum by (service, phase) (tabuah_service_duration_seconds{{{_HERE}}})",
                "{{service}} {{phase}}",
            ),
        ),
        Text("Waktu setiap langkah", "Time of each step"),
        Text(
            "resolve: DNS; connect: TCP; tls; first_byte: tunggu jawaban; body: isi.",
            "resolve: DNS; connect: TCP; tls; first_byte: wait for the answer; body: the rest.",
        ),
        14,
    )


def _devices(board: Board) -> None:
    board.row(Text("Perangkat", "Devices"))
    for direction, title in (
        ("receive", Text("Antarmuka, turun", "Interfaces, receive")),
        ("transmit", Text("Antarmuka, naik", "Interfaces, transmit")),
    ):
        rate = f"8 * rate(tabuah_interface_{direction}_bytes_total{{{_HERE}}}[$__rate_interval])"
        board.add(
            lines("bps", over_time(rate, "{{device}} {{interface}}"), min=0),
            title,
            Text("Menurut penghitung SNMP perangkat.", "By the devices' SNMP counters."),
            8,
        )
    board.add(
        timeline(
            works(board.language),
            over_time(f"tabuah_interface_up{{{_HERE}}}", "{{device}} {{interface}}"),
        ),
        Text("Antarmuka hidup", "Interfaces up"),
        Text("ifOperStatus setiap antarmuka.", "ifOperStatus of each interface."),
        8,
    )
    faults = " + ".join(
        f"rate(tabuah_interface_{direction}_{kind}_total{{{_HERE}}}[$__rate_interval])"
        for direction in ("receive", "transmit")
        for kind in ("errors", "discards")
    )
    board.add(
        lines("pps", over_time(faults, "{{device}} {{interface}}"), min=0),
        Text("Galat dan buangan", "Errors and discards"),
        Text(
            "Paket rusak atau dibuang setiap detik, kedua arah.",
            "Packets in error or discarded each second, both ways.",
        ),
        12,
    )
    board.add(
        lines(
            "percentunit",
            over_time(f"tabuah_device_storage_used_ratio{{{_HERE}}}", "{{device}} {{storage}}"),
            min=0,
            max=1,
        ),
        Text("Memori dan penyimpanan", "Memory and storage"),
        Text("Bagian yang terpakai, hrStorage.", "Share in use, hrStorage."),
        12,
    )


def _agent(board: Board) -> None:
    board.row(Text("Agen", "The agent"))
    for unit, metric, title, says in (
        (
            "none",
            "tabuah_agent_backlog_reports",
            Text("Laporan tertunda", "Backlog"),
            Text("Laporan di kantor yang belum diterima pusat.", "Reports not yet acknowledged."),
        ),
        (
            "s",
            "tabuah_agent_clock_skew_seconds",
            Text("Selisih jam", "Clock skew"),
            Text("Jam kantor dikurangi jam kolektor.", "The office's clock minus the collector's."),
        ),
        (
            "bytes",
            "tabuah_agent_resident_memory_bytes",
            Text("Memori agen", "Agent's memory"),
            Text("Memori proses agen.", "Resident memory of the agent's process."),
        ),
        (
            "bytes",
            "tabuah_agent_written_bytes_total",
            Text("Ditulis ke penyimpanan", "Written to flash"),
            Text(
                "Sejak agen dijalankan; agen yang sehat tidak menulis apa pun.",
                "Since the agent's start; a healthy agent writes nothing.",
            ),
        ),
    ):
        board.add(lines(unit, over_time(f"{metric}{{{_HERE}}}", "{{site}}")), title, says, 6)
