"""Payment files for tests."""

from collections.abc import Sequence
from dataclasses import dataclass

GOOD_IBAN = "DE89370400440532013000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One transaction of a file."""

    payee: str = "bob"
    amount: str = "3.00"
    currency: str = "EUR"
    end_to_end: str = "e-1"

    @property
    def xml(self) -> str:
        iban = self.payee.startswith(("DE", "XX"))
        account = f"<IBAN>{self.payee}</IBAN>" if iban else f"<Othr><Id>{self.payee}</Id></Othr>"
        return (
            f"<CdtTrfTxInf><PmtId><EndToEndId>{self.end_to_end}</EndToEndId></PmtId>"
            f'<Amt><InstdAmt Ccy="{self.currency}">{self.amount}</InstdAmt></Amt>'
            f"<Cdtr><Nm>Bob Example</Nm></Cdtr><CdtrAcct><Id>{account}</Id></CdtrAcct></CdtTrfTxInf>"
        )


def file_of(
    sent: Sequence[Sent],
    *,
    message_id: str = "m-1",
    count: int | None = None,
    total: str = "",
    day: str = "2026-05-06",
    payer: str = "ann",
    head: str = "",
) -> bytes:
    """Returns a pain.001.001.09 file with one payer."""
    total = f"<CtrlSum>{total}</CtrlSum>" if total else ""
    number = len(sent) if count is None else count
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn>'
        f"<GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>2026-05-06T08:00:00Z</CreDtTm>"
        f"<NbOfTxs>{number}</NbOfTxs>{total}<InitgPty><Nm>Ann Example</Nm></InitgPty></GrpHdr>"
        f"<PmtInf><PmtInfId>p-1</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>{day}</Dt></ReqdExctnDt>"
        f"<Dbtr><Nm>Ann Example</Nm></Dbtr><DbtrAcct><Id><Othr><Id>{payer}</Id></Othr></Id></DbtrAcct>"
        "<DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>"
        f"{''.join(one.xml for one in sent)}</PmtInf></CstmrCdtTrfInitn></Document>"
    ).encode()
