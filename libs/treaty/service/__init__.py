"""Contexts: the ports that a context is built from, and the declaration of its service.

Authors of contexts use the names below. The modules inside are internal to the toolkit.
"""

from treaty.service.context_map import Pattern, Relation
from treaty.service.ports import Ports
from treaty.service.service import Service

__all__ = ["Pattern", "Ports", "Relation", "Service"]
