"""Bugs of a bank to plant, to show that the bank test finds them. Each is a small change in a copy of the services."""

from collections.abc import Mapping

from scripts.lib.prove.changes import SERVICES, Change, Plant

_PHASES = ("simulation", "bank")

BANK_PLANTS: Mapping[str, Plant] = {
    "lost_compensation": Plant(
        "a transfer that fails after the capture, and does not give the money back, makes money vanish",
        [
            Change(
                "finance/transfers/domain/transfer.py",
                "            self.record(e.ReturnStarted(code=code, reason=reason))\n",
                "            self._fail(code, reason)\n",
            )
        ],
        code=SERVICES,
        phases=_PHASES,
    ),
    "double_credit": Plant(
        "a credit that is asked for again under another request id is booked again",
        [
            Change(
                "finance/transfers/application/steps.py",
                'self.bank.credit(request_id(id, "credit"), ',
                "self.bank.credit(str(uuid.uuid4()), ",
            )
        ],
        code=SERVICES,
        phases=_PHASES,
    ),
    "hold_never_released": Plant(
        "the refusal of a release that names the wrong hold is taken for a hold that has ended already",
        [
            Change(
                "finance/transfers/application/steps.py",
                'self.bank.release(request_id(id, "release"), terms.payer, transfer.hold_id)',
                'self.bank.release(request_id(id, "release"), terms.payer, id)',
            )
        ],
        code=SERVICES,
        phases=_PHASES,
    ),
}
