"""`treaty audit seal` and `treaty audit verify`: tamper evidence for the commits of contexts."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from treaty.cli.context import Opened, chosen, fail, in_context
from treaty.cli.tables import Json, as_json, table
from treaty.seals.anchors import Anchor, read_anchors
from treaty.seals.seal import SealTaken
from treaty.seals.sealer import Sealing
from treaty.seals.signatures import verifier
from treaty.seals.verification import Verdict
from treaty.seals.verification import verify as verified
from treaty.settings import ProcessSettings, SettingsError, read_settings

Context = Annotated[str, typer.Argument(help="one context; by default all that are sealed")]


def seal(context: Context = "") -> None:
    """Seal now what the processes would seal within the minute: all commits that are older than ten seconds."""
    for name, count in _of_sealed(context, _seal).items():
        typer.echo(f"{name}: {count} commits were sealed")


def verify(
    context: Context = "",
    anchors: Annotated[
        list[Path] | None, typer.Option(help="a file of anchors, or a log of JSON lines; may be given several times")
    ] = None,
    public_key: Annotated[
        list[Path] | None,
        typer.Option(help="an Ed25519 key in PEM that signatures must have; may be given several times"),
    ] = None,
    json_: Json = False,
) -> None:
    """Compare commits with their seals, and seals with anchors and signatures.

    Ends with code 1 if a commit or a seal was changed, removed or added.
    """
    known, verifies = _anchors(anchors or []), _verifies(public_key or [])

    async def check(opened: Opened) -> Verdict:
        return await verified(opened.service.name, opened.stores.seals, anchors=known, verifies=verifies)

    verdicts = _of_sealed(context, check)
    typer.echo(as_json({name: _row(one) for name, one in verdicts.items()})) if json_ else _print(verdicts)
    if not all(one.valid for one in verdicts.values()):
        raise typer.Exit(1)


async def _seal(opened: Opened) -> int:
    sealing = Sealing.of(read_settings(ProcessSettings, os.environ))
    sealer = sealing.sealer(opened.service.name, opened.stores.seals, opened.ports.surroundings)
    try:
        return await sealer.seal()
    except SealTaken as taken:
        fail(f"{taken}; a process seals at this moment, so ask again")


def _of_sealed(context: str, ask: Callable[[Opened], Any]) -> Mapping[str, Any]:
    """Returns {context: the answer} for those that are sealed."""

    async def asked(opened: Opened) -> Any:
        return await ask(opened) if opened.service.sealed else None

    found = {name: in_context(name, asked) for name in chosen(context)}
    answers = {name: answer for name, answer in found.items() if answer is not None}
    if not answers:
        fail(f"{context or 'no context'} is {'not ' if context else ''}sealed: `sealed=True` in service.py makes it so")
    return answers


def _anchors(files: Sequence[Path]) -> Sequence[Anchor]:
    found: list[Anchor] = []
    for file in files:
        try:
            with file.open(errors="replace") as lines:
                here = list(read_anchors(lines))
        except OSError as error:
            fail(f"{file} cannot be read: {error.strerror}")
        if not here:
            fail(f"{file} has no anchor: these are lines of JSON with the event `sealed`")
        found += here
    return found


def _verifies(files: Sequence[Path]) -> Callable[[str, str], bool] | None:
    try:
        keys = [verifier(file.read_text()) for file in files]
    except (OSError, SettingsError) as error:
        fail(str(error))
    return (lambda sealed, signature: any(key(sealed, signature) for key in keys)) if keys else None


def _row(verdict: Verdict) -> Mapping[str, Any]:
    return {
        "valid": verdict.valid,
        "seals": verdict.seals,
        "sealed": verdict.sealed,
        "open": verdict.open,
        "anchored": verdict.anchored,
        "findings": [{"what": one.what, "fault": one.fault, "seal": one.seal} for one in verdict.findings],
    }


def _print(verdicts: Mapping[str, Verdict]) -> None:
    faults = [
        {"context": name, "what": one.what, "fault": one.fault, "seal": one.seal or None}
        for name, verdict in verdicts.items()
        for one in verdict.findings
    ]
    sealed = any(one.seals for one in verdicts.values())
    table(faults, "everything that was sealed is as it was" if sealed else "nothing is sealed yet")
    for name, one in verdicts.items():
        anchored = f", anchored up to seal {one.anchored}" if one.anchored else ""
        typer.echo(f"{name}: sealed commits {one.sealed}, seals {one.seals}{anchored}; not sealed yet {one.open}")
