"""The command line: scripts/image [--check]."""

import asyncio
import sys
import time

from scripts.lib.command_line import parser_of
from scripts.lib.dev.server import Unavailable
from scripts.lib.image.base import NoBase
from scripts.lib.image.builder import Failed, builder
from scripts.lib.image.look import NotAsPromised, look
from scripts.lib.processes import DidNotStart

TARGETS = ("production", "dev")


def main() -> int:
    parser = parser_of("image")
    parser.add_argument("--check", action="store_true")
    choice = parser.parse_args()
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"image: {text} ({time.monotonic() - began:.0f} s)", flush=True)

    try:
        with builder() as found:
            for target in TARGETS:
                found.build(target)
                tell(f"treaty:{target} is built by {type(found).__name__}")
            if choice.check:
                asyncio.run(look(found, tell))
    except Unavailable as reason:
        print(f"image: it cannot be built here: there is no Docker engine, and {reason}", file=sys.stderr)
        return 1
    except (Failed, NoBase, NotAsPromised, DidNotStart) as fault:
        print(f"image: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
