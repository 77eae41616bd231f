"""Numbers with their nouns, for people."""


def counted(count: int, thing: str) -> str:
    """Returns a number with its noun: 1 order, 2 orders."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
