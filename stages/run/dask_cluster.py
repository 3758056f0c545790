"""Fits on other machines: the workers of a Dask cluster.

Dask pickles tasks and results, and whoever reaches its scheduler can run code on all of its
machines: a cluster belongs in a network of trusted people, or behind TLS. Workers come and go, so
the arithmetic of each worker is compared with this machine's before the first fit, and again with
each fit.
"""

import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from stages.errors import UserError
from stages.run import arithmetic, memory

try:
    import distributed
    from distributed.comm import CommClosedError
    from distributed.protocol import deserialize_bytes, serialize_bytes
except ImportError:
    raise UserError(
        "Dask is not installed: `python -m pip install "
        "--require-hashes -r requirements/dask.txt`, or unset DASK_SCHEDULER_ADDRESS."
    ) from None

CONNECTING = 10.0  # seconds in which a scheduler must answer, and must have a worker
LOOK_AGAIN = 30.0  # seconds without a result, after which it must still have a worker
LARGE = 100_000  # bytes of an array that is sent to a worker once, and not with each call


def hash_of_code(folder: Path) -> str:
    """Hash of all Python files in a folder and in the folders below it."""
    files = sorted(folder.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


CODE = hash_of_code(Path(__file__).parents[1])  # when this process loaded it


@cache
def described() -> dict[str, str]:
    """Describe this process, as one of a cluster: its code, and what it computes with."""
    return {
        "code in stages/": CODE,
        **arithmetic.description(),
        "distributed": metadata.version("distributed"),
    }


def refuse(worker: str, theirs: dict[str, str], ours: dict[str, str]) -> None:
    """Raise an error if a worker's arithmetic differs from this machine's.

    Parameters
    ----------
    worker
        Its address.
    theirs, ours
        From `described`.

    Raises
    ------
    UserError
        If there is a difference; says which.
    """
    for name in ours:
        if theirs.get(name) != ours[name]:
            raise _refusal(worker, f"{name}: {theirs.get(name)} there, {ours[name]} here")


def _refusal(worker: str, why: str) -> UserError:
    """The error that refuses a worker."""
    return UserError(
        f"The Dask worker {worker} is refused ({why}): start it again with `python -m "
        "tools.worker`, from the same commit and with the same requirements."
    )


def calls(
    address: str, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    """Call a function on the workers of a cluster, once for each tuple of arguments.

    Parameters
    ----------
    address
        Of the scheduler, as tcp://host:8786.
    function
        Of a module in `stages`.
    arguments
        The first is called first. A large array that is an element of many of them is sent to a
        worker once.

    Yields
    ------
    int, Any
        Number of a call and what it returned, as they come.

    Raises
    ------
    UserError
        If there is no scheduler, no worker, a worker that computes with something else, or one
        call after another ends its worker.
    """
    with _connected(address) as client:
        try:
            _compare(client)
            yield from _results(client, function, arguments)
        except distributed.KilledWorker:
            raise UserError(
                f"Several workers of the Dask cluster at {address} ended during one fit, most "
                "likely because memory ran out: lower the sample counts in params.yaml."
            ) from None
        except (distributed.CancelledError, CommClosedError):
            raise UserError(
                f"The Dask scheduler at {address} was lost: start it and its workers again, then "
                "`dvc repro`."
            ) from None
        except UserError:
            raise
        except Exception:
            # A worker that joined later may have other code or packages.
            _compare(client)
            raise


@contextmanager
def _connected(address: str) -> Iterator[distributed.Client]:
    # Errors end in a sentence of ours; Dask need not report what mends itself.
    logging.disable()
    warnings.filterwarnings("ignore", module="distributed")
    try:
        client = distributed.Client(address, timeout=CONNECTING)
    except Exception as error:
        logging.disable(logging.NOTSET)
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"DASK_SCHEDULER_ADDRESS is {address!r}, but no Dask scheduler answers there "
            f"({why}): start one, or unset it to fit on this machine."
        ) from None
    try:
        yield client
    finally:
        client.close()
        logging.disable(logging.NOTSET)


def _compare(client: distributed.Client) -> None:
    """Raise an error if the arithmetic of a worker of the cluster differs."""
    _wait_for_a_worker(client)
    for worker, theirs in client.run(described, on_error="return").items():
        if isinstance(theirs, OSError):
            continue  # it is ending, or `_call` will compare it
        if isinstance(theirs, Exception):
            raise _refusal(worker, str(theirs))
        refuse(worker, theirs, described())


def _wait_for_a_worker(client: distributed.Client) -> None:
    try:
        client.wait_for_workers(1, CONNECTING)
    except TimeoutError:
        address = client.scheduler.address
        raise UserError(
            f"The Dask scheduler at {address} has no workers: start some, on this machine or "
            f"others, with `python -m tools.worker {address}`."
        ) from None


def _results(
    client: distributed.Client,
    function: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
) -> Iterator[tuple[int, Any]]:
    sent: dict[int, distributed.Future] = {}
    waiting = {}
    for i, values in enumerate(arguments):
        places = [place for place, value in enumerate(values) if _is_large(value)]
        for array in (values[place] for place in places):
            if id(array) not in sent:
                # If its worker is gone, Dask makes the result of a task again. It cannot do so with
                # data that was only put there (its scatter).
                sent[id(array)] = client.submit(
                    deserialize_bytes, serialize_bytes(array), pure=False
                )
        small = [None if place in places else value for place, value in enumerate(values)]
        # Dask sends a lambda whole. It would send another function as the name of a module, which
        # the scheduler would have to load: only workers need the project.
        task = client.submit(
            lambda call, *arrays: deserialize_bytes(call)(*arrays),
            serialize_bytes(partial(_call, described(), function, small, places)),
            *(sent[id(values[place])] for place in places),
            key=(client.id, i),
            priority=-i,
        )
        waiting[task] = i
    while waiting:
        try:
            task = distributed.wait(list(waiting), LOOK_AGAIN, "FIRST_COMPLETED").done.pop()
            result = task.result(LOOK_AGAIN)
        except TimeoutError:
            _wait_for_a_worker(client)
        else:
            yield waiting.pop(task), result


def _is_large(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.nbytes > LARGE


def _call(
    ours: dict[str, str],
    function: Callable[..., Any],
    values: list[Any],
    places: list[int],
    *arrays: Any,
) -> Any:
    """Call the function on a worker, if its arithmetic is that of the machine that asks."""
    refuse(distributed.get_worker().address, described(), ours)
    for place, array in zip(places, arrays, strict=True):
        values[place] = array
    result = function(*values)
    memory.give_back()  # the worker goes on, with another call or none
    return result
