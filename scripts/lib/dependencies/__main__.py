"""`scripts/dependencies`: see --help."""

import json
import sys
from pathlib import Path

from scripts.lib.command_line import parser_of
from scripts.lib.dependencies.audit import Audit, Outcome, audit
from scripts.lib.dependencies.sbom import sbom
from scripts.lib.paths import ROOT


def main() -> int:
    parser = parser_of("dependencies")
    commands = parser.add_subparsers(dest="command", required=True)
    auditing = commands.add_parser("audit", add_help=False)
    auditing.add_argument("--blind-is-fine", action="store_true")
    commands.add_parser("sbom", add_help=False).add_argument("file", type=Path)
    wanted = parser.parse_args()
    if wanted.command == "sbom":
        bill = sbom(ROOT / "pyproject.toml", "treaty-services")
        wanted.file.write_text(json.dumps(bill, indent=2) + "\n")
        print(f"{len(bill['components'])} components are in {wanted.file}")
        return 0
    return told(audit(ROOT / "constraints.txt"), blind_is_fine=wanted.blind_is_fine)


def told(found: Audit, *, blind_is_fine: bool) -> int:
    """Prints the outcome; returns the exit code."""
    for advisory in found.advisories:
        print(advisory)
    if found.unknown:
        print(f"COULD NOT LOOK: {len(found.unknown)} dependencies were not looked up: {', '.join(found.unknown[:5])} …")
    print(f"{found.clean} dependencies without an advisory, {len(found.advisories)} advisories")
    if found.outcome is Outcome.BLIND and blind_is_fine:
        print("nobody knows whether the dependencies are safe; --blind-is-fine lets that pass")
        return 0
    return int(found.outcome)


sys.exit(main())
