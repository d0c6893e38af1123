"""Grafana's dashboards, as code: `python -m alerts.grafana` writes the JSON that is shipped.

    panels.py                        how a panel of each kind looks here, and where it stands
    kabupaten.py office.py sla.py collector.py        one dashboard each
    dashboards/LANGUAGE/*.json       what they come to; `tabuah monitoring export` copies these

The generator needs `grafana-foundation-sdk` (a developer's dependency); who exports does not. The
dashboards are the classic JSON model, which every Grafana since version 10 reads.
"""
