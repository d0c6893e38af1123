"""Fourteen offices on one machine, over lines that can be cut."""
