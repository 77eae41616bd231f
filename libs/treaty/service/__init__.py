"""A context, declared: what it is built from, and what it consists of.

These names are for authors of contexts; the modules inside are the toolkit's own.
"""

from treaty.service.context_map import Pattern, Relation
from treaty.service.ports import Ports
from treaty.service.service import Service

__all__ = ["Pattern", "Ports", "Relation", "Service"]
