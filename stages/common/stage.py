"""What is around every stage: its parameters, its errors, its end.

A stage is a function of the settings; `run` calls it as a program. A mistake that a person can
mend ends in one sentence and exit code 1, an interruption in one line, and the stage dies with
the process that started it, so that no forgotten one writes into the outputs of the next.
"""

import io
import signal
import sys
import threading
from collections.abc import Callable

from stages import SAME_BYTES
from stages.common import settings
from stages.common.errors import UserError
from stages.common.lifetime import end_with_parent
from stages.common.terminal import say


class Interrupted(BaseException):
    """Ctrl-C. Not a KeyboardInterrupt, which MLPClassifier takes for an early end of a fit."""


def run(stage: Callable[[settings.Settings], None]) -> None:
    """Run a stage as a program, and exit.

    Parameters
    ----------
    stage : function of Settings
        Reads its inputs, computes, writes its outputs.
    """
    signal.signal(signal.SIGINT, _interrupt)
    end_with_parent()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # letters of a label that a terminal lacks
    try:
        params = settings.load()
        if not SAME_BYTES:
            say("This machine is not x86-64 Linux with AVX2, FMA and glibc:")
            say("expect metrics close to the committed ones, not the same bytes.")
        stage(params)
    except UserError as error:
        sys.exit(str(error))
    except MemoryError as error:
        sys.exit(f"Out of memory ({error}): lower the sample counts in {settings.PARAMS}.")
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        sys.exit(f"A file could not be read or written: {what}.")
    except Interrupted:
        sys.stderr.write("Interrupted: `dvc repro` will run this stage again.\n")
        sys.exit(130)


def _interrupt(*_: object) -> None:
    # This process is ending: the threads that feed its other processes have nothing to add.
    threading.excepthook = lambda _: None
    raise Interrupted
