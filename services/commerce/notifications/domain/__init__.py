"""Subscriptions, and the notifications that follow from them."""
