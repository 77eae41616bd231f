"""The stored names of Fraud's aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.finance.fraud import application
from services.finance.fraud.domain import events
from services.finance.fraud.domain.case import Case
from services.finance.fraud.domain.profile import Profile
from services.finance.fraud.projections import CaseRow, case_row

PROFILES = Stored(
    "profile",
    Profile,
    events=[
        Shape("transfer-screened", events.TransferScreened),
        Shape("transfer-paid", events.TransferPaid),
        Shape("payee-judged", events.PayeeJudged),
    ],
)

CASES = Stored(
    "case",
    Case,
    events=[
        Shape("case-opened", events.CaseOpened),
        Shape("case-decided", events.CaseDecided),
        Shape("transfer-ended", events.TransferEnded),
        Shape("case-closed", events.CaseClosed),
    ],
)

COMMANDS = Names([Shape("open-case", application.OpenCase), Shape("note-decision", application.NoteDecision)])

CASE_ROWS = Projection(
    name="cases",
    source=CASES,
    row=CaseRow,
    project=case_row,
    order_by="opened_at",
    filters=("status",),
    descending=False,
)
