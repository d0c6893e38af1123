"""The pages beyond the overview: one office, one incident.

office.py, incident.py   what a page shows, as values (pure)
chart.py                 points over time as the paths of an SVG (pure)
frame.py                 templates, languages, the way back
routes.py                requests, and where the facts come from
"""
