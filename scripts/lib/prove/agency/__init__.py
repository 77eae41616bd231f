"""The agency in the simulation: licenses are purchased, used and overused under faults, and all uses are counted."""

LICENSING, COMPLIANCE = "media.licensing", "media.compliance"
AGENCY = (LICENSING, COMPLIANCE)
