"""What strangers may send, tried: coverage-guided fuzzing of every decoder, and hostile traffic.

See README.md beside this file. Not part of the wheel.
"""
