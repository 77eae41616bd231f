"""The work after a commit: followers read the log in order, each with a checkpoint of its own."""
