"""Builds the Transfers service from its parts."""

from datetime import time, timedelta
from zoneinfo import ZoneInfo

from finance.fraud.v1 import fraud_events_pb2 as fraud
from finance.transfers.v1 import transfers_events_pb2 as events
from finance.transfers.v1 import transfers_service_pb2_grpc as pb_grpc
from pydantic import Field, field_validator
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import Settings

from services.finance.transfers import acl, storage
from services.finance.transfers.api import TransfersApi
from services.finance.transfers.application import commands as c
from services.finance.transfers.application.files import Execution, Files, make_transfers
from services.finance.transfers.application.orders import Orders, make_runs
from services.finance.transfers.application.ports import Rules
from services.finance.transfers.application.steps import Steps
from services.finance.transfers.application.transfers import Transfers, next_step
from services.finance.transfers.clients import AccountsClient, FraudClient, TargetDays
from services.finance.transfers.domain.statuses import Unscreened
from services.finance.transfers.publishing import publish


class TransfersSettings(Settings):
    """The settings of Transfers.

    Attributes:
        time_zone: the time zone of the bank; its days are those of the daily limits.
        large: from so many major units on, a second person approves.
        daily_limit: the most major units that a customer transfers in a day and currency.
        unscreened: what is done without a verdict in time: refuse, approve (by a second person) or accept.
        cut_off: from this time of the day on, that minute included, a file is carried out on the next banking day.
        suspense: the beginning of the ids of the suspense accounts; the currency follows.
    """

    time_zone: str = Field("Europe/Berlin", alias="TRANSFERS_TIME_ZONE")
    large: int = Field(10_000, alias="TRANSFERS_LARGE", gt=0)
    daily_limit: int = Field(50_000, alias="TRANSFERS_DAILY_LIMIT", gt=0)
    screening_seconds: float = Field(30.0, alias="TRANSFERS_SCREENING_SECONDS", gt=0, le=86_400)
    review_seconds: float = Field(86_400.0, alias="TRANSFERS_REVIEW_SECONDS", gt=0, le=172_800)
    approval_seconds: float = Field(86_400.0, alias="TRANSFERS_APPROVAL_SECONDS", gt=0, le=172_800)
    unscreened: Unscreened = Field(Unscreened.REFUSE, alias="TRANSFERS_UNSCREENED")
    cut_off: str = Field("16:00", alias="TRANSFERS_CUT_OFF", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    suspense: str = Field("suspense-", alias="TRANSFERS_SUSPENSE", pattern=r"^[a-z0-9][a-z0-9-]{0,50}$")

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except Exception:
            raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin") from None
        return name

    @property
    def rules(self) -> Rules:
        return Rules(
            zone=ZoneInfo(self.time_zone),
            large=self.large,
            daily=self.daily_limit,
            screening=timedelta(seconds=self.screening_seconds),
            review=timedelta(seconds=self.review_seconds),
            approval=timedelta(seconds=self.approval_seconds),
            unscreened=self.unscreened,
            suspense=self.suspense,
        )


def build(ports: Ports) -> Service:
    settings = ports.settings(TransfersSettings)
    rules, banking_days = settings.rules, TargetDays()
    accounts_peer, fraud_peer = (ports.peer(f"finance.{name}") for name in ("accounts", "fraud"))
    repository = ports.repository(storage.TRANSFERS, policies=[publish, next_step(rules)], commands=storage.COMMANDS)
    transfers = Transfers(
        transfers=repository, transfer_rows=ports.view(storage.TRANSFER_ROWS), rules=rules, clock=ports.clock
    )
    steps = Steps(
        transfers=repository,
        allowances=ports.repository(storage.ALLOWANCES),
        bank=AccountsClient(accounts_peer),
        screening=FraudClient(fraud_peer),
        rules=rules,
    )
    orders = Orders(
        orders=ports.repository(storage.ORDERS, policies=[make_runs], commands=storage.COMMANDS),
        order_rows=ports.view(storage.ORDER_ROWS),
        is_banking_day=banking_days,
        clock=ports.clock,
    )
    execution = Execution(rules=rules, is_banking_day=banking_days, cut_off=time.fromisoformat(settings.cut_off))
    files = Files(
        files=ports.repository(storage.FILES, policies=[make_transfers(execution)], commands=storage.COMMANDS),
        transfer_rows=ports.view(storage.TRANSFER_ROWS),
        order_rows=ports.view(storage.ORDER_ROWS),
        execution=execution,
        clock=ports.clock,
    )
    return Service(
        name="finance.transfers",
        sealed=True,
        api=Api(pb_grpc.add_TransfersServiceServicer_to_server, TransfersApi(transfers, orders, files)),
        publishes=[
            events.PaymentInitiated,
            events.PaymentCompleted,
            events.PaymentFailed,
            events.PaymentRefunded,
            events.InsufficientFunds,
            events.PaymentStuck,
            events.RefundStuck,
            events.RefundRefused,
        ],
        subscriptions=[on(fraud.CaseDecided, acl.case_decided, then=transfers.note_review)],
        commands=storage.COMMANDS,
        calls={
            c.TakeAllowance: steps.take_allowance,
            c.GiveAllowanceBack: steps.give_allowance_back,
            c.ReserveMoney: steps.reserve,
            c.Screen: steps.screen,
            c.ScreeningOverdue: transfers.screening_overdue,
            c.ReviewOverdue: transfers.review_overdue,
            c.ApprovalOverdue: transfers.approval_overdue,
            c.CaptureMoney: steps.capture,
            c.CreditPayee: steps.credit,
            c.ReleaseHold: steps.release,
            c.ReturnMoney: steps.give_back,
            c.ParkMoney: steps.park,
            c.TakeRefund: steps.take_refund,
            c.PayRefund: steps.pay_refund,
            c.ParkRefund: steps.park_refund,
            c.InitiateTransfer: transfers.initiate,
            c.RunOrder: orders.run,
            c.PlaceOrder: orders.place,
        },
        projections=[storage.TRANSFER_ROWS, storage.ORDER_ROWS],
        peers=[accounts_peer, fraud_peer],
        relations=[
            Relation("finance.accounts", Pattern.CUSTOMER_SUPPLIER, "money is held, captured and credited there"),
            Relation("finance.fraud", Pattern.CUSTOMER_SUPPLIER, "a verdict is asked for; a review is listened to"),
        ],
    )
