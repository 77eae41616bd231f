"""The CPU time of processes, and of what a benchmark does between two looks at it."""

from collections import UserDict
from collections.abc import Mapping

import psutil


class Used(UserDict[str, float]):
    """The CPU seconds that each process has used, by its name."""

    def __sub__(self, before: "Used") -> "Used":
        return Used({name: seconds - before[name] for name, seconds in self.items()})


def used(pids: Mapping[str, int]) -> Used:
    """Returns the CPU seconds that processes have used since they started."""
    times = {name: psutil.Process(pid).cpu_times() for name, pid in pids.items()}
    return Used({name: time.user + time.system for name, time in times.items()})
