"""Write the dashboards: `python -m alerts.grafana` after every change of one."""

from __future__ import annotations

from pathlib import Path

from alerts.grafana import boards


def main() -> None:
    """Write each dashboard in each language."""
    for name, text in boards.all_of_them():
        path = Path(__file__).parent / "dashboards" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
