"""Gateways that run RouterOS 6 or 7."""
