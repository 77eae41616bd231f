"""gRPC at the edge: the server, the interceptor, calls to other contexts.

These names are for authors of contexts; the modules inside are the toolkit's own.
"""

from treaty.rpc.api import Api
from treaty.rpc.pages import from_token, to_token
from treaty.rpc.peers import Peer

__all__ = ["Api", "Peer", "from_token", "to_token"]
