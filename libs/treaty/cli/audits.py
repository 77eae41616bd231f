"""The commands of `treaty audit`. Without a name it is the audit of deliveries."""

from typing import Any

import typer
from typer.core import TyperGroup

from treaty.cli.audit import audit
from treaty.cli.seals import seal, verify

_USUAL = "deliveries"


class _WithUsual(TyperGroup):
    """A group with a command that is meant if none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else [_USUAL, *args])


app = typer.Typer(cls=_WithUsual, help="Audit deliveries, which is what it does without a name, and sealed commits.")
app.command(_USUAL)(audit)
app.command("seal")(seal)
app.command("verify")(verify)
