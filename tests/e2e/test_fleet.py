"""A fleet too large for memory: compiled, read anew, scraped, and an office in it heard."""

from __future__ import annotations

import signal
from pathlib import Path

from inventory.compiled import FILE_NAME, LARGE_BYTES
from tests.support.programs import SITE, centre, seconds_until

OFFICES = 700


def test_an_office_of_a_large_fleet_is_heard_scraped_and_found_after_a_reload(
    tmp_path: Path,
) -> None:
    with centre(tmp_path) as stack:
        sites = stack.inventory / "sites"
        sites.mkdir()
        write(sites / "first.yaml", range(OFFICES))
        assert (sites / "first.yaml").stat().st_size > LARGE_BYTES
        config = stack.enrol()
        stack.start_collector()
        compiled = stack.data / FILE_NAME
        assert compiled.exists()
        stack.start_agent(config)
        up = f'\ntabuah_site_up{{site="{SITE}"}} 1\n'
        seconds_until(lambda: up in stack.get("metrics").text, 60)
        assert stack.get("metrics").text.count("\ntabuah_site_info{") == OFFICES + 1

        write(sites / "second.yaml", range(OFFICES, OFFICES + 3))
        stack.collector.send_signal(signal.SIGHUP)
        seconds_until(lambda: len(stack.get("api/v1/sites").json()) == OFFICES + 4, 60)
        assert stack.get("metrics").text.count("\ntabuah_site_info{") == OFFICES + 4
        assert up in stack.get("metrics").text

        (sites / "second.yaml").write_text("code: bad code\n")
        stack.collector.send_signal(signal.SIGHUP)
        seconds_until(lambda: "keeping the old inventory" in stack.log("collector"), 60)
        assert "second.yaml:1: site bad code: code: 'bad code'" in stack.log("collector")
        assert len(stack.get("api/v1/sites").json()) == OFFICES + 4
        assert up in stack.get("metrics").text
        assert SITE in stack.tabuah("sites", "--data", str(stack.data)).stdout


def write(path: Path, numbers: range) -> None:
    lines = [
        f"  - {{code: desa-{number:05}, name: Kantor Desa {number}, kecamatan: Kubung, kabupaten: "
        "Kabupaten Solok, kind: nagari, hours: 'Mon-Thu 07:30-16:00, Fri 07:30-16:30', "
        "location: {lat: -0.831, lon: 100.631, precision: centroid}, circuits: [{id: telkom, "
        "role: primary, provider: Telkom, product: Astinet, technology: fibre, sid: '0001234567', "
        "bandwidth: {down: 20, up: 20}, sla: {availability: 0.995, monthly_fee: 10000000, "
        "formula: prorata_excess}}]}\n"
        for number in numbers
    ]
    path.write_text("sites:\n" + "".join(lines))
