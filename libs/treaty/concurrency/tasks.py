"""Work that belongs together: when one part ends, however it does, the others end too."""

import asyncio


class Broken(Exception):
    """A part was cancelled from within. Left as a cancellation, it would look as if somebody had wanted that."""


async def until_one_ends(*tasks: "asyncio.Task[None]") -> None:
    """Waits for the first task to end, ends the others, and raises what it raised.

    Raises:
        Broken: if it was cancelled, and not by a cancellation of whoever waits here.
    """
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done:
                if task.cancelled():
                    raise Broken(f"{task.get_coro()} was cancelled from within")
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
