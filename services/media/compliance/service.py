"""Builds the Compliance service from its parts."""

from datetime import timedelta

from media.assets.v1 import assets_events_pb2 as assets
from media.compliance.v1 import compliance_events_pb2 as events
from media.compliance.v1 import compliance_service_pb2_grpc as pb_grpc
from media.licensing.v1 import licensing_events_pb2 as licensing
from media.licensing.v2 import licensing_events_pb2 as licensing2
from pydantic import Field
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import Settings

from services.media.compliance import acl, storage
from services.media.compliance.api import ComplianceApi
from services.media.compliance.application.cases import Cases, follow_case, follow_sighting
from services.media.compliance.application.commands import DetectInfringement
from services.media.compliance.application.works import Works
from services.media.compliance.domain.findings import Deadlines
from services.media.compliance.publishing import publish
from services.media.compliance.sagas.review import EscalateCase, RemindReviewer

DAY = 86_400.0


class ComplianceSettings(Settings):
    """The settings of Compliance: by severity, the seconds within which a person decides on a case."""

    low_seconds: float = Field(30 * DAY, alias="COMPLIANCE_LOW_SECONDS", gt=0)
    medium_seconds: float = Field(14 * DAY, alias="COMPLIANCE_MEDIUM_SECONDS", gt=0)
    high_seconds: float = Field(3 * DAY, alias="COMPLIANCE_HIGH_SECONDS", gt=0)
    critical_seconds: float = Field(DAY, alias="COMPLIANCE_CRITICAL_SECONDS", gt=0)

    @property
    def deadlines(self) -> Deadlines:
        return Deadlines(
            low=timedelta(seconds=self.low_seconds),
            medium=timedelta(seconds=self.medium_seconds),
            high=timedelta(seconds=self.high_seconds),
            critical=timedelta(seconds=self.critical_seconds),
        )


def build(ports: Ports) -> Service:
    feed = ports.feed(storage.CASES)
    works = Works(works=ports.repository(storage.WORKS), work_rows=ports.view(storage.WORK_ROWS))
    cases = Cases(
        permissions=ports.repository(storage.PERMISSIONS),
        sightings=ports.repository(storage.SIGHTINGS, policies=[follow_sighting], commands=storage.COMMANDS),
        cases=ports.repository(storage.CASES, policies=[publish, follow_case], commands=storage.COMMANDS),
        permission_rows=ports.view(storage.PERMISSION_ROWS),
        alert_rows=ports.view(storage.ALERTS),
        recognise=works.recognise_work,
        feed=feed,
        personal_data=ports.personal_data,
        clock=ports.clock,
        deadlines=ports.settings(ComplianceSettings).deadlines,
    )
    review = ports.saga(storage.REVIEWS, key=lambda fact: fact.case_id, commands=storage.COMMANDS)
    return Service(
        name="media.compliance",
        api=Api(pb_grpc.add_ComplianceServiceServicer_to_server, ComplianceApi(cases)),
        publishes=[events.InfringementDetected, events.CaseEscalated, events.CaseClosed, events.CaseReopened],
        subscriptions=[
            on(assets.AssetReadyForSearch, acl.asset_ready, then=works.register_work),
            on(licensing2.LicensePurchaseConfirmed, acl.license_purchased, then=cases.grant_permission),
            on(licensing.LicenseRenewed, acl.license_renewed, then=cases.prolong_permission),
            on(licensing.LicenseExpired, acl.license_expired, then=cases.end_permission),
            on(licensing.UsageViolationDetected, acl.usage_violated, then=cases.detect_infringement),
            on(licensing.UsageViolationCorrected, acl.violation_corrected, then=cases.correct_finding),
        ],
        commands=storage.COMMANDS,
        calls={
            DetectInfringement: cases.detect_infringement,
            RemindReviewer: cases.remind_reviewer,
            EscalateCase: cases.escalate_case,
        },
        projections=[storage.PERMISSION_ROWS, storage.WORK_ROWS, storage.ALERTS],
        sagas=[review],
        watches=[feed],
        relations=[
            Relation(
                "media.assets",
                Pattern.ANTI_CORRUPTION_LAYER,
                "a picture becomes a work, which is recognised by its hashes",
            ),
            Relation(
                "media.licensing",
                Pattern.ANTI_CORRUPTION_LAYER,
                "a license becomes a permission, a violation becomes a finding of a case",
            ),
        ],
    )
