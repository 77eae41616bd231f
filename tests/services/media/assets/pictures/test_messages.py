"""The messages between the service and its workers say the same on both ends."""

import json

import pytest

from services.media.assets.external.pictures.messages import (
    Answer,
    Delivery,
    Failure,
    Inspected,
    Limits,
    Metadata,
    Part,
    Personal,
    Picture,
    Reason,
    Unreadable,
    dump,
    framed,
    load,
)

INSPECTED = Inspected(
    picture=Picture(
        format="TIFF",
        width=3,
        height=2,
        mode="I;16",
        frames=4,
        dhash="8c90f2f3da73c6c6",
        orientations=("8c90f2f3da73c6c6", ""),
        metadata=Metadata(creator="Zoë", keywords=("a", "b"), marked=False),
        warnings=("A sentence.",),
    ),
    personal=Personal(latitude=1.5, longitude=-2.5, owner="Otto", serials=("1",)),
    previews={"small": b"\xff\xd8\0"},
    delivery=Delivery(parts=(Part(stop=2), Part(new=b"\0\xff"), Part(blank=3)), size=7, sha256="ab"),
)


def test_an_inspection_is_read_as_it_was_sent() -> None:
    assert load(dump(Answer(result=INSPECTED, last=True))) == Answer(result=INSPECTED, last=True)


def test_a_refusal_is_read_as_it_was_sent() -> None:
    answer = load(dump(Answer(result=Unreadable(Reason.EMPTY, "The file is empty."))))
    assert isinstance(answer.result, Unreadable)
    assert (answer.result.reason, answer.result.sentence, answer.last) == (Reason.EMPTY, "The file is empty.", False)


def test_a_failure_is_read_as_it_was_sent() -> None:
    answer = Answer(result=Failure("no disk"), last=True)
    assert load(dump(answer)) == answer


@pytest.mark.parametrize(
    "wrong", [{"memory": 1 << 20}, {"pixels": 0}, {"cpu_seconds": 0}, {"seconds": 0}, {"pictures": 0}]
)
def test_limits_under_which_nothing_can_be_done_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        Limits(**wrong)


def test_limits_are_read_as_they_were_sent() -> None:
    limits = Limits(pixels=1, memory=300 << 20, cpu_seconds=3, seconds=4.5, pictures=6)
    assert Limits.load(limits.dump()) == limits


def test_a_frame_begins_with_the_length() -> None:
    assert framed(b"abc") == b"\0\0\0\3abc"


def _changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(dump(Answer(result=INSPECTED))), **fields}).encode()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"[]",
        b'"ready"',
        b'{"last": false}',
        b'{"reason": "BORED", "sentence": "", "last": false}',
        b"\xff",
        _changed(picture=None),
        _changed(picture={"metadata": {}}),
        _changed(personal={"name": "Otto"}),
        _changed(previews={"small": "?"}),
        _changed(previews=7),
        _changed(delivery=None),
        _changed(delivery={"parts": [[0, 1]], "size": 1, "sha256": ""}),
    ],
)
def test_a_message_that_is_no_answer_is_an_error(message: bytes) -> None:
    with pytest.raises(ValueError):
        load(message)
