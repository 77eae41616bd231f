"""The anti-corruption layer to the gateway: the gateway's message format, and its translation.

A message is a line of fields that are separated by bars. The message types follow ISO 8583. A request is
`type|reference|amount|currency`, and `|token` after it if a payment method is charged; its answer is
`type+10|reference|code|text`. Answers come in any sequence, late, or twice.
"""

import re
from dataclasses import dataclass

from treaty.domain import Invalid
from treaty.web import json_object

from services.commerce.money import Money
from services.commerce.payments.application import Answer, NoteVerdict, Verdict

AUTHORISE, CAPTURE, REFUND, REVERSE, BOOKS = "0100", "0220", "0200", "0400", "0600"
REQUESTS = (AUTHORISE, CAPTURE, REFUND, REVERSE, BOOKS)
APPROVED, DO_NOT_HONOUR, IN_PROGRESS, UNKNOWN_METHOD, EXPIRED_METHOD = "00", "05", "09", "14", "54"
TRY_AGAIN = frozenset({IN_PROGRESS, "19", "68", "90", "91", "96"})
"""The codes of an outage, after ISO 8583: the gateway did not decide. Any other code but `APPROVED` is a refusal."""
EVERYTHING = "*"
"""The reference that requests the books of all references together."""

_TYPE = re.compile(r"[0-9]{4}")
_REASONS = {
    DO_NOT_HONOUR: "declined by the bank",
    UNKNOWN_METHOD: "unknown payment method",
    "51": "insufficient funds",
    EXPIRED_METHOD: "the card has expired",
}


class ForeignMessage(Exception):
    """A line that is not in the gateway's format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A request or an answer. For answers, `amount` holds the response code and `currency` the text.

    `token` is the gateway's name for the payment method that is charged. A line without one has no field for it.
    """

    type: str
    reference: str
    amount: str = ""
    currency: str = ""
    token: str = ""

    def encode(self) -> bytes:
        token = f"|{self.token}" if self.token else ""
        return f"{self.type}|{self.reference}|{self.amount}|{self.currency}{token}\n".encode()

    @property
    def answers(self) -> str:
        """The type of the request that an answer belongs to: 0110 answers 0100."""
        return f"{int(self.type) - 10:04d}"


def decode(data: bytes) -> Line:
    """Returns the line that `data` contains.

    Raises:
        ForeignMessage: if it is not in the gateway's format.
    """
    fields = data.decode("utf-8", "replace").rstrip("\r\n").split("|")
    if len(fields) not in (4, 5) or not _TYPE.fullmatch(fields[0]) or not fields[1]:
        raise ForeignMessage(f"{data[:100]!r} is not a line of type|reference|amount|currency|token")
    return Line(
        type=fields[0],
        reference=fields[1],
        amount=fields[2],
        currency=fields[3],
        token=fields[4] if len(fields) == 5 else "",
    )


def request(type: str, reference: str, amount: Money | None = None, token: str = "") -> Line:
    """Returns one of our requests in the gateway's format."""
    if amount is None:
        return Line(type=type, reference=reference)
    return Line(type=type, reference=reference, amount=str(amount.minor_units), currency=amount.currency, token=token)


def answer(request: Line, code: str, text: str = "") -> Line:
    """Returns the gateway's answer to a request."""
    return Line(type=f"{int(request.type) + 10:04d}", reference=request.reference, amount=code, currency=text)


def to_answer(line: Line) -> Answer:
    """Returns the verdict in the gateway's answer."""
    return verdict_of(line.amount)


def verdict_of(code: str) -> Answer:
    """Returns the verdict of a response code. An unknown code means declined, never approved."""
    if code == APPROVED:
        return Answer(verdict=Verdict.APPROVED)
    if code == IN_PROGRESS:
        return Answer(verdict=Verdict.IN_PROGRESS)
    reason = _REASONS.get(code, f"declined with code {code}")
    return Answer(verdict=Verdict.DECLINED, reason=reason)


def refusal_of(code: str) -> str:
    """Returns the reason of a refused capture, void or refund in words."""
    return _REASONS.get(code, f"refused with code {code}")


def verdict_from(body: bytes) -> NoteVerdict:
    """Returns the verdict in a callback of the gateway: {"reference", "type": "authorisation", "code"}.

    Raises:
        Invalid: if the body is not of that form.
    """
    said = json_object(body)
    reference, kind, code = (said.get(name) for name in ("reference", "type", "code"))
    if kind != "authorisation" or not isinstance(reference, str) or not isinstance(code, str) or code == IN_PROGRESS:
        raise Invalid(f"{kind!r} with {code!r} is not a verdict")
    return NoteVerdict(order_id=reference, answer=verdict_of(code))
