"""What only the terminal says; offices' states and times are worded as on the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from inventory.model import Language

WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.INDONESIAN: {
        "code": "Kode",
        "cause": "Penyebab",
        "circuits": "Saluran",
        "incident": "Insiden",
        "incidents": "Insiden",
        "outages": "Gangguan tercatat",
        "probes": "Pengukuran",
        "devices": "Perangkat",
        "agent": "Agen",
        "backlog": "laporan tertunda {count}",
        "memory": "memori {mib} MiB",
        "received": "laporan terbaru diterima {age}",
        "no_report": "belum ada laporan dalam sepuluh menit terakhir",
        "none": "tidak ada",
        "open": "masih berlangsung",
        "good": "baik",
        "asked": "{count} kantor, pukul {time}",
        "stale": "Pusat tidak menjawab sejak {age}: {why}",
        "filter": "Cari nama, kode, keadaan atau penyebab",
        "key.filter": "Cari",
        "key.open": "Rinci",
        "key.back": "Kembali",
        "key.quit": "Keluar",
        "key.trouble": "Hanya yang bermasalah",
        "key.now": "Tanya sekarang",
    },
    Language.ENGLISH: {
        "code": "Code",
        "cause": "Cause",
        "circuits": "Circuits",
        "incident": "Incident",
        "incidents": "Incidents",
        "outages": "Outages on record",
        "probes": "Probes",
        "devices": "Devices",
        "agent": "Agent",
        "backlog": "backlog {count}",
        "memory": "memory {mib} MiB",
        "received": "newest report came {age}",
        "no_report": "no report in the last ten minutes",
        "none": "none",
        "open": "goes on",
        "good": "good",
        "asked": "{count} offices, at {time}",
        "stale": "The collector has not answered for {age}: {why}",
        "filter": "Find by name, code, state or cause",
        "key.filter": "Find",
        "key.open": "Open",
        "key.back": "Back",
        "key.quit": "Quit",
        "key.trouble": "Only trouble",
        "key.now": "Ask now",
    },
}
