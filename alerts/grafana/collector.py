"""The watcher itself: does it hear, store and answer, and does anyone knock who should not."""

from __future__ import annotations

from typing import Final

from alerts.grafana.panels import (
    Board,
    Text,
    bars,
    figures,
    lines,
    named,
    now,
    over_time,
    stacked,
    steps,
)
from inventory.model import Language

UID: Final = "tabuah-collector"
_JOB: Final = 'job=~"$job"'
_RATE: Final = "[$__rate_interval]"


def board(language: Language) -> Board:
    """Return the dashboard."""
    board = Board(
        UID,
        Text("Kolektor", "Collector"),
        Text(
            "Pengawasnya sendiri: apakah ia mendengar, menyimpan dan menjawab.",
            "The watcher itself: whether it hears, stores and answers.",
        ),
        language,
    ).variable("job", Text("Job", "Job"), "label_values(tabuah_build_info, job)", every=True)
    _hearing(board)
    _storing(board)
    _refused(board)
    return board


def _hearing(board: Board) -> None:
    board.row(Text("Mendengar", "Hearing"))
    board.add(
        stacked(
            "reqps",
            over_time(
                f"sum by (outcome) (rate(tabuah_reports_total{{{_JOB}}}{_RATE}))", "{{outcome}}"
            ),
        ),
        Text("Laporan menurut hasil", "Reports by outcome"),
        Text(
            "accepted dihitung setelah tersimpan; late adalah susulan dari kantor yang kembali.",
            "accepted counts after the commit; late ones come from offices that are back.",
        ),
        12,
    )
    board.add(
        stacked("none", over_time("sum by (state) (tabuah_site_state)", "{{state}}")),
        Text("Kantor menurut keadaan", "Offices by state"),
        Text("Jumlah kantor setiap keadaan.", "How many offices are in each state."),
        12,
    )
    board.add(
        bars(
            "s",
            now(
                f"sort_desc(topk(10, {named('time() - tabuah_report_last_timestamp_seconds')}))",
                "{{name}}",
            ),
            bounds=steps((None, "green"), (30, "orange"), (120, "red")),
        ),
        Text("Paling lama tidak melapor", "Longest without a report"),
        Text("Umur laporan terbaru, sepuluh terlama.", "Age of the newest report, the ten oldest."),
        8,
    )
    board.add(
        lines("none", over_time("sum by (job) (tabuah_agent_backlog_reports)", "{{job}}"), min=0),
        Text("Laporan tertunda di kantor", "Backlog of the offices"),
        Text(
            "Laporan yang belum diterima, di semua kantor yang melapor.",
            "Reports not yet acknowledged, in all offices that report.",
        ),
        8,
    )
    board.add(
        lines(
            "s",
            over_time(f"topk(5, abs({named('tabuah_agent_clock_skew_seconds')}))", "{{name}}"),
            min=0,
        ),
        Text("Selisih jam terbesar", "Largest clock skew"),
        Text("Jam kantor terhadap jam kolektor.", "Offices' clocks against the collector's."),
        8,
    )


def _storing(board: Board) -> None:
    board.row(Text("Menyimpan dan menjawab", "Storing and answering"))
    bucket = f"sum by (le) (rate(tabuah_commit_seconds_bucket{{{_JOB}}}{_RATE}))"
    board.add(
        lines(
            "s",
            *(
                over_time(f"histogram_quantile({share}, {bucket})", f"p{round(100 * share)}")
                for share in (0.5, 0.99)
            ),
            min=0,
        ),
        Text("Lama penyimpanan", "Time of a commit"),
        Text(
            "Sampai laporan ada di penyimpanan (fsync). Di atas satu detik: periksa disk.",
            "Until reports are on disk (fsync). Above a second: look at the disk.",
        ),
        8,
    )
    render = "tabuah_scrape_render_seconds"
    board.add(
        lines(
            "s",
            over_time(
                f"rate({render}_sum{{{_JOB}}}{_RATE}) / rate({render}_count{{{_JOB}}}{_RATE})",
                "{{instance}}",
            ),
            min=0,
        ),
        Text("Lama membuat halaman metrik", "Rendering of the metrics page"),
        Text("Rata-rata setiap pengambilan.", "Mean of each scrape."),
        8,
    )
    board.add(
        figures(
            "percentunit",
            now(
                f"tabuah_data_free_bytes{{{_JOB}}} / tabuah_data_size_bytes{{{_JOB}}}",
                "{{instance}}",
            ),
            bounds=steps((None, "red"), (0.05, "orange"), (0.15, "green")),
        ),
        Text("Sisa penyimpanan", "Disk free"),
        Text(
            "Bila penuh, laporan tidak diterima dan tetap aman di kantor.",
            "When full, reports are not acknowledged, and stay safe in the offices.",
        ),
        4,
    )
    board.add(
        figures(
            "s",
            now(f"time() - process_start_time_seconds{{{_JOB}}}", "{{instance}}"),
            bounds=steps((None, "orange"), (300, "green")),
        ),
        Text("Sejak dijalankan", "Since its start"),
        Text("Umur proses kolektor.", "Age of the collector's process."),
        4,
    )
    board.add(
        lines(
            "percentunit",
            over_time(f"rate(process_cpu_seconds_total{{{_JOB}}}{_RATE})", "{{instance}}"),
            min=0,
        ),
        Text("CPU", "CPU"),
        Text("Bagian dari satu inti.", "Share of one core."),
        8,
    )
    board.add(
        lines(
            "bytes", over_time(f"process_resident_memory_bytes{{{_JOB}}}", "{{instance}}"), min=0
        ),
        Text("Memori", "Memory"),
        Text("Memori proses kolektor.", "Resident memory of the collector's process."),
        8,
    )
    board.add(
        lines(
            "s",
            over_time("max(tabuah_remote_write_lag_seconds) or vector(0)", "remote write"),
            min=0,
        ),
        Text("Ketertinggalan remote write", "Remote write lag"),
        Text(
            "Umur laporan tertua yang belum ditulis; 0 juga bila tidak dipakai.",
            "Age of the oldest report not written yet; 0 also where none is configured.",
        ),
        8,
    )


def _refused(board: Board) -> None:
    board.row(Text("Yang ditolak", "What was refused"))
    board.add(
        lines(
            "reqps",
            over_time(
                f"sum by (reason) (rate(tabuah_usm_stats_total{{{_JOB}}}{_RATE}))", "{{reason}}"
            ),
            min=0,
        ),
        Text("Ditolak oleh SNMPv3 (usmStats)", "Refused by SNMPv3 (usmStats)"),
        Text(
            "wrong_digest yang bertahan: kantor dengan kunci lama, atau seseorang mencoba.",
            "wrong_digest that stays: an office with an old key, or someone who tries.",
        ),
        12,
    )
    board.add(
        lines(
            "none",
            over_time(
                f"sum by (where) (increase(tabuah_mishaps_total{{{_JOB}}}{_RATE}))", "{{where}}"
            ),
            min=0,
        ),
        Text("Galat tak terduga", "Errors that nobody foresaw"),
        Text(
            "Harus nol; catatan kolektor memuat rinciannya.",
            "Ought to be none; the collector's log has the traceback.",
        ),
        12,
    )
