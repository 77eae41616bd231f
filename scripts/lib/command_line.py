"""The command lines of the scripts. Their help is the comment at the top of each script, so that it needs no .venv."""

import argparse
import os


def parser_of(name: str) -> argparse.ArgumentParser:
    """Returns a parser whose errors name the command as the person typed it."""
    return argparse.ArgumentParser(prog=os.environ.get("TREATY_COMMAND", f"scripts/{name}"), add_help=False)
