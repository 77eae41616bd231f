"""The commit log: a commit is one document, and everything else follows from it.

These names are for authors of contexts; the modules inside are the toolkit's own.
"""

from treaty.commits.codec import Names, Shape
from treaty.commits.commit import Committed
from treaty.commits.repository import Repository
from treaty.commits.stored import Stored
from treaty.commits.watch import Watch

__all__ = ["Committed", "Names", "Repository", "Shape", "Stored", "Watch"]
