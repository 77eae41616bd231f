"""The commit log: a commit is one document, and everything else follows from it."""
