"""Becomes a process that ends when its parent does, also by kill -9: tied.py <parent id> <program> <arguments>.

This is asked for after the fork, in a process of its own: between fork and exec, code in a process with threads is not
safe.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone already")
os.execv(sys.argv[2], sys.argv[2:])
