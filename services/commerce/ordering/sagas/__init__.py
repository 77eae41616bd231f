"""The sagas of Ordering: the checkout, a choreography, and returns, an orchestration."""
