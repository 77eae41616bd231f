"""Tables between the values of a domain and those of a protobuf enum, and the name of a gRPC service."""

from enum import StrEnum

import pytest
from commerce.payments.v1 import payments_service_pb2 as pb
from commerce.payments.v1 import payments_service_pb2_grpc as pb_grpc
from treaty.domain import Invalid
from treaty.rpc import Api, EnumTable
from treaty.testing.samples import bare_api

from services.commerce.payments.api import PaymentsApi


class Status(StrEnum):
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    CAPTURING = "capturing"


TABLE = EnumTable(
    {
        Status.REQUESTED: pb.PAYMENT_STATUS_REQUESTED,
        Status.AUTHORISED: pb.PAYMENT_STATUS_AUTHORISED,
        Status.CAPTURING: pb.PAYMENT_STATUS_AUTHORISED,
    }
)


def test_each_value_has_its_number_and_a_shared_number_means_the_first_value() -> None:
    assert [TABLE.to_wire(status) for status in Status] == [
        pb.PAYMENT_STATUS_REQUESTED,
        pb.PAYMENT_STATUS_AUTHORISED,
        pb.PAYMENT_STATUS_AUTHORISED,
    ]
    assert TABLE.from_wire(pb.PAYMENT_STATUS_AUTHORISED) is Status.AUTHORISED
    assert TABLE.find(pb.PAYMENT_STATUS_REQUESTED) is Status.REQUESTED


def test_a_number_that_is_not_in_the_table_is_refused_or_not_found() -> None:
    with pytest.raises(Invalid) as refused:
        TABLE.from_wire(pb.PAYMENT_STATUS_FAILED, field="status")
    assert refused.value.field == "status"
    assert TABLE.find(pb.PAYMENT_STATUS_UNSPECIFIED) is None


def test_the_name_of_a_service_is_the_one_that_is_registered() -> None:
    api = Api(pb_grpc.add_PaymentsServiceServicer_to_server, PaymentsApi(payments=None))  # type: ignore[arg-type]
    assert api.name == "commerce.payments.v1.PaymentsService"
    assert bare_api("made.v1.Made").name == "made.v1.Made"
