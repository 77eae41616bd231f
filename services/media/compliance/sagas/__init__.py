"""The sagas of Compliance: the review of a case, which waits for people."""
