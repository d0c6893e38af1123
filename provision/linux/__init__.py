"""Gateways that run Linux: addresses and routes by ip, nftables, sysctl, files, and FRR."""
