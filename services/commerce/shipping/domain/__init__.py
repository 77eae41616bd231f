"""The shipment, what can happen to it, and what the carrier reports of it."""
