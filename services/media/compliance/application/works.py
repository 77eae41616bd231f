"""The use cases of works: they are registered, and recognised by their hashes."""

from dataclasses import dataclass

from treaty.commits import Committed, Repository
from treaty.domain import NotFound, Rejected
from treaty.projections import Near, Page, View

from services.media.compliance.application.commands import RecogniseWork, RegisterWork
from services.media.compliance.domain.work import MATCH, MAYBE, Work
from services.media.compliance.projections import WorkRow

_NAMED = 5


class WorkUncertain(Rejected):
    """Works look alike, but not so much that one is taken for the picture. `details` has them."""

    reason = "WORK_UNCERTAIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    works: Repository[Work]
    work_rows: View[WorkRow]

    async def register_work(self, command: RegisterWork) -> Committed[Work]:
        return await self.works.add(command.work_id, lambda it: it.register(command.sha256, command.dhash))

    async def recognise_work(self, query: RecogniseWork) -> str:
        """Returns the work that a picture shows: by its content, which is certain, or by its perceptual hashes.

        Raises:
            NotFound: if no work looks like it.
            WorkUncertain: if only a person can say. Name the work then.
        """
        if query.sha256:
            same, _ = await self.work_rows.page({"sha256": query.sha256}, Page(size=1))
            if same:
                return same[0].work_id
        alike = await self.work_rows.similar("parts", Near(query.dhashes, MAYBE)) if query.dhashes else []
        if not alike:
            raise NotFound("no work that we know looks like this picture", reason="WORK_UNKNOWN")
        distance, work_id, _ = alike[0]
        if distance > MATCH:
            names = ", ".join(id for _, id, _ in alike[:_NAMED])
            raise WorkUncertain(
                f"the picture may show {names}; look at them, and name the work", details={"works": names}
            )
        return work_id
