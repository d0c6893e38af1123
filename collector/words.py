"""What the page says, in Bahasa Indonesia and English: every text a reader sees stands here.

Bahasa Indonesia has no plural s; where English needs one, the key has a second form, `KEY.one`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from inventory.model import Language

_INDONESIAN: Final[Mapping[str, str]] = {
    "title": "Pemantauan jaringan kantor",
    "state.up": "Terhubung",
    "state.degraded": "Menurun",
    "state.down": "Terputus",
    "state.silent": "Tidak melapor",
    "state.unknown": "Belum diketahui",
    "headline.all_up": "Semua {total} kantor terhubung",
    "headline.none": "Belum ada kantor dalam inventaris",
    "headline.not_ready": "Keadaan {total} kantor tidak dapat dipastikan",
    "headline.waiting": "Menunggu laporan pertama dari {total} kantor",
    "headline.down": "terputus",
    "headline.silent": "tidak melapor",
    "headline.degraded": "kualitasnya menurun",
    "headline.unknown": "belum diketahui",
    "headline.single": "{count} dari {total} kantor {what}",
    "headline.single.one": "{count} dari {total} kantor {what}",
    "headline.many": "Dari {total} kantor: {parts}",
    "headline.part": "{count} {what}",
    "since_place": "{name} sejak {time}",
    "and_more": "dan {count} lainnya",
    "rows.rest": "{shown} dari {total} kantor, yang bermasalah dahulu. Semuanya: /api/v1/sites",
    "hint.silent": (
        "Tidak melapor belum tentu terputus: listrik, gateway, atau agennya juga dapat "
        "berhenti. Laporan yang tertahan akan menyusul dan menjelaskannya."
    ),
    "cloned": "dua agen",
    "hint.cloned": (
        "Dua agen: dua mesin melapor dengan konfigurasi kantor yang sama, jadi datanya tercampur. "
        "Hentikan salah satunya. Jika belum jelas yang mana, buat kunci baru dengan `tabuah enrol "
        "KODE --rotate` dan pasang di gateway yang benar; mesin yang lain lalu ditolak."
    ),
    "not_ready": "Pusat pemantau bermasalah; keadaan di bawah ini mungkin tidak berlaku lagi.",
    "not_storing": "Laporan tidak dapat disimpan.",
    "not_hearing": "Laporan tidak dapat diterima.",
    "column.state": "Keadaan",
    "column.office": "Kantor",
    "column.since": "Sejak",
    "column.last": "Laporan terakhir",
    "column.rtt": "Latensi",
    "column.loss": "Paket hilang",
    "column.traffic": "Trafik",
    "traffic.down": "unduh",
    "traffic.up": "unggah",
    "table": "Keadaan setiap kantor",
    "counts": "Jumlah kantor menurut keadaan",
    "absent": "data tidak tersedia",
    "never": "belum pernah",
    "ago": "{age} lalu",
    "now": "baru saja",
    "shown_at": "Keadaan pukul {time}",
    "refreshes": "Halaman ini memperbarui diri setiap {seconds} detik.",
    "unreachable": "Pusat pemantau tidak dapat dihubungi. Yang tampak adalah keadaan terakhir.",
    "other_language": "English",
    "circuits": "Saluran",
    "months": "Jan Feb Mar Apr Mei Jun Jul Agu Sep Okt Nov Des",
}

_ENGLISH: Final[Mapping[str, str]] = {
    "title": "Office network watch",
    "state.up": "Connected",
    "state.degraded": "Degraded",
    "state.down": "Down",
    "state.silent": "Not reporting",
    "state.unknown": "Unknown",
    "headline.all_up": "All {total} offices are connected",
    "headline.none": "There are no offices in the inventory",
    "headline.not_ready": "The state of {total} offices cannot be confirmed",
    "headline.waiting": "Waiting for the first report of {total} offices",
    "headline.down": "down",
    "headline.silent": "not reporting",
    "headline.degraded": "degraded",
    "headline.unknown": "unknown",
    "headline.single": "{count} of {total} offices are {what}",
    "headline.single.one": "{count} of {total} offices is {what}",
    "headline.many": "Of {total} offices: {parts}",
    "headline.part": "{count} {what}",
    "since_place": "{name} since {time}",
    "and_more": "and {count} more",
    "rows.rest": "{shown} of {total} offices, those in trouble first. All of them: /api/v1/sites",
    "hint.silent": (
        "Not reporting is not yet down: power, the gateway or the agent may have stopped too. "
        "Reports that are held back will follow and tell."
    ),
    "cloned": "two agents",
    "hint.cloned": (
        "Two agents: two machines report with the same office's configuration, so their data mix. "
        "Stop one of them. If it is not clear which, make a new key with `tabuah enrol CODE "
        "--rotate` and give it to the right gateway; the other machine is refused then."
    ),
    "not_ready": "The collector is in trouble; what stands below may no longer hold.",
    "not_storing": "Reports cannot be stored.",
    "not_hearing": "Reports cannot be received.",
    "column.state": "State",
    "column.office": "Office",
    "column.since": "Since",
    "column.last": "Last report",
    "column.rtt": "Latency",
    "column.loss": "Packet loss",
    "column.traffic": "Traffic",
    "traffic.down": "down",
    "traffic.up": "up",
    "table": "State of each office",
    "counts": "Offices by state",
    "absent": "no data",
    "never": "never",
    "ago": "{age} ago",
    "now": "just now",
    "shown_at": "As of {time}",
    "refreshes": "This page refreshes itself every {seconds} seconds.",
    "unreachable": "The collector cannot be reached. What you see is the last known state.",
    "other_language": "Bahasa Indonesia",
    "circuits": "Circuits",
    "months": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
}

CATALOGUE: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.INDONESIAN: _INDONESIAN,
    Language.ENGLISH: _ENGLISH,
}


def say(language: Language, key: str, **values: object) -> str:
    """Return the text of `key` with the values put in.

    Raises:
        KeyError: when the catalogue has no such key.
    """
    return CATALOGUE[language][key].format(**values)
