"""What the SLA report says, in Bahasa Indonesia and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alerts.words import CAUSES
from inventory.model import Language

_INDONESIAN: Final[Mapping[str, str]] = {
    "title": "Laporan ketersediaan layanan",
    "months": (
        "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember"
    ),
    "made": "Dihitung {time}",
    "provisional": (
        "Sementara: bulan ini belum selesai. Perhitungan sampai {time}; angka masih berubah."
    ),
    "other_language": "English",
    "print": "Cetak dengan Ctrl+P; tersusun untuk kertas A4.",
    "none": "Tidak ada saluran yang cocok.",
    "summary": "Ringkasan",
    "total": "Jumlah",
    "office": "Kantor",
    "circuit": "Saluran",
    "availability": "Ketersediaan",
    "promised": "Target",
    "countable": "Waktu henti dihitung",
    "unknown_time": "Belum diketahui",
    "claim": "Restitusi",
    "potential": "Potensi restitusi",
    "with_open": "Bila tanggung jawab penyedia",
    "kept.yes": "tercapai",
    "kept.no": "tidak tercapai",
    "kept.open": "belum pasti",
    "kept.none": "tanpa kontrak",
    "contract": "Data kontrak",
    "contract.absent": (
        "Kontrak saluran ini belum dicatat dalam inventaris. Tidak ada jaminan yang dianggap "
        "berlaku, dan tidak ada restitusi yang dihitung; waktunya tetap dicatat di bawah ini."
    ),
    "contract.no_fee": ("Biaya bulanan belum dicatat dalam inventaris; restitusi tidak dihitung."),
    "contract.source": (
        "Diambil dari inventaris, sebagaimana dicatat dari kontrak yang ditandatangani. "
        "Tidak ada angka bawaan yang dianggap janji penyedia."
    ),
    "provider": "Penyedia",
    "product": "Produk",
    "sid": "Nomor layanan (SID)",
    "fee": "Biaya bulanan (F)",
    "fee.scaled": "{fee} ({scaled} untuk masa layanan bulan ini)",
    "formula": "Rumus restitusi",
    "floor": "Gangguan dihitung bila lebih dari",
    "clock": "Waktu dihitung sejak",
    "clock.measured": "gangguan terukur",
    "clock.ticket": "tiket dibuka",
    "mttr": "Batas waktu perbaikan",
    "exclusions": "Pengecualian menurut kontrak",
    "hours": "Jam layanan",
    "hours.always": "24 jam setiap hari",
    "in_service": "Masa layanan",
    "not_given": "tidak dicatat",
    "nothing": "tidak ada",
    "figures": "Hasil",
    "figure": "Perhitungan",
    "measured": "Terukur",
    "ticketed": "Dalam masa tiket",
    "by_contract": "menurut kontrak",
    "low_high": "{low} sampai {high}",
    "note.low_high": (
        "Batas bawah menganggap waktu yang belum diketahui sebagai terputus, batas atas sebagai "
        "terhubung."
    ),
    "open_time": "Menunggu penetapan",
    "note.open": (
        "{time} terukur sebagai waktu henti, tetapi baru dihitung setelah ada yang menetapkan "
        "siapa yang bertanggung jawab."
    ),
    "lost": "Yang hilang karena tiket terlambat: {time} waktu henti{money}.",
    "lost.money": ", senilai {money}",
    "lost.none": "Tidak ada waktu henti dihitung di luar masa tiket.",
    "times": "Pembagian waktu",
    "share": "Golongan",
    "time": "Lama",
    "of_h": "Bagian",
    "hms": "jam:menit:detik",
    "share.up": "Terhubung",
    "share.countable": "Terputus, dihitung (D)",
    "share.open": "Terputus, menunggu penetapan",
    "share.short": "Terputus, terlalu singkat",
    "share.excluded": "Dikecualikan",
    "share.off": "Dimatikan kantor",
    "share.unknown": "Belum diketahui",
    "share.ahead": "Belum berlangsung",
    "share.outside": "Di luar jam layanan",
    "all_hours": "Seluruh waktu layanan (H)",
    "timeline": "Garis waktu",
    "timeline.about": (
        "Satu baris satu hari, jam {zone}. Gangguan singkat digambar paling sedikit 5 menit."
    ),
    "timeline.blank": "tanpa batang.",
    "outages": "Gangguan dan waktu tanpa data",
    "outages.none": "Tidak ada gangguan dan tidak ada waktu tanpa data pada bulan ini.",
    "number": "No.",
    "began": "Mulai",
    "ended": "Selesai",
    "ongoing": "masih berlangsung",
    "lasted": "Lama",
    "cause": "Penyebab",
    "counts_as": "Digolongkan",
    "tickets": "Tiket",
    "ticket.span": "{number} ({opened} sampai {closed})",
    "ticket.open": "belum ditutup",
    "ticket.none": "tanpa tiket",
    "evidence": "Bukti",
    "evidence.none": "tidak ada catatan",
    "late_repair": "melebihi batas waktu perbaikan",
    "liability.provider": "ditetapkan: tanggung jawab penyedia",
    "liability.other": "ditetapkan: bukan tanggung jawab penyedia",
    "in_month": "{time} dalam perhitungan bulan ini",
    "cause.no_data": "data tidak tersedia",
    "cause.off": "dimatikan kantor",
    "minutes": "Berita acara gangguan",
    "minutes.opening": (
        "Pada hari ini, ..................... tanggal ............................., kami yang "
        "bertanda tangan di bawah ini menyatakan bahwa gangguan layanan {circuit} pada {office} "
        "selama {month} adalah sebagaimana tercantum dalam laporan ini, dengan ringkasan berikut."
    ),
    "minutes.outages": "Jumlah gangguan yang dihitung",
    "minutes.notes": "Catatan (gangguan yang diperbaiki atau tidak disepakati, dengan alasannya):",
    "minutes.closing": (
        "Berita acara ini dibuat dengan sebenarnya untuk digunakan sebagaimana mestinya."
    ),
    "sign.office": "PIC kantor",
    "sign.agency": "Mengetahui, {organisation}",
    "sign.provider": "Penyedia layanan",
    "sign.name": "Nama:",
    "sign.number": "NIP/jabatan:",
    "sign.date": "Tanggal:",
    "basis": "Dasar perhitungan",
    "basis.availability": (
        "Ketersediaan A = 1 - D/H. H: seluruh jam bulan kalender menurut {zone} (atau jam layanan, "
        "bila ada); waktu yang dikecualikan tetap di dalam H. D: waktu henti yang dihitung."
    ),
    "basis.y1540": (
        "Mengikuti gagasan ITU-T Y.1540 dengan nilai sendiri: selang pengamatan Tav = jarak antar "
        "laporan kantor ({interval}); selang dianggap tidak tersedia bila semua probe WAN gagal "
        "(rasio hilang c1 = 1) dan port WAN mati atau laporan tidak terjawab selama 3 detik. "
        "Kualitas menurun bukan waktu henti."
    ),
    "basis.causes": (
        "Yang dihitung hanya saluran akses, gangguan massal, dan jaringan inti penyedia. "
        "Pengecualian mengalahkan terputus, terputus mengalahkan belum diketahui. Waktu yang tidak "
        "dicatat kedua sisi adalah belum diketahui, bukan terhubung."
    ),
    "basis.floor": (
        "Batas lama gangguan dibandingkan dengan gangguan utuh dari satu penyebab, sebelum "
        "dipotong bulan, jam layanan, atau jendela pemeliharaan; bila lebih lama, dihitung "
        "seluruhnya."
    ),
    "basis.money": (
        "Restitusi diajukan atas D; potensi atas D dan waktu yang belum diketahui; paling banyak "
        "sebesar biaya. Dihitung dengan pecahan tepat dan dibulatkan satu kali ke rupiah penuh, "
        "setengah ke atas. Biaya sebelum pajak."
    ),
    "basis.evidence": (
        "Bukti yang dapat dikirim siapa saja (trap tanpa autentikasi) ditampilkan, tetapi tidak "
        "menentukan penyebab."
    ),
    "version": "Versi perhitungan",
    "version.now": "Versi {number}, dihitung {time} (aturan {computation}, sidik {digest})",
    "version.draft": "Sementara, {time} (aturan {computation}, sidik {digest}); tidak disimpan",
    "version.was": "Versi {number}, {time}: ketersediaan {high}, restitusi {claim}",
    "version.earlier": "Versi sebelumnya",
    "version.first": "Ini versi pertama.",
}

_ENGLISH: Final[Mapping[str, str]] = {
    "title": "Service availability report",
    "months": (
        "January February March April May June July August September October November December"
    ),
    "made": "Computed {time}",
    "provisional": (
        "Provisional: the month is not over. Computed up to {time}; the figures will change."
    ),
    "other_language": "Bahasa Indonesia",
    "print": "Print with Ctrl+P; laid out for A4.",
    "none": "No circuit matches.",
    "summary": "Summary",
    "total": "Total",
    "office": "Office",
    "circuit": "Circuit",
    "availability": "Availability",
    "promised": "Target",
    "countable": "Countable downtime",
    "unknown_time": "Unknown",
    "claim": "Restitution",
    "potential": "Potential restitution",
    "with_open": "If the provider is liable",
    "kept.yes": "kept",
    "kept.no": "not kept",
    "kept.open": "not settled",
    "kept.none": "no contract",
    "contract": "Contract data",
    "contract.absent": (
        "The inventory holds no contract for this circuit. No guarantee is assumed and no "
        "restitution computed; its time is accounted for below all the same."
    ),
    "contract.no_fee": "The inventory holds no monthly fee; restitution is not computed.",
    "contract.source": (
        "From the inventory, as entered from the signed contract. No built-in figure is taken for "
        "a provider's promise."
    ),
    "provider": "Provider",
    "product": "Product",
    "sid": "Service number (SID)",
    "fee": "Monthly fee (F)",
    "fee.scaled": "{fee} ({scaled} for the part of this month in service)",
    "formula": "Restitution formula",
    "floor": "An outage counts if longer than",
    "clock": "Time counts from",
    "clock.measured": "the measured outage",
    "clock.ticket": "the opening of a ticket",
    "mttr": "Longest repair allowed",
    "exclusions": "Exclusions of the contract",
    "hours": "Service hours",
    "hours.always": "24 hours every day",
    "in_service": "In service",
    "not_given": "not entered",
    "nothing": "none",
    "figures": "Result",
    "figure": "Computation",
    "measured": "Measured",
    "ticketed": "Within tickets",
    "by_contract": "as the contract says",
    "low_high": "{low} to {high}",
    "note.low_high": (
        "The lower bound takes unknown time for down, the upper bound takes it for up."
    ),
    "open_time": "Awaiting liability",
    "note.open": (
        "{time} were measured as downtime, and count only once someone has set who is liable."
    ),
    "lost": "Lost by late ticketing: {time} of downtime{money}.",
    "lost.money": ", worth {money}",
    "lost.none": "No countable downtime lies outside tickets.",
    "times": "Where the time went",
    "share": "Share",
    "time": "Time",
    "of_h": "Part",
    "hms": "h:mm:ss",
    "share.up": "Connected",
    "share.countable": "Down, countable (D)",
    "share.open": "Down, awaiting liability",
    "share.short": "Down, too short",
    "share.excluded": "Excluded",
    "share.off": "Switched off by the office",
    "share.unknown": "Unknown",
    "share.ahead": "Still to come",
    "share.outside": "Outside service hours",
    "all_hours": "All hours of service (H)",
    "timeline": "Timeline",
    "timeline.about": (
        "One row a day, hours in {zone}. Short outages are drawn at least 5 minutes wide."
    ),
    "timeline.blank": "no bar.",
    "outages": "Outages and time without data",
    "outages.none": "No outage and no time without data this month.",
    "number": "No.",
    "began": "Began",
    "ended": "Ended",
    "ongoing": "still going on",
    "lasted": "Lasted",
    "cause": "Cause",
    "counts_as": "Counts as",
    "tickets": "Tickets",
    "ticket.span": "{number} ({opened} to {closed})",
    "ticket.open": "not closed",
    "ticket.none": "no ticket",
    "evidence": "Evidence",
    "evidence.none": "none recorded",
    "late_repair": "longer than the repair allowed",
    "liability.provider": "set: the provider is liable",
    "liability.other": "set: the provider is not liable",
    "in_month": "{time} of it in this computation",
    "cause.no_data": "no data",
    "cause.off": "switched off by the office",
    "minutes": "Minutes of the outages (berita acara)",
    "minutes.opening": (
        "On this day, ..................... date ............................., we the undersigned "
        "state that the outages of {circuit} at {office} during {month} are as listed in this "
        "report, with this summary."
    ),
    "minutes.outages": "Number of countable outages",
    "minutes.notes": "Notes (outages that are corrected or disputed, with reasons):",
    "minutes.closing": "These minutes were drawn up truthfully, to be used as is proper.",
    "sign.office": "Person in charge at the office",
    "sign.agency": "Acknowledged by {organisation}",
    "sign.provider": "Service provider",
    "sign.name": "Name:",
    "sign.number": "Staff number or position:",
    "sign.date": "Date:",
    "basis": "How this was computed",
    "basis.availability": (
        "Availability A = 1 - D/H. H: all hours of the calendar month in {zone} (or the service "
        "hours, if there are any); excluded time stays in H. D: the downtime that counts."
    ),
    "basis.y1540": (
        "After the idea of ITU-T Y.1540, with values of our own: observation interval Tav = the "
        "interval between an office's reports ({interval}); an interval is unavailable if all WAN "
        "probes failed (loss ratio c1 = 1) and the WAN port was down or the report stayed "
        "unanswered for 3 seconds. Degraded quality is not downtime."
    ),
    "basis.causes": (
        "Only last mile, area and provider's core count. Exclusion beats down, down beats unknown. "
        "Time that neither side recorded is unknown, not up."
    ),
    "basis.floor": (
        "The shortest outage that counts is compared with the whole outage of one cause, before "
        "month, service hours or a maintenance window cut it; if longer, all of it counts."
    ),
    "basis.money": (
        "Restitution is claimed on D; the potential is on D and the unknown time; at most the fee. "
        "Computed with exact fractions and rounded once to whole rupiah, half up. The fee is "
        "before tax."
    ),
    "basis.evidence": (
        "Evidence that anyone could have sent (unauthenticated traps) is shown, and decides no "
        "cause."
    ),
    "version": "Version of the computation",
    "version.now": "Version {number}, computed {time} (rules {computation}, digest {digest})",
    "version.draft": "Draft, {time} (rules {computation}, digest {digest}); not kept",
    "version.was": "Version {number}, {time}: availability {high}, restitution {claim}",
    "version.earlier": "Earlier versions",
    "version.first": "This is the first version.",
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


def cause(language: Language, word: str) -> str:
    """Return a cause as alerts say it too; one that is not known here as the ledger writes it."""
    return CAUSES[language.value].get(word) or CATALOGUE[language].get(f"cause.{word}", word)
