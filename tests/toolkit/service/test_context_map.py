"""The context map: what is declared is what is heard and asked, or the service is not built."""

import pytest
from treaty.cli.context_map import services
from treaty.messaging.subscriptions import by_producer
from treaty.service.context_map import Pattern, Relation, check
from treaty.wiring import WiringError

ORDERING = Relation("commerce.ordering", Pattern.ANTI_CORRUPTION_LAYER)
CARRIER = Relation("external.carrier", Pattern.CONFORMIST)


def test_declared_and_real_relations_are_the_same() -> None:
    check("commerce.x", [ORDERING, CARRIER], heard=["commerce.ordering"], called=[])
    check("commerce.x", [ORDERING], heard=[], called=["commerce.ordering"])


def test_a_missing_relation_is_found_and_the_line_to_add_is_named() -> None:
    with pytest.raises(WiringError) as missing:
        check("commerce.x", [ORDERING], heard=["commerce.ordering"], called=["commerce.catalog"])
    assert str(missing.value) == (
        "commerce.x calls commerce.catalog and declares no relation to it: "
        'add Relation("commerce.catalog", Pattern.ANTI_CORRUPTION_LAYER, "why") to `relations` in service.py'
    )


def test_a_relation_that_is_not_used_is_found() -> None:
    with pytest.raises(WiringError, match=r'remove Relation\("commerce\.ordering", …\)'):
        check("commerce.x", [ORDERING], heard=[], called=[])


def test_every_context_is_built_and_every_pattern_that_is_declared_says_why() -> None:
    found = services()
    assert len(found) >= 7
    assert all(relation.why for service in found for relation in service.relations)


def test_whoever_is_heard_publishes_what_is_wanted() -> None:
    found = {service.name: service for service in services()}
    for service in found.values():
        for producer, types in by_producer(service.subscriptions).items():
            published = {event.DESCRIPTOR.full_name for event in found[producer].publishes}  # type: ignore[attr-defined]
            assert set(types) <= published, (service.name, producer)
