"""SNMP as values: BER, USM, messages, and the two ends of a conversation, all without I/O."""
