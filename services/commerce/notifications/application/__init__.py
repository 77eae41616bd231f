"""The use cases of Notifications."""
