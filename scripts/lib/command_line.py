"""The command lines of the scripts. The help of a script is the comment at its top, so that it needs no .venv."""

import argparse
import os


def parser_of(name: str) -> argparse.ArgumentParser:
    """Returns a parser whose errors name the command as the person typed it."""
    return argparse.ArgumentParser(prog=os.environ.get("TREATY_COMMAND", f"scripts/{name}"), add_help=False)
