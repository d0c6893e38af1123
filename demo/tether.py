"""Starts a program that ends when the demo ends, even by `kill -9`.

Run as a file, `python -I -S tether.py PARENT PROGRAM ARGUMENT...`, and never imported: the
kernel is asked to send SIGTERM when the parent is gone (prctl(2), PR_SET_PDEATHSIG), which
survives exec. `preexec_fn` would do the same in a forked copy of a process with threads, which
the documentation of subprocess warns of.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, program, *arguments = sys.argv[1:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        # It was gone before we could ask.
        sys.exit("the demo has ended")
    os.execvp(program, [program, *arguments])  # noqa: S606 - an argument list, no shell
