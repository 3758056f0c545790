"""A machine that fits for others: workers of a Dask cluster, one for each core.

    python -m tools.worker tcp://HOST:8786    # where `dask scheduler` runs

Takes the options of `dask worker` too, as --tls-cert. The workers compute under the arithmetic
contract, need no data, and end with their scheduler.
"""

import importlib
import pkgutil
import sys

from stages import learn
from stages.errors import UserError
from stages.run import concurrency

try:
    from stages.run import dask_cluster  # noqa: F401
except UserError as error:
    sys.exit(str(error))

from distributed.cli.dask_worker import main as dask_worker

# Load the code as it is now: a file that changes later must not reach this worker.
for module in pkgutil.iter_modules(learn.__path__, f"{learn.__name__}."):
    importlib.import_module(module.name)


def main(arguments: list[str]) -> None:
    """Run workers until they or their scheduler are told to end.

    Parameters
    ----------
    arguments
        Address of a scheduler, and options of `dask worker`.
    """
    try:
        processes = concurrency.at_once()
    except UserError as error:
        sys.exit(str(error))
    if not arguments:
        sys.exit("python -m tools.worker: say where the scheduler is, as in tcp://HOST:8786.")
    # One fit at a time to a process. With a limit of memory Dask would write data to disk.
    options = ["--nworkers", str(processes), "--nthreads", "1", "--memory-limit", "0"]
    dask_worker([*options, "--no-dashboard", *arguments], prog_name="python -m tools.worker")


if __name__ == "__main__":
    main(sys.argv[1:])
