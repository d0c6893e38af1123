"""An office whose line lost one direction: it hears nothing, and is heard."""

from __future__ import annotations

import time
from pathlib import Path

from fuzz.tap import Tap
from tests.support.programs import centre, seconds_until


def test_an_office_that_no_answer_reaches_is_heard_and_up(tmp_path: Path) -> None:
    with centre(tmp_path) as made:
        made.start_collector()
        with Tap(made.reports) as tap:
            config = made.enrol()
            config.write_text(config.read_text().replace(f":{made.reports}", f":{tap.port}"))
            made.start_agent(config)
            seconds_until(lambda: len(made.said()) >= 3, 10)
            tap.withholding = True
            before = len(made.said())
            time.sleep(12)  # silent is who says nothing for eight seconds
            assert made.state() == "up"
            assert len(made.said()) >= before + 8
            tap.withholding = False
            seconds_until(lambda: made.said()[-1]["agent"]["backlog"] == 0, 20)
        numbers = sorted(report["seq"] for report in made.said())
        assert numbers == list(range(1, len(numbers) + 1))
        assert "silent" not in made.log("collector")
