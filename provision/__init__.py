"""Safe pushes of configuration to offices' gateways: planned, armed, applied, proven or undone."""
