"""gRPC: the server, the interceptor, and calls to other contexts.

Authors of contexts use the names below. The modules inside are internal to the toolkit.
"""

from treaty.rpc.api import Api
from treaty.rpc.enums import EnumTable
from treaty.rpc.pages import page_of, to_token
from treaty.rpc.peers import Peer

__all__ = ["Api", "EnumTable", "Peer", "page_of", "to_token"]
