"""Traps of foreign devices (SNMPv1, v2c, v3): heard in a process of their own, shown, and kept.

    hearing (the child: rations -> opening) -> line -> keeper -> places -> book -> API, evidence

A trap that nobody signed is shown and decides nothing.
"""
