"""What exists and what was promised: the inventory."""
