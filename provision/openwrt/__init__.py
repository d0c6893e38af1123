"""Gateways that run OpenWrt."""
