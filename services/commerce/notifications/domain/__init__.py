"""The aggregates of Notifications: subscriptions and notifications."""
