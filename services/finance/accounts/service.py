"""Builds the Accounts service from its parts."""

from finance.accounts.v1 import accounts_events_pb2 as events
from finance.accounts.v1 import accounts_service_pb2_grpc as pb_grpc
from treaty.rpc import Api
from treaty.service import Ports, Service

from services.finance.accounts import storage
from services.finance.accounts.api import AccountsApi
from services.finance.accounts.application import commands
from services.finance.accounts.application.accounts import Accounts, set_timers
from services.finance.accounts.application.books import Books
from services.finance.accounts.application.corrections import Corrections, post_approved
from services.finance.accounts.application.movements import Movements
from services.finance.accounts.publishing import publish


def build(ports: Ports) -> Service:
    repository = ports.repository(storage.ACCOUNTS, policies=[publish, set_timers], commands=storage.COMMANDS)
    posting_rows = ports.view(storage.POSTINGS)
    accounts = Accounts(
        accounts=repository,
        account_rows=ports.view(storage.ACCOUNT_ROWS),
        personal_data=ports.personal_data,
        clock=ports.clock,
    )
    movements = Movements(accounts=repository, clock=ports.clock)
    corrections = Corrections(
        corrections=ports.repository(storage.CORRECTIONS, policies=[post_approved], commands=storage.COMMANDS),
        accounts=repository,
        posting_rows=posting_rows,
        correction_rows=ports.view(storage.CORRECTION_ROWS),
        clock=ports.clock,
    )
    books = Books(
        accounts=repository,
        posting_rows=posting_rows,
        hold_rows=ports.view(storage.HOLDS),
        trial_balances=ports.view(storage.TRIAL_BALANCES),
    )
    return Service(
        name="finance.accounts",
        sealed=True,
        api=Api(pb_grpc.add_AccountsServiceServicer_to_server, AccountsApi(accounts, movements, corrections, books)),
        publishes=[events.AccountOpened, events.AccountFrozen, events.AccountUnfrozen, events.AccountClosed],
        commands=storage.COMMANDS,
        calls={
            commands.ExpireHold: accounts.expire_hold,
            commands.PayInterest: accounts.pay_interest,
            commands.PostCorrection: corrections.post,
            commands.ErasePersonalData: accounts.erase_personal_data,
        },
        projections=[
            storage.ACCOUNT_ROWS,
            storage.POSTINGS,
            storage.HOLDS,
            storage.TRIAL_BALANCES,
            storage.CORRECTION_ROWS,
        ],
    )
