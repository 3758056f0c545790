"""Run workers of a Dask cluster on this machine, one for each core.

    python -m tools.worker tcp://HOST:8786    # address of the machine that runs `dask scheduler`

The command also takes the options of `dask worker`, for example --tls-cert. The workers compute
under the arithmetic contract (`stages/__init__.py`), need no data, and end with their scheduler.
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

# Import all code now, so that a file that changes later does not reach this worker.
for module in pkgutil.iter_modules(learn.__path__, f"{learn.__name__}."):
    importlib.import_module(module.name)


def main(arguments: list[str]) -> None:
    """Run workers until they or their scheduler end.

    Parameters
    ----------
    arguments
        Address of the scheduler, and options of `dask worker`.
    """
    try:
        processes = concurrency.at_once()
    except UserError as error:
        sys.exit(str(error))
    if not arguments:
        sys.exit(
            "python -m tools.worker: name the scheduler's address, for example tcp://HOST:8786."
        )
    # Each process runs one fit at a time. With a memory limit, Dask would write data to disk.
    options = ["--nworkers", str(processes), "--nthreads", "1", "--memory-limit", "0"]
    dask_worker([*options, "--no-dashboard", *arguments], prog_name="python -m tools.worker")


if __name__ == "__main__":
    main(sys.argv[1:])
