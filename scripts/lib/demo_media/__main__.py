"""`scripts/demo media`: see --help."""

import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scripts.lib.demo_media.agency import STUBS, Agency
from scripts.lib.demo_media.pictures import STUBS as PICTURE_STUBS
from scripts.lib.demo_media.pictures import File, Studio, made, of_folder
from scripts.lib.demo_media.report import Results, report_of
from scripts.lib.demos.run import Demo, Report, Stage, demo_parser, run

_SOLD = 6
"""The most pictures that are sold."""


def main() -> int:
    parser = demo_parser("media")
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    return run(arguments, partial(_demo, arguments.pictures))


def _demo(folder: Path | None) -> Demo:
    files = of_folder(folder) if folder else made()
    return Demo(
        domain="media",
        stubs={**PICTURE_STUBS, **STUBS},
        doing="pictures are uploaded, licensed, used, and used without a right",
        perform=partial(_perform, files),
    )


async def _perform(files: Sequence[File], stage: Stage) -> Report:
    name = f"{random.randrange(16**8):08x}"
    studio = Studio(clients=stage.clients, run=name, files=files)
    await studio.upload()
    await stage.settle()
    await studio.look()
    # The thumbnail is a copy, and is not sold.
    sold = [picture for picture in studio.ready if picture != "thumbnail"][:_SOLD]
    agency = Agency(clients=stage.clients, run=name, pictures=sold, dice=random.Random(7))
    await _live(agency, stage)
    trace = await stage.trace(agency.trace) if agency.trace else ()
    return report_of(
        Results(
            studio=studio,
            found=await studio.search(facets=True),
            alike=await studio.alike(),
            agency=agency,
            licenses=await agency.licenses(),
            days=await agency.usage_days(),
            alerts=await agency.alerts(),
            backlogs=await stage.place.backlogs(),
            handled=await stage.handled(),
            trace=trace,
        )
    )


async def _live(agency: Agency, stage: Stage) -> None:
    await agency.open()
    await agency.sell()
    await stage.settle()
    await agency.use()
    await agency.look()
    await stage.settle()
    await agency.decide(await agency.alerts())
    await stage.settle()


if __name__ == "__main__":
    sys.exit(main())
