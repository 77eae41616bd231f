"""Read models: pure functions from events to rows, and the views that queries see.

These names are for authors of contexts; the modules inside are the toolkit's own.
"""

from treaty.projections.projection import Projection
from treaty.projections.rows import Among, Between, Facets, Key, Where, Words, words_of
from treaty.projections.similar import Near, parts_of
from treaty.projections.view import FIRST, Page, View

__all__ = [
    "FIRST",
    "Among",
    "Between",
    "Facets",
    "Key",
    "Near",
    "Page",
    "Projection",
    "View",
    "Where",
    "Words",
    "parts_of",
    "words_of",
]
