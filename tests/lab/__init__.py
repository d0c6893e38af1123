"""Offices, lines and a centre of network namespaces; needs root."""
