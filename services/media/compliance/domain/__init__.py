"""The aggregates of Compliance: permissions, sightings and cases, with the rules for severity."""
