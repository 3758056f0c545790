"""The frame of every stage: its parameters, its errors, its end.

A stage is a function of the settings, and `run` calls it as a program. A mistake that a person can
mend ends in one sentence and exit code 1, an interruption in one line. A stage ends with the
process that started it, so that no forgotten stage writes into the outputs of the next run.
"""

import io
import os
import signal
import sys
import threading
from collections.abc import Callable

from stages import SAME_BYTES
from stages.errors import UserError
from stages.files import settings
from stages.run import gate, repository
from stages.run.lifetime import end_children, end_with_parent
from stages.run.terminal import last_words, say

INTERRUPTED = 130  # the exit code that shells give for Ctrl-C


def run(stage: Callable[[settings.Settings], None]) -> None:
    """Run a stage as a program, and exit.

    Parameters
    ----------
    stage
        Reads its inputs, computes, writes its outputs.
    """

    def warn_and_run(params: settings.Settings) -> None:
        gate.check_experiment()
        for sentence in repository.not_in_git():
            say(f"{sentence}.")
        stage(params)

    end_with_parent()
    run_tool(warn_and_run, _leave_at_interrupt)


def run_tool(
    tool: Callable[[settings.Settings], None], begin: Callable[[], None] = lambda: None
) -> None:
    """Run a program that starts programs itself: after Ctrl-C it waits for their end."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # for letters that the terminal lacks
    try:
        begin()
        params = settings.load()
        if not SAME_BYTES:
            say("This machine is not x86-64 Linux with AVX2, FMA and glibc:")
            say("expect metrics close to the committed ones, not the same bytes.")
        tool(params)
    except UserError as error:
        sys.exit(str(error))
    except (MemoryError, RuntimeError) as error:
        # Where there is no room for a thread's stack, Python says this.
        if isinstance(error, RuntimeError) and "start new thread" not in str(error):
            raise
        sys.exit(f"Out of memory ({error}): lower the sample counts in {settings.PARAMS}.")
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or error
        sys.exit(f"A file could not be read or written: {what}.")
    except KeyboardInterrupt:
        last_words("Interrupted.")
        sys.exit(INTERRUPTED)


def _leave_at_interrupt() -> None:
    """Have a thread wait for Ctrl-C, and end the process at once.

    Python itself would wait until the main thread leaves a fit's compiled code, and raise an error
    wherever it is then. The next run does again what is half done.
    """
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, _leave)
    else:
        # Blocked in this thread, and so in the threads and processes that it starts.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        threading.Thread(
            target=lambda: _leave(signal.sigwait([signal.SIGINT])), daemon=True
        ).start()


def _leave(*_: object) -> None:
    last_words("Interrupted: `dvc repro` will run this stage again.")
    end_children()
    os._exit(INTERRUPTED)
