"""The programs from end to end, as people run them."""
