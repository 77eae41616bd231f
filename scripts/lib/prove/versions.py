"""The version before as processes beside this version: deployments and rollbacks under load, on the same servers."""

import asyncio
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.lib.paths import ROOT
from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.ground import CONTEXTS
from scripts.lib.prove.servers import Servers
from scripts.lib.prove.stage import Stage, stage

BEFORE = "34c90ff"
"""The commit that is the version before."""

_STEP_SECONDS = 3.0
_STEP_EVENTS = 50
_PATIENCE = 60.0


@dataclass(slots=True)
class Versions:
    """The outcome.

    Attributes:
        skipped: the reason why the version before did not run, empty if it ran.
        steps: the versions that ran, one entry for each step, with the events that came during that step.
    """

    skipped: str = ""
    steps: list[tuple[str, int]] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def summary(self) -> str:
        return f"skipped: {self.skipped}" if self.skipped else f"{BEFORE}, {len(self.steps)} steps"


class NoHistory(Exception):
    """The version before cannot be read from this checkout."""


async def run_versions(servers: Servers, folder: Path, *, rounds: int) -> Versions:
    """Deploys this version over the version before and rolls it back, a number of times, and deploys it at the end.

    The processes of the version that leaves are drained in every other round, and ended with kill -9 in the others.
    """
    with tempfile.TemporaryDirectory() as checkout:
        try:
            old = await asyncio.to_thread(environ_of, BEFORE, Path(checkout))
        except NoHistory as reason:
            return Versions(skipped=str(reason))
        return await _deploy_and_roll_back(servers, folder, old, rounds)


async def _deploy_and_roll_back(servers: Servers, folder: Path, old: Mapping[str, str], rounds: int) -> Versions:
    found = Versions()
    async with stage(servers, folder, "versions", first=old, PROVING_FAILS_EVERY="100", PROVING_PATIENCE="5") as scene:
        rollout = _Rollout(scene, found, {"old": old, "new": {}})
        await rollout.step("old")
        for number in range(rounds):
            await rollout.replace("old", "new", kill=number % 2 == 1)
            await rollout.replace("new", "old", kill=number % 2 == 1)
        await rollout.replace("old", "new", kill=False)
        verdict = await scene.finish()
    verdict.unsettled += found.verdict.unsettled
    found.verdict = verdict
    return found


@dataclass(slots=True)
class _Rollout:
    """Replaces the processes of one version by those of the other. `environs` has the environment of each version."""

    scene: Stage
    found: Versions
    environs: Mapping[str, Mapping[str, str]]

    async def replace(self, leaving: str, coming: str, *, kill: bool) -> None:
        """Starts one version beside the other, and ends the other after a while, under load in each step."""
        services = self.scene.services
        left = [service for context in CONTEXTS for service in services.living(context)]
        await asyncio.gather(*(services.start(context, self.environs[coming]) for context in CONTEXTS))
        await self.step(f"{leaving} and {coming}")
        end = services.kill if kill else services.drain
        await asyncio.gather(*(end(service) for service in left))
        await self.step(coming)

    async def step(self, name: str) -> None:
        """Waits for some time, and until some events have come. Records a fault if they do not come."""
        flow, before = self.scene.flow, len(self.scene.flow)
        await asyncio.sleep(_STEP_SECONDS)
        try:
            async with asyncio.timeout(_PATIENCE):
                while len(flow) - before < _STEP_EVENTS:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            self.found.verdict.unsettled.append(f"{name}: {len(flow) - before} events in {_PATIENCE:.0f} s")
        self.found.steps.append((name, len(flow) - before))


def environ_of(commit: str, folder: Path) -> Mapping[str, str]:
    """Writes the code of a commit into a folder; returns the environment in which Python runs that code.

    Raises:
        NoHistory: if the commit is not in this checkout, such as in a shallow clone.
    """
    archive = folder / "code.tar"
    command = ["git", "-C", str(ROOT), "archive", f"--output={archive}", commit, "libs", "scripts"]
    try:
        made = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise NoHistory("there is no git") from None
    if made.returncode:
        raise NoHistory(f"the commit {commit} is not in this checkout")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    paths = [folder, folder / "libs", folder / "libs" / "contracts"]
    return {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONSAFEPATH": "1"}
