"""`scripts/demo media`: see --help."""

import random
import sys

from scripts.lib.demo_media.agency import STUBS, Agency
from scripts.lib.demo_media.report import Results, report_of
from scripts.lib.demos.run import Demo, Report, Stage, demo_parser, run


def main() -> int:
    return run(demo_parser("media").parse_args(), _demo)


def _demo() -> Demo:
    doing = "pictures are licensed, used, and used without a right"
    return Demo(domain="media", stubs=STUBS, doing=doing, perform=_perform)


async def _perform(stage: Stage) -> Report:
    agency = Agency(clients=stage.clients, run=f"{random.randrange(16**8):08x}", dice=random.Random(7))
    await _live(agency, stage)
    trace = await stage.trace(agency.trace)
    return report_of(
        Results(
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
