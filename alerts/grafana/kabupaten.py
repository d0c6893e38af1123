"""All offices at a glance: who is out, why, and what people there can use."""

from __future__ import annotations

from typing import Final

from alerts.grafana.panels import (
    STATE,
    STATES,
    Board,
    Column,
    Text,
    bars,
    cells,
    figures,
    lines,
    matrix,
    named,
    now,
    over_time,
    places,
    rows,
    states,
    steps,
    timeline,
    works,
)
from inventory.model import Language

UID: Final = "tabuah-kabupaten"
_OFFICE: Final = "/d/tabuah-office?var-site=${__data.fields.site}&${__url_time_range}"
_AMONG: Final = 'kabupaten=~"$kabupaten"'

_COUNTS: Final = (
    ("up", Text("Terhubung", "Up"), "green"),
    ("degraded", Text("Terganggu", "Degraded"), "yellow"),
    ("silent", Text("Tidak melapor", "Silent"), "orange"),
    ("down", Text("Putus", "Down"), "red"),
    ("unknown", Text("Tidak diketahui", "Unknown"), "#8e8e8e"),
)


def board(language: Language) -> Board:
    """Return the dashboard."""
    board = Board(
        UID,
        Text("Kabupaten", "Kabupaten"),
        Text(
            "Semua kantor sekilas: siapa terputus, mengapa, dan layanan apa yang jalan.",
            "All offices at a glance: who is out, why, and which services can be used.",
        ),
        language,
    ).variable(
        "kabupaten",
        Text("Kabupaten/kota", "Kabupaten"),
        "label_values(tabuah_site_info, kabupaten)",
        every=True,
    )
    _now(board)
    _where(board)
    _quality(board)
    return board


def _now(board: Board) -> None:
    board.row(Text("Sekarang", "Now"))
    for label, title, colour in _COUNTS:
        count = (
            f'sum(tabuah_site_state{{state="{label}"}} * on (site) tabuah_site_info{{{_AMONG}}})'
        )
        calm = colour if label == "up" else "#37872d"
        board.add(
            figures(
                "none",
                now(count, title.said(board.language)),
                bounds=steps((None, calm), (1, colour)),
            ),
            title,
            Text(
                f"Jumlah kantor yang sekarang {_word(label).id}.",
                f"How many offices are {_word(label).en} now.",
            ),
            4,
            4,
        )
    board.add(
        figures(
            "none",
            now(
                "count(count by (incident) (tabuah_incident_active)) or vector(0)",
                Text("insiden", "incidents").said(board.language),
            ),
            bounds=steps((None, "#37872d"), (1, "orange"), (5, "red")),
        ),
        Text("Insiden terbuka", "Open incidents"),
        Text(
            "Insiden yang sedang berlangsung; satu insiden dapat mencakup banyak kantor.",
            "Incidents that go on; one can be of many offices.",
        ),
        4,
        4,
    )
    board.add(
        cells(
            board.language,
            (
                Column(
                    "name",
                    Text("Kantor", "Office"),
                    link=(Text("Buka kantor", "Open the office"), _OFFICE),
                ),
                Column("cause", Text("Penyebab", "Cause")),
                Column("severity", Text("Tingkat", "Severity")),
                Column("upstream", Text("Hulu", "Upstream")),
                Column("incident", Text("Insiden", "Incident")),
                Column("site", Text("Kode", "Code")),
            ),
            rows(named("tabuah_incident_active", "kecamatan", among=_AMONG)),
        ),
        Text("Gangguan dan penyebabnya", "Who is out, and why"),
        Text(
            "Setiap insiden terbuka dan kantornya. `tabuah incidents show INSIDEN` menceritakan "
            "selengkapnya.",
            "Each open incident and its offices. `tabuah incidents show INCIDENT` tells the story.",
        ),
        12,
        9,
    )
    board.add(
        matrix(
            board.language,
            "name",
            "service",
            works(board.language),
            rows(f"min by (name, service) ({named('tabuah_service_up', among=_AMONG)})"),
        ),
        Text("Layanan di setiap kantor", "Services by office"),
        Text(
            "Apakah pemeriksaan layanan dari kantor itu berhasil. Kosong: kantor tidak melapor.",
            "Whether the service's checks from that office succeed. Blank: the office is silent.",
        ),
        12,
        9,
    )


def _word(label: str) -> Text:
    return next(state.text for state in STATES if state.label == label)


def _where(board: Board) -> None:
    board.row(Text("Riwayat dan peta", "History and map"))
    board.add(
        timeline(states(board.language), over_time(named(STATE, among=_AMONG), "{{name}}")),
        Text("Keadaan kantor", "State of each office"),
        Text(
            "Satu baris setiap kantor. Tidak melapor belum tentu putus: catatan gangguan yang "
            "menentukan, setelah kantor kembali.",
            "One row for each office. Silent need not be down: the ledger decides when the office "
            "is back.",
        ),
        14,
        14,
    )
    board.add(
        places(
            board.language,
            rows(
                f"({named(STATE, among=_AMONG)}) * on (site) group_left (latitude, longitude) "
                "tabuah_site_location_info"
            ),
        ),
        Text("Peta", "Map"),
        Text(
            "Letak menurut inventaris (sering titik tengah kecamatan), warna menurut keadaan.",
            "Offices where the inventory puts them (often a kecamatan's centroid), by state.",
        ),
        10,
        14,
    )


def _quality(board: Board) -> None:
    board.row(Text("Mutu saluran", "Quality of the lines"))
    rtt = 'max by (site) (tabuah_probe_rtt_seconds{role="centre", stat="mean"})'
    loss = 'max by (site) (tabuah_probe_loss_ratio{role=~"centre|first_hop"})'
    board.add(
        bars(
            "s",
            now(f"sort_desc(topk(10, {named(rtt, among=_AMONG)}))", "{{name}}"),
            bounds=steps((None, "green"), (0.1, "yellow"), (0.3, "orange"), (0.8, "red")),
        ),
        Text("Latensi tertinggi", "Highest round trip"),
        Text(
            "Sepuluh kantor dengan waktu tempuh rata-rata ke pusat yang terlama.",
            "The ten offices with the longest mean round trip to the centre.",
        ),
        8,
    )
    board.add(
        bars(
            "percentunit",
            now(f"sort_desc(topk(10, {named(loss, among=_AMONG)}))", "{{name}}"),
            bounds=steps((None, "green"), (0.02, "yellow"), (0.05, "orange"), (0.2, "red")),
        ),
        Text("Paket hilang terbanyak", "Highest loss"),
        Text(
            "Sepuluh kantor dengan bagian paket hilang terbesar menuju pusat atau hop pertama.",
            "The ten offices that lose the largest share of packets to the centre or first hop.",
        ),
        8,
    )
    used = (
        "max by (site) (rate(tabuah_interface_receive_bytes_total[$__rate_interval])) / on (site) "
        'sum by (site) (tabuah_circuit_bandwidth_bytes_per_second{direction="down"})'
    )
    board.add(
        bars(
            "percentunit",
            now(f"sort_desc(topk(10, {named(used, among=_AMONG)}))", "{{name}}"),
            bounds=steps((None, "green"), (0.7, "yellow"), (0.9, "red")),
        ),
        Text("Bandwidth terpakai", "Bandwidth in use"),
        Text(
            "Bagian bandwidth kontrak (arah turun) pada antarmuka tersibuk; sepuluh terpenuh.",
            "Share of the contract's bandwidth (down) on the busiest interface; the ten fullest.",
        ),
        8,
    )
    board.add(
        lines("s", over_time(named(rtt, among=_AMONG), "{{name}}"), min=0),
        Text("Latensi ke pusat", "Round trip to the centre"),
        Text(
            "Rata-rata setiap pengukuran, menurut laporan langsung kantor.",
            "Mean of each measurement, as the offices' live reports have it.",
        ),
        12,
    )
    board.add(
        lines("percentunit", over_time(named(loss, among=_AMONG), "{{name}}"), min=0),
        Text("Paket hilang", "Loss"),
        Text(
            "Bagian paket tanpa jawaban pada pengukuran terbaru.",
            "Share of packets without an answer in the newest measurement.",
        ),
        12,
    )
    for direction, title in (
        ("receive", Text("Lalu lintas turun", "Traffic down")),
        ("transmit", Text("Lalu lintas naik", "Traffic up")),
    ):
        rate = (
            f"8 * max by (site) (rate(tabuah_interface_{direction}_bytes_total[$__rate_interval]))"
        )
        board.add(
            lines("bps", over_time(named(rate, among=_AMONG), "{{name}}"), min=0),
            title,
            Text(
                "Antarmuka tersibuk dari perangkat setiap kantor.",
                "The busiest interface of each office's devices.",
            ),
            12,
        )
