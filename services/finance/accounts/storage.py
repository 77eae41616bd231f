"""The stored names of Accounts' aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.finance.accounts import projections as rows
from services.finance.accounts.application import commands
from services.finance.accounts.domain import events
from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.correction import Correction

ACCOUNTS = Stored(
    "account",
    Account,
    events=[
        Shape("account-opened", events.AccountOpened),
        Shape("terms-changed", events.TermsChanged),
        Shape("account-frozen", events.AccountFrozen),
        Shape("account-unfrozen", events.AccountUnfrozen),
        Shape("account-closed", events.AccountClosed),
        Shape("holder-erased", events.HolderErased),
        Shape("hold-placed", events.HoldPlaced),
        Shape("hold-captured", events.HoldCaptured),
        Shape("hold-released", events.HoldReleased),
        Shape("hold-expired", events.HoldExpired),
        Shape("posted", events.Posted),
        Shape("interest-reckoned", events.InterestReckoned),
    ],
)

CORRECTIONS = Stored(
    "correction",
    Correction,
    events=[
        Shape("correction-proposed", events.CorrectionProposed),
        Shape("correction-approved", events.CorrectionApproved),
        Shape("correction-declined", events.CorrectionDeclined),
        Shape("correction-posted", events.CorrectionPosted),
        Shape("correction-refused", events.CorrectionRefused),
    ],
)

COMMANDS = Names(
    [
        Shape("expire-hold", commands.ExpireHold),
        Shape("pay-interest", commands.PayInterest),
        Shape("post-correction", commands.PostCorrection),
        Shape("erase-personal-data", commands.ErasePersonalData),
    ]
)

ACCOUNT_ROWS = Projection(
    name="accounts",
    source=ACCOUNTS,
    row=rows.AccountRow,
    project=rows.account_row,
    order_by="account_id",
    filters=("holder_id", "kind"),
    descending=False,
)

POSTINGS = Projection(
    name="postings",
    source=ACCOUNTS,
    row=rows.PostingRow,
    project=rows.posting_row,
    order_by="posted_at",
    filters=("account_id",),
    key=rows.posting_row_id,
)

HOLDS = Projection(
    name="holds",
    source=ACCOUNTS,
    row=rows.HoldRow,
    project=rows.hold_row,
    order_by="placed_at",
    filters=("account_id",),
    key=rows.hold_id_of,
)

TRIAL_BALANCES = Projection(
    name="trial_balances",
    source=ACCOUNTS,
    row=rows.TrialBalance,
    project=rows.trial_balance,
    order_by="currency",
    descending=False,
    key=rows.trial_balance_id,
)

CORRECTION_ROWS = Projection(
    name="corrections",
    source=CORRECTIONS,
    row=rows.CorrectionRow,
    project=rows.correction_row,
    order_by="proposed_at",
    filters=("status",),
)
