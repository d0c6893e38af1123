"""The pages beyond the overview: one office, one incident, and the one for the public.

office.py, incident.py   what a page shows, as values (pure)
chart.py                 points over time as the paths of an SVG (pure)
frame.py                 templates, languages, the way back
routes.py                requests, and where the facts come from
days.py                  an office's last ninety days (pure)
public_office.py         what the public page shows of one office (pure)
public.py                the public page around its offices (pure)
public_routes.py         /status, kept for ten seconds
"""
