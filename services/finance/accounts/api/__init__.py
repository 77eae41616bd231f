"""The gRPC API of Accounts."""

from finance.accounts.v1 import accounts_service_pb2 as pb
from finance.accounts.v1 import accounts_service_pb2_grpc as pb_grpc
from treaty.rpc import Api

from services.finance.accounts.api.servicer import AccountsApi
from services.finance.accounts.application.accounts import Accounts
from services.finance.accounts.application.books import Books
from services.finance.accounts.application.corrections import Corrections
from services.finance.accounts.application.movements import Movements


def api(accounts: Accounts, movements: Movements, corrections: Corrections, books: Books) -> Api:
    """Returns the gRPC service of Accounts."""
    servicer = AccountsApi(accounts, movements, corrections, books)
    name = pb.DESCRIPTOR.services_by_name["AccountsService"].full_name
    return Api(pb_grpc.add_AccountsServiceServicer_to_server, servicer, name)
