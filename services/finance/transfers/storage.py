"""The stored names of Transfers' aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.finance.transfers.application import commands as c
from services.finance.transfers.domain import events as e
from services.finance.transfers.domain.allowance import Allowance
from services.finance.transfers.domain.file import PaymentFile
from services.finance.transfers.domain.order import Order
from services.finance.transfers.domain.transfer import Transfer
from services.finance.transfers.projections import OrderRow, TransferRow, order_row, transfer_row

TRANSFERS = Stored(
    "transfer",
    Transfer,
    events=[
        Shape("transfer-initiated", e.TransferInitiated),
        Shape("allowance-taken", e.AllowanceTaken),
        Shape("money-reserved", e.MoneyReserved),
        Shape("transfer-screened", e.TransferScreened),
        Shape("screening-missed", e.ScreeningMissed),
        Shape("review-asked", e.ReviewAsked),
        Shape("review-decided", e.ReviewDecided),
        Shape("approval-asked", e.ApprovalAsked),
        Shape("transfer-approved", e.TransferApproved),
        Shape("cancellation-asked", e.CancellationAsked),
        Shape("capture-started", e.CaptureStarted),
        Shape("money-captured", e.MoneyCaptured),
        Shape("transfer-completed", e.TransferCompleted),
        Shape("release-started", e.ReleaseStarted),
        Shape("return-started", e.ReturnStarted),
        Shape("parking-started", e.ParkingStarted),
        Shape("transfer-stuck", e.TransferStuck),
        Shape("transfer-failed", e.TransferFailed),
        Shape("refund-asked", e.RefundAsked),
        Shape("refund-started", e.RefundStarted),
        Shape("refund-refused", e.RefundRefused),
        Shape("refund-taken", e.RefundTaken),
        Shape("refund-parking-started", e.RefundParkingStarted),
        Shape("refund-stuck", e.RefundStuck),
        Shape("refund-paid", e.RefundPaid),
    ],
)

ALLOWANCES = Stored(
    "allowance",
    Allowance,
    events=[Shape("allowance-used", e.AllowanceUsed), Shape("allowance-given-back", e.AllowanceGivenBack)],
)

ORDERS = Stored(
    "order",
    Order,
    events=[
        Shape("order-placed", e.OrderPlaced),
        Shape("order-ran", e.OrderRan),
        Shape("order-ended", e.OrderEnded),
    ],
)

FILES = Stored("file", PaymentFile, events=[Shape("file-accepted", e.FileAccepted)])

COMMANDS = Names(
    [
        Shape("take-allowance", c.TakeAllowance),
        Shape("give-allowance-back", c.GiveAllowanceBack),
        Shape("reserve-money", c.ReserveMoney),
        Shape("screen", c.Screen),
        Shape("screening-overdue", c.ScreeningOverdue),
        Shape("review-overdue", c.ReviewOverdue),
        Shape("approval-overdue", c.ApprovalOverdue),
        Shape("capture-money", c.CaptureMoney),
        Shape("credit-payee", c.CreditPayee),
        Shape("release-hold", c.ReleaseHold),
        Shape("return-money", c.ReturnMoney),
        Shape("park-money", c.ParkMoney),
        Shape("take-refund", c.TakeRefund),
        Shape("pay-refund", c.PayRefund),
        Shape("park-refund", c.ParkRefund),
        Shape("initiate-transfer", c.InitiateTransfer),
        Shape("run-order", c.RunOrder),
        Shape("place-order", c.PlaceOrder),
    ]
)

TRANSFER_ROWS = Projection(
    name="transfers",
    source=TRANSFERS,
    row=TransferRow,
    project=transfer_row,
    order_by="initiated_at",
    filters=("payer", "customer_id", "status", "refund"),
)

ORDER_ROWS = Projection(
    name="orders",
    source=ORDERS,
    row=OrderRow,
    project=order_row,
    order_by="first_at",
    filters=("payer", "customer_id", "ended"),
)
