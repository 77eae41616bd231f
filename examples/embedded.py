"""A context in one file and one process, on memory adapters: python examples/embedded.py."""

import asyncio
from dataclasses import dataclass

from treaty.causes import Cause, acting
from treaty.commits import Shape, Stored
from treaty.domain import Aggregate, Rejected
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.process.runner import Runner
from treaty.projections import Page, Projection
from treaty.service import Ports, Service
from treaty.surroundings import Surroundings
from treaty.testing.samples import bare_api


@dataclass(frozen=True, slots=True, kw_only=True)
class BookLent:
    reader: str


@dataclass(slots=True, kw_only=True)
class Book(Aggregate[BookLent]):
    """It decides in `lend`, and changes in `evolve` alone."""

    reader: str = ""

    def lend(self, reader: str) -> None:
        if self.reader:
            raise Rejected(f"{self.id} is with {self.reader}", reason="BOOK_LENT")
        self.record(BookLent(reader=reader))

    def evolve(self, event: BookLent) -> None:
        self.reader = event.reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    book: str
    reader: str


BOOKS = Stored("book", Book, events=[Shape("book-lent", BookLent)])
LOANS = Projection(
    name="loans",
    source=BOOKS,
    row=Loan,
    project=lambda book, row, event: Loan(book=book, reader=event.reader),
    order_by="book",
    filters=("reader",),
)


async def main() -> None:
    ports = Ports(stores=MemoryStores(Surroundings()), surroundings=Surroundings(), environ={})
    books, loans = ports.repository(BOOKS), ports.view(LOANS)
    service = Service(name="library.lending", api=bare_api("library.Lending"), projections=[LOANS])
    runner = Runner(service=service, stores=ports.stores, broker=MemoryBroker(), surroundings=Surroundings())
    await runner.start()
    for request in ("request-1", "request-1"):  # the repetition has the same answer, and no second effect
        with acting(Cause(id=request)):
            lent = await books.add("emma", lambda book: book.lend("ann"))
            print(f"{request}: {lent.state.id} is with {lent.state.reader}, at version {lent.version}")
    try:
        with acting(Cause(id="request-2")):
            await books.change("emma", lambda book: book.lend("bob"))
    except Rejected as refused:
        print(f"request-2: {refused.message}")
    rows, _ = await loans.page({"reader": "ann"}, Page(not_before=lent.revision))
    print(f"read model: {rows}")
    await runner.stop()


if __name__ == "__main__":
    asyncio.run(main())
