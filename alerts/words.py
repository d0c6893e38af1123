"""The sentences of alerts in Bahasa Indonesia and English, by alertname and by cause. Pure.

`alerts.text` chooses and fills in: {names} are offices, {circuits} lines, {about} an upstream or a
service as people call it, {cause} from `CAUSES`, {began}, {ended} and {lasted} as people say them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Words = Mapping[str, Mapping[str, str]]
"""By language, then by alertname or cause."""

BEGAN: Final[Words] = {
    "id": {
        "TabuahLinkDown": "{names} tidak melapor sejak pukul {began}",
        "circuit": "{names}: saluran {circuits} terputus sejak pukul {began}",
        "TabuahUpstreamDown": "Gangguan massal pada {about}: {count} kantor terputus sejak pukul "
        "{began}",
        "TabuahLinkDegraded": "Kualitas koneksi {names} menurun sejak pukul {began}",
        "TabuahLinkFlapping": "Koneksi {names} putus-sambung sejak pukul {began}",
        "TabuahLinkSaturated": "Saluran {names} penuh sejak pukul {began}",
        "TabuahPowerLost": "Listrik di {names} padam sejak pukul {began}",
        "TabuahGatewayFault": "Gateway atau LAN {names} bermasalah sejak pukul {began}",
        "TabuahServiceDown": "{about} tidak dapat diakses dari {names} sejak pukul {began}",
        "TabuahAgentFault": "Agen pemantau di {names} tidak melapor sejak pukul {began}",
        "TabuahClockSkew": "Jam perangkat di {names} salah sejak pukul {began}",
        "TabuahCollectorIsolated": "Pusat pemantau sendiri terputus sejak pukul {began}",
    },
    "en": {
        "TabuahLinkDown": "{names} has not reported since {began}",
        "circuit": "{names}: line {circuits} is down since {began}",
        "TabuahUpstreamDown": "Area fault at {about}: {count} offices lost since {began}",
        "TabuahLinkDegraded": "{names}: the line is degraded since {began}",
        "TabuahLinkFlapping": "{names}: the line falls and returns again and again since {began}",
        "TabuahLinkSaturated": "{names}: the line is full since {began}",
        "TabuahPowerLost": "{names}: no mains power since {began}",
        "TabuahGatewayFault": "{names}: the gateway or LAN fails since {began}",
        "TabuahServiceDown": "{about} fails from {names} since {began}",
        "TabuahAgentFault": "{names}: the agent has not reported since {began}",
        "TabuahClockSkew": "{names}: the device's clock is wrong since {began}",
        "TabuahCollectorIsolated": "The collector itself is cut off since {began}",
    },
}
"""What is read first."""

MORE: Final = {
    "id": {
        "began": "Kantor: {names}. Penyebab: {cause}. {first}",
        "nobody": "Penyebab: {cause}. {first}",
        "ended": "Kantor: {names}. Sejak pukul {began}. Penyebab: {cause}.",
        "late": " Laporan yang tertunda sedang menyusul dan dapat mengubahnya.",
    },
    "en": {
        "began": "Offices: {names}. Cause: {cause}. {first}",
        "nobody": "Cause: {cause}. {first}",
        "ended": "Offices: {names}. Since {began}. Cause: {cause}.",
        "late": " The reports held back are on their way, and may change that.",
    },
}

ENDED: Final[Words] = {
    "id": {
        "TabuahLinkDown": "{names} kembali melapor pukul {ended} setelah {lasted}",
        "circuit": "{names}: saluran {circuits} pulih pukul {ended} setelah {lasted}",
        "TabuahUpstreamDown": "Gangguan massal pada {about} berakhir pukul {ended} setelah "
        "{lasted}",
        "TabuahLinkDegraded": "Kualitas koneksi {names} normal kembali pukul {ended} setelah "
        "{lasted}",
        "TabuahLinkFlapping": "Koneksi {names} tidak lagi putus-sambung sejak pukul {ended}, "
        "setelah {lasted}",
        "TabuahLinkSaturated": "Saluran {names} tidak penuh lagi pukul {ended} setelah {lasted}",
        "TabuahPowerLost": "Gangguan listrik di {names} berakhir pukul {ended} setelah {lasted}",
        "TabuahGatewayFault": "Gateway {names} normal kembali pukul {ended} setelah {lasted}",
        "TabuahServiceDown": "{about} dapat diakses kembali pukul {ended} setelah {lasted}",
        "TabuahAgentFault": "Agen pemantau di {names} kembali melapor pukul {ended} setelah "
        "{lasted}",
        "TabuahClockSkew": "Jam perangkat di {names} benar kembali pukul {ended} setelah {lasted}",
        "TabuahCollectorIsolated": "Pusat pemantau terhubung kembali pukul {ended} setelah "
        "{lasted}",
    },
    "en": {
        "TabuahLinkDown": "{names} reports again at {ended} after {lasted}",
        "circuit": "{names}: line {circuits} is back at {ended} after {lasted}",
        "TabuahUpstreamDown": "The area fault at {about} is over at {ended} after {lasted}",
        "TabuahLinkDegraded": "{names}: the line is good again at {ended} after {lasted}",
        "TabuahLinkFlapping": "{names}: the line is steady again at {ended} after {lasted}",
        "TabuahLinkSaturated": "{names}: the line is no longer full at {ended} after {lasted}",
        "TabuahPowerLost": "{names}: the power fault is over at {ended} after {lasted}",
        "TabuahGatewayFault": "{names}: the gateway works again at {ended} after {lasted}",
        "TabuahServiceDown": "{about} works again at {ended} after {lasted}",
        "TabuahAgentFault": "{names}: the agent reports again at {ended} after {lasted}",
        "TabuahClockSkew": "{names}: the device's clock is right again at {ended} after {lasted}",
        "TabuahCollectorIsolated": "The collector is connected again at {ended} after {lasted}",
    },
}

OTHERWISE: Final = {
    "id": {
        "removed": (
            "{names} tidak dipantau lagi sejak pukul {ended}",
            (
                "{names} dikeluarkan dari inventaris pukul {ended}; gangguannya dimulai pukul "
                "{began}, {lasted} sebelumnya."
            ),
        ),
        "joined": (
            "{names}: gangguan sejak pukul {began} bagian dari gangguan bersama",
            (
                "{names} belum pulih; gangguannya sejak pukul {began} kini dilaporkan bersama "
                "kantor lain."
            ),
        ),
        "excused": (
            "{names}: tidak dihitung sebagai gangguan lagi sejak pukul {ended}",
            (
                "{names} masih tidak melapor sejak pukul {began}, karena pemeliharaan terjadwal "
                "atau memang dimatikan."
            ),
        ),
    },
    "en": {
        "removed": (
            "{names} is no longer watched since {ended}",
            (
                "{names} was taken out of the inventory at {ended}; its trouble began at {began}, "
                "{lasted} before."
            ),
        ),
        "joined": (
            "{names}: the trouble since {began} is part of a common one",
            (
                "{names} is not back; its trouble since {began} is now told of with the others "
                "that fell."
            ),
        ),
        "excused": (
            "{names}: no longer counted as trouble since {ended}",
            (
                "{names} still does not report since {began}, for announced work, or because it "
                "was switched off."
            ),
        ),
    },
}
"""Ends that are no return, by `Ending`."""

CAUSES: Final[Words] = {
    "id": {
        "unknown": "belum diketahui",
        "power": "listrik padam",
        "gateway": "gateway atau LAN kantor",
        "last_mile": "saluran penyedia ke kantor",
        "area": "gangguan massal di jaringan penyedia",
        "provider_core": "jaringan inti penyedia",
        "session": "sesi PPP atau autentikasi ditolak",
        "congestion": "saluran penuh oleh pemakaian sendiri",
        "centre": "sambungan pusat data",
        "service": "layanan itu sendiri, bukan saluran",
        "agent": "agen pemantau, bukan saluran",
        "maintenance": "pemeliharaan terjadwal",
        "isolated": "sambungan pusat pemantau sendiri",
    },
    "en": {
        "unknown": "not known yet",
        "power": "mains power lost",
        "gateway": "the office's gateway or LAN",
        "last_mile": "the provider's line to the office",
        "area": "a common fault in the provider's network",
        "provider_core": "the provider's core network",
        "session": "the PPP session is refused",
        "congestion": "the line is full of the office's own traffic",
        "centre": "the data centre's connection",
        "service": "the service itself, not the line",
        "agent": "the agent, not the line",
        "maintenance": "announced maintenance",
        "isolated": "the collector's own connection",
    },
}

FIRST: Final[Words] = {
    "id": {
        "unknown": "Hubungi kantor: apakah listrik menyala, dan lampu LOS pada ONT merah?",
        "power": "Tanyakan kepada kantor atau PLN kapan listrik pulih; jangan buka tiket penyedia.",
        "gateway": "Minta petugas kantor memeriksa listrik dan kabel gateway; ini bukan gangguan "
        "penyedia.",
        "last_mile": "Buka tiket ke penyedia sekarang dan catat nomornya.",
        "area": "Buka satu tiket ke penyedia untuk semua kantor ini dan catat nomornya.",
        "provider_core": "Buka satu tiket ke penyedia dan catat nomornya.",
        "session": "Tanyakan kepada penyedia apakah sesi ditolak karena akun atau tagihan.",
        "congestion": "Cari pemakai yang memenuhi saluran; ini bukan gangguan penyedia.",
        "centre": "Periksa sambungan pusat data; kantor tidak perlu dihubungi.",
        "service": "Hubungi pemilik layanan, bukan penyedia saluran.",
        "agent": "Periksa agen di gateway kantor: `tabuah agent check`. Ini bukan gangguan "
        "jaringan.",
        "maintenance": "Tunggu sampai pekerjaan selesai.",
        "isolated": "Periksa sambungan mesin pusat; keadaan kantor belum diketahui sampai pulih.",
    },
    "en": {
        "unknown": "Call the office: is the power on, and is the ONT's LOS lamp red?",
        "power": "Ask the office or PLN when the power returns; open no ticket with the provider.",
        "gateway": "Have the office check the gateway's power and cables; it is not the "
        "provider's fault.",
        "last_mile": "Open a ticket with the provider now, and note its number.",
        "area": "Open one ticket with the provider for all these offices, and note its number.",
        "provider_core": "Open one ticket with the provider, and note its number.",
        "session": "Ask the provider whether the session is refused for the account or a bill.",
        "congestion": "Find who fills the line; it is not the provider's fault.",
        "centre": "Check the data centre's connection; the offices need no call.",
        "service": "Call the service's owner, not the provider of the line.",
        "agent": "Check the agent on the office's gateway: `tabuah agent check`. It is no fault "
        "of the network.",
        "maintenance": "Wait until the work is done.",
        "isolated": "Check the collector's own connection; nothing is known of the offices until "
        "it is back.",
    },
}
"""What to do first."""
