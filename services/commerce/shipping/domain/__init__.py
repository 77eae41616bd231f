"""The shipment aggregate, its events, and the carrier's reports."""
