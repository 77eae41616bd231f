"""`scripts/demo finance`: see --help."""

import argparse
import random
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from scripts.lib.demo_finance.bank import STUBS, Bank, own_payments
from scripts.lib.demo_finance.evidence import evidence_of
from scripts.lib.demo_finance.payments import CUT_OFF, Payments, read_payments
from scripts.lib.demo_finance.plans import AFTERNOON, MORNING
from scripts.lib.demo_finance.report import Results, report_of, statuses
from scripts.lib.demos.run import Demo, Report, Stage, demo_parser, run

STATEMENT_OF = "edsger"


def main() -> int:
    parser = demo_parser("finance")
    parser.add_argument("--payments", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    return run(arguments, partial(_demo, arguments))


def _demo(arguments: argparse.Namespace) -> Demo:
    name, zone = f"{random.randrange(16**8):08x}", time_zone(datetime.now(UTC))
    today = datetime.now(ZoneInfo(zone)).date()
    payments = read_payments(arguments.payments) if arguments.payments else own_payments(name, today)
    return Demo(
        domain="finance",
        stubs=STUBS,
        doing="money moves: salaries, transfers, reviews, an approval and a refund",
        perform=partial(_perform, name, zone, payments),
        settings={
            "TRANSFERS_SUSPENSE": f"suspense-{name}-",
            "TRANSFERS_SCREENING_SECONDS": "300",  # also on a busy machine, no transfer fails for lack of a verdict
            "TRANSFERS_TIME_ZONE": zone,
            "TRANSFERS_CUT_OFF": f"{CUT_OFF:%H:%M}",
            "FRAUD_TIME_ZONE": zone,
        },
    )


def time_zone(now: datetime) -> str:
    """Returns a time zone in which it is about noon: verdicts and the cut-off depend on the hour, the demo must not."""
    west = now.hour - 12
    return f"Etc/GMT{west:+d}"


async def _perform(name: str, zone: str, payments: Payments, stage: Stage) -> Report:
    bank = Bank(clients=stage.clients, run=name, payments=payments, zone=zone)
    await _live(bank, stage)
    trace = await stage.trace(bank.trace)
    return report_of(
        Results(
            bank=bank,
            accounts=await bank.own_accounts(),
            transfers=await bank.own_transfers(),
            cases=await bank.own_cases(),
            all_accounts=await bank.all_accounts(),
            balances=await bank.trial_balances(),
            of=STATEMENT_OF,
            statement=await bank.statement(STATEMENT_OF),
            file=statuses(await bank.file_status()),
            backlogs=await stage.place.backlogs(),
            handled=await stage.handled(),
            trace=trace,
            evidence=await evidence_of(stage.place, bank.name(STATEMENT_OF)),
        )
    )


async def _live(bank: Bank, stage: Stage) -> None:
    """Lives through a day. Work that an earlier run has left on the servers is done first."""
    await stage.settle()
    await bank.open()
    await bank.send_file()
    await bank.place_order()
    await bank.pay(MORNING)
    await stage.settle()
    await bank.pay(AFTERNOON)
    await stage.settle()
    await bank.decide()
    await stage.settle()
    await bank.approve()
    await stage.settle()
    await bank.refund()
    await stage.settle()


if __name__ == "__main__":
    sys.exit(main())
