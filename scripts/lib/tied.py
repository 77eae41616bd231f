"""Runs a program that ends when its parent process ends, even if kill -9 ends the parent.

Usage: tied.py <parent id> <program> <arguments>.

The request to the kernel is made in this separate process, after the fork: in a process with threads, it is not safe to
run code between fork and exec.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent process has ended already")
os.execv(sys.argv[2], sys.argv[2:])
