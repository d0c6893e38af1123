"""The centre: receives, stores, judges and shows."""
