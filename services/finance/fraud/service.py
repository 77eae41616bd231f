"""Builds the Fraud service from its parts."""

from pathlib import Path
from zoneinfo import ZoneInfo

from finance.fraud.v1 import fraud_events_pb2 as events
from finance.fraud.v1 import fraud_service_pb2_grpc as pb_grpc
from finance.transfers.v1 import transfers_events_pb2 as transfers
from pydantic import Field, field_validator
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import Settings

from services.finance.fraud import acl, application, storage
from services.finance.fraud.api import FraudApi
from services.finance.fraud.application import Fraud, judge_payees, open_cases
from services.finance.fraud.clients import DEFAULT, read_weights
from services.finance.fraud.publishing import publish


class FraudSettings(Settings):
    """The settings of Fraud.

    Attributes:
        time_zone: the time zone of the bank, for odd hours.
        model: a JSON file with the weights of the model; empty for the one that is part of the service.
    """

    time_zone: str = Field("Europe/Berlin", alias="FRAUD_TIME_ZONE")
    model: str = Field("", alias="FRAUD_MODEL")

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except Exception:
            raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin") from None
        return name


def build(ports: Ports) -> Service:
    settings = ports.settings(FraudSettings)
    fraud = Fraud(
        profiles=ports.repository(storage.PROFILES, policies=[open_cases], commands=storage.COMMANDS),
        cases=ports.repository(storage.CASES, policies=[publish, judge_payees], commands=storage.COMMANDS),
        case_rows=ports.view(storage.CASE_ROWS),
        model=read_weights(Path(settings.model) if settings.model else DEFAULT),
        zone=ZoneInfo(settings.time_zone),
        clock=ports.clock,
    )
    return Service(
        name="finance.fraud",
        sealed=True,
        api=Api(pb_grpc.add_FraudServiceServicer_to_server, FraudApi(fraud)),
        publishes=[events.CaseOpened, events.CaseDecided, events.CaseClosed],
        subscriptions=[
            on(transfers.PaymentCompleted, acl.payment_completed, then=fraud.note_payment),
            on(transfers.PaymentFailed, acl.payment_failed, then=fraud.note_failure),
        ],
        commands=storage.COMMANDS,
        calls={application.OpenCase: fraud.open_case, application.NoteDecision: fraud.note_decision},
        projections=[storage.CASE_ROWS],
        relations=[
            Relation(
                "finance.transfers",
                Pattern.PUBLISHED_LANGUAGE,
                "who was paid is no stranger; a failed transfer needs no case",
            ),
        ],
    )
