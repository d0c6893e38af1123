"""Benchmarks of tabuah beside what else could do its work: `python -m bench`.

Each is a module with `run`, which returns figures that JSON can hold. A peer runs on the same
machine in the same run, so ratios mean more than the numbers themselves. Traffic stays on
loopback or in network namespaces that are made here; a program that was started is ended by its
process id. Nothing is installed: a peer that is not there is reported as "not installed".
"""
