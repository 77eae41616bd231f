"""The use cases of accounts: opening, terms, freezing, closing, and erasing the data of their holders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, NotFound
from treaty.personal_data import ERASED_AGAIN, PersonalData
from treaty.projections import Key, View

from services.finance.accounts.application.commands import (
    ChangeTerms,
    CloseAccount,
    EraseHolder,
    ErasePersonalData,
    ExpireHold,
    FreezeAccount,
    ListAccounts,
    OpenAccount,
    PayInterest,
    SettleInterest,
    UnfreezeAccount,
)
from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.events import (
    AccountEvent,
    AccountOpened,
    HolderErased,
    HoldPlaced,
    InterestReckoned,
    TermsChanged,
)
from services.finance.accounts.projections import AccountRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The use cases of accounts."""

    accounts: Repository[Account]
    account_rows: View[AccountRow]
    personal_data: PersonalData
    clock: Clock

    async def open_account(self, command: OpenAccount) -> Committed[Account]:
        ref = await self._private_ref(command)
        now = self.clock.now()
        return await self.accounts.add(
            command.account_id,
            lambda account: account.open(
                kind=command.kind,
                currency=command.currency,
                holder_id=command.holder_id,
                private_ref=ref,
                overdraft=command.overdraft,
                rates=command.rates,
                now=now,
            ),
        )

    async def change_terms(self, command: ChangeTerms) -> Committed[Account]:
        now = self.clock.now()
        return await self.accounts.change(
            command.account_id,
            lambda account: account.change_terms(
                overdraft=command.overdraft, rates=command.rates, by=command.by, now=now
            ),
        )

    async def freeze_account(self, command: FreezeAccount) -> Committed[Account]:
        now = self.clock.now()
        return await self.accounts.change(
            command.account_id, lambda account: account.freeze(command.reason, command.by, now)
        )

    async def unfreeze_account(self, command: UnfreezeAccount) -> Committed[Account]:
        now = self.clock.now()
        return await self.accounts.change(
            command.account_id, lambda account: account.unfreeze(command.reason, command.by, now)
        )

    async def close_account(self, command: CloseAccount) -> Committed[Account]:
        now = self.clock.now()
        return await self.accounts.change(command.account_id, lambda account: account.close(now))

    async def erase_holder(self, command: EraseHolder) -> Committed[Account]:
        """Records the erasure, and then erases the personal data. The postings stay.

        An account that was refused may have left data too, so they are erased also if there is no account.
        """
        now = self.clock.now()
        try:
            return await self.accounts.change(command.account_id, lambda account: account.erase_holder(now))
        finally:
            await self.personal_data.erase(command.account_id)

    async def erase_personal_data(self, command: ErasePersonalData) -> None:
        """Erases what an opening beside the erasure may have stored after it."""
        await self.personal_data.erase(command.account_id)

    async def settle_interest(self, command: SettleInterest) -> Committed[Account]:
        """Posts the interest up to now, such as before an account is closed."""
        now = self.clock.now()
        return await self.accounts.change(command.account_id, lambda account: account.settle_interest(now))

    async def pay_interest(self, command: PayInterest) -> Committed[Account]:
        """Posts the interest of the month before, when its timer fires."""
        now = self.clock.now()
        return await self.accounts.change(command.account_id, lambda account: account.pay_interest(command.due, now))

    async def expire_hold(self, command: ExpireHold) -> Committed[Account]:
        """Ends a hold when its timer fires, unless it has ended."""
        return await self.accounts.change(command.account_id, lambda account: account.expire(command.hold_id))

    async def get_account(self, account_id: str) -> tuple[Committed[Account], Mapping[str, str]]:
        """Returns one account, and `name` and `email` of its holder unless they are erased."""
        found = await self.accounts.get(account_id)
        ref = found.state.private_ref
        return found, (await self.personal_data.find(ref) if ref else None) or {}

    async def list_accounts(self, query: ListAccounts) -> tuple[list[AccountRow], Key | None]:
        """Returns a page of accounts, sorted by id, and the key of the next page, or None at the end."""
        wanted = {"holder_id": query.holder_id, "kind": query.kind and query.kind.value}
        where = {field: value for field, value in wanted.items() if value}
        return await self.account_rows.page(where, query.page)

    async def _private_ref(self, command: OpenAccount) -> str:
        """Stores the personal data and returns its reference.

        Stores nothing if the account is open already, because the data may have been erased since.
        """
        person = {"name": command.name, "email": command.email}
        if not any(person.values()):
            return ""
        try:
            return (await self.accounts.get(command.account_id)).state.private_ref
        except NotFound:
            return await self.personal_data.keep(command.account_id, person)


def set_timers(account: Account, event: AccountEvent) -> Iterator[Call]:
    """Policy: sets the timers that end a hold, post the interest of a month, and erase a holder's data once more."""
    match event:
        case HolderErased():
            yield Call(ErasePersonalData(account_id=account.id), after=ERASED_AGAIN)
        case HoldPlaced():
            yield Call(ExpireHold(account_id=account.id, hold_id=event.hold.hold_id), after=event.lasts)
        case AccountOpened() | TermsChanged() | InterestReckoned():
            if event.interest_due is not None:
                yield Call(PayInterest(account_id=account.id, due=event.interest_due), due=event.interest_due)
        case _:
            return
