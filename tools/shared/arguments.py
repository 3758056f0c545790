"""Command-line parser that reports an error in one sentence, as the stages do."""

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Parser that reports an error in one sentence and exits with code 1."""

    def error(self, message: str) -> NoReturn:
        """Exit with the message on standard error."""
        raise SystemExit(f"{self.prog}: {message}")
