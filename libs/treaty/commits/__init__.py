"""The commit log: a commit is one document with events, outbox, calls and inbox; all other work reads from it.

Authors of contexts use the names below. The modules inside are internal to the toolkit.
"""

from treaty.commits.codec import Names, Shape
from treaty.commits.commit import Committed
from treaty.commits.feed import Feed
from treaty.commits.repository import Repository
from treaty.commits.stored import Stored
from treaty.commits.watch import Watch

__all__ = ["Committed", "Feed", "Names", "Repository", "Shape", "Stored", "Watch"]
