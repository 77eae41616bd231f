"""The worker process: bounds itself, then answers one request after another until its input ends.

Its only argument are the limits, as JSON. Its input ends with the service, however that came to an end; a worker that
is busy then is ended by its alarm, which no decoder can catch or delay.
"""

import math
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from services.media.assets.external.pictures.messages import (
    LENGTH,
    READY,
    Answer,
    Failure,
    Limits,
    Reason,
    Unreadable,
    dump,
    framed,
)
from services.media.assets.external.pictures.worker.formats import is_of_the_machine
from services.media.assets.external.pictures.worker.inspection import inspect

_NICE = 5
"""The service answers calls first, and decodes pictures with the time of the processors that is left."""

_FILES = 65_536


def main() -> None:
    limits = Limits.load(sys.argv[1])
    _close_others()
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for sign in (signal.SIGALRM, signal.SIGXCPU):
        signal.signal(sign, signal.SIG_DFL)
    _send(answers, READY)
    _silence()
    for number in range(1, limits.pictures + 1):
        path = _received(requests)
        if path is None:
            return
        answer = _answer(Path(os.fsdecode(path)), limits, last=number == limits.pictures)
        _send(answers, dump(answer))
        if answer.last:
            return


def _answer(path: Path, limits: Limits, *, last: bool) -> Answer:
    _bound(limits)
    try:
        return Answer(result=inspect(path, limits.pixels), last=last)
    except Unreadable as refused:
        return Answer(result=refused, last=last)
    except MemoryError:
        sentence = f"The picture needs more than {limits.memory >> 20} MB of memory to be decoded."
        return Answer(result=Unreadable(Reason.TOO_MANY_PIXELS, sentence), last=True)
    except Exception as error:
        if is_of_the_machine(error):
            return Answer(result=Failure(f"a picture cannot be read: {error!r}"), last=True)
        # Colours, turns and previews meet the files of strangers, just as the decoders do.
        sentence = f"The picture cannot be processed ({type(error).__name__})."
        return Answer(result=Unreadable(Reason.CORRUPT, sentence), last=last)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _bound(limits: Limits) -> None:
    """Starts the two clocks of a picture. Each ends the process without a word."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime) + limits.cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_REAL, limits.seconds)


def _close_others() -> None:
    """Closes what an event loop of the service may have left open, such as a copy of its log."""
    os.closerange(3, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _FILES))


def _silence() -> None:
    """Decoders print lines about the files of strangers; they belong neither into the answers nor into the log."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _received(requests: BinaryIO) -> bytes | None:
    length = requests.read(LENGTH)
    return requests.read(int.from_bytes(length)) if len(length) == LENGTH else None


def _send(answers: BinaryIO, message: bytes) -> None:
    answers.write(framed(message))
    answers.flush()


if __name__ == "__main__":
    main()
