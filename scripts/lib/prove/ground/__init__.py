"""The two contexts of the proof: accounts that move money, and a ledger that notes every movement in order."""

from treaty.service.contexts import Build, UnknownContext, checked

ACCOUNTS, LEDGER = "proving.accounts", "proving.ledger"
CONTEXTS = (ACCOUNTS, LEDGER)


def load(name: str) -> Build:
    """Returns the `build` function of one of the two contexts."""
    from scripts.lib.prove.ground.accounts import service as accounts
    from scripts.lib.prove.ground.ledger import service as ledger

    builders = {ACCOUNTS: accounts.build, LEDGER: ledger.build}
    if name not in builders:
        raise UnknownContext(f"there is no context {name}; there are {', '.join(builders)}")
    return checked(name, builders[name])
