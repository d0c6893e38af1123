"""The office: probes, polls, reports, and their way to the collector."""
