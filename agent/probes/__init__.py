"""Probes are functions: a target and a deadline in, a Measurement out."""
