"""The stored names of Compliance's aggregates, events, saga, calls and read models.

A name here never changes. If the fields of an event, fact or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection
from treaty.sagas import StoredSaga

from services.media.compliance.application.commands import DetectInfringement
from services.media.compliance.domain import events
from services.media.compliance.domain.case import Case
from services.media.compliance.domain.permission import Permission
from services.media.compliance.domain.sightings import Sighting
from services.media.compliance.domain.work import Work
from services.media.compliance.projections import AlertRow, PermissionRow, WorkRow, alert, permission, work
from services.media.compliance.sagas import review

PERMISSIONS = Stored(
    "permission",
    Permission,
    events=[
        Shape("permission-granted", events.PermissionGranted),
        Shape("permission-prolonged", events.PermissionProlonged),
        Shape("permission-ended", events.PermissionEnded),
    ],
)

WORKS = Stored("work", Work, events=[Shape("work-registered", events.WorkRegistered)])

SIGHTINGS = Stored("sighting", Sighting, events=[Shape("use-sighted", events.UseSighted)])

CASES = Stored(
    "case",
    Case,
    events=[
        Shape("infringement-detected", events.InfringementDetected),
        Shape("finding-corrected", events.FindingCorrected),
        Shape("review-opened", events.ReviewOpened),
        Shape("case-assigned", events.CaseAssigned),
        Shape("note-added", events.NoteAdded),
        Shape("reviewer-reminded", events.ReviewerReminded),
        Shape("case-escalated", events.CaseEscalated),
        Shape("case-closed", events.CaseClosed),
        Shape("case-reopened", events.CaseReopened),
    ],
)

REVIEWS = StoredSaga(
    "review",
    review.Review(),
    review.review,
    facts=[
        Shape("round-begun", review.RoundBegun),
        Shape("case-taken", review.CaseTaken),
        Shape("case-decided", review.CaseDecided),
        Shape("taking-overdue", review.TakingOverdue),
        Shape("half-time", review.HalfTime),
        Shape("decision-overdue", review.DecisionOverdue),
        Shape("review-resumed", review.ReviewResumed),
        Shape("review-abandoned", review.ReviewAbandoned),
    ],
    resume=lambda run, reason: review.ReviewResumed(case_id=run, reason=reason),
    cancel=lambda run, reason: review.ReviewAbandoned(case_id=run, reason=reason),
)

COMMANDS = Names(
    [
        Shape("detect-infringement", DetectInfringement),
        Shape("begin-round", review.RoundBegun),
        Shape("case-taken", review.CaseTaken),
        Shape("case-decided", review.CaseDecided),
        Shape("taking-overdue", review.TakingOverdue),
        Shape("half-time", review.HalfTime),
        Shape("decision-overdue", review.DecisionOverdue),
        Shape("remind-reviewer", review.RemindReviewer),
        Shape("escalate-case", review.EscalateCase),
    ]
)

PERMISSION_ROWS = Projection(
    name="permissions",
    source=PERMISSIONS,
    row=PermissionRow,
    project=permission,
    order_by="starts_at",
    filters=("work_id", "holder_id", "exclusive"),
)

WORK_ROWS = Projection(
    name="works",
    source=WORKS,
    row=WorkRow,
    project=work,
    order_by="work_id",
    filters=("parts", "sha256"),
    descending=False,
)

ALERTS = Projection(
    name="alerts",
    source=CASES,
    row=AlertRow,
    project=alert,
    order_by="raised_at",
    filters=("status", "severity", "reviewer", "work_id"),
)
