"""The use cases of authors: the customers who write reviews, and their words until they are erased."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from treaty.commits import Committed, Repository
from treaty.domain import Call, NotFound
from treaty.personal_data import ERASED_AGAIN, PersonalData

from services.commerce.catalog.domain.authors import Author
from services.commerce.catalog.domain.events import AuthorEvent, AuthorForgotten
from services.commerce.catalog.domain.values import Opinion


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetAuthor:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseReviews:
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Authors:
    """Keeps the words of reviews where they can be erased, and erases them when their author is forgotten."""

    authors: Repository[Author]
    personal_data: PersonalData

    async def forget(self, command: ForgetAuthor) -> Committed[Author]:
        """Records that a customer is forgotten, and then erases the words of the customer's reviews.

        A call that has read the author before may store words afterwards, so they are erased once more a day later.
        """
        forgotten = await self.authors.add(command.customer_id, Author.forget)
        await self.personal_data.erase(command.customer_id)
        return forgotten

    async def erase_reviews(self, command: EraseReviews) -> None:
        await self.personal_data.erase(command.customer_id)

    async def get(self, customer_id: str) -> Author:
        """Returns an author, or a blank one."""
        try:
            return (await self.authors.get(customer_id)).state
        except NotFound:
            return Author(id=customer_id)

    async def keep(self, opinion: Opinion) -> tuple[Opinion, Author]:
        """Stores the words of an opinion. Returns the opinion with a reference to them, and its author.

        Nothing is stored for a customer who is forgotten.
        """
        author = await self.get(opinion.author)
        words = {"title": opinion.title, "text": opinion.text}
        ref = "" if author.forgotten else await self.personal_data.keep(author.id, words)
        return replace(opinion, title="", text="", ref=ref), author

    async def shown(self, opinion: Opinion) -> Opinion:
        """Returns an opinion as readers see it: without words and author once the author is forgotten."""
        nobody = replace(opinion, author="", title="", text="")
        if opinion.ref:
            words = await self.personal_data.find(opinion.ref)
            return nobody if words is None else replace(opinion, title=words["title"], text=words["text"])
        return nobody if (await self.get(opinion.author)).forgotten else opinion


def erase_again(author: Author, event: AuthorEvent) -> Iterator[Call]:
    """Policy: erases the words once more when nobody can be storing some any longer."""
    match event:
        case AuthorForgotten():
            yield Call(EraseReviews(customer_id=author.id), after=ERASED_AGAIN)
