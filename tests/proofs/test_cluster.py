"""A Dask cluster of several machines: the same bytes, whatever happens to its members."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import stages
from tests.conftest import ROOT, clean_environment, copy_of_project, forget_results, results
from tests.processes import ENOUGH, blocks_interrupts, members, stage_in, wait_until
from tests.proofs.conftest import tool
from tests.test_readme import commands
from tools.shared.params import set_params

# Without networks of their own, machines share one, and its ports.
pytestmark = pytest.mark.xdist_group("cluster")

STARTS = 60.0  # seconds in which a scheduler or a worker surely starts
INTERRUPTED = 2.0  # seconds after Ctrl-C in which everything is over
SUBNET = "10.76.0"
WORKER = "python -m tools.worker tcp://HOST:8786"
PAGE = "docs/many-machines.md"

# Fits networks on a cluster, or without one here, and prints what comes, as it comes.
FIT = """
import hashlib, sys, stages
from sklearn.neural_network import MLPClassifier
from stages.learn import images
from stages.errors import UserError
from stages.files import garments

drawn, labels = garments.draw(300, 5)
pixels = images.scaled(drawn)
tasks = [(pixels, (labels + i) % 10) for i in range(int(sys.argv[1]))]
fit = MLPClassifier((60,), solver="sgd", max_iter=20, tol=0, random_state=0).fit
try:
    if len(sys.argv) == 3:
        from stages.run import dask_cluster
        fitted = dask_cluster.calls(sys.argv[2], fit, tasks)
    else:
        fitted = ((i, fit(*task)) for i, task in enumerate(tasks))
    for i, model in fitted:
        print(i, hashlib.sha256(model.coefs_[0].tobytes()).hexdigest(), flush=True)
except UserError as error:
    sys.exit(str(error))
"""
FITS = 16

# Has workers do nothing for a second, many times.
WAIT = """
import os, sys, stages, time
from stages.run import dask_cluster
from stages.errors import UserError

dask_cluster.LOOK_AGAIN = 3
try:
    for i, _ in dask_cluster.calls(sys.argv[2], time.sleep, [(1,)] * int(sys.argv[1])):
        print(i, flush=True)
except UserError as error:
    sys.exit(str(error))
"""


# Has the same array looked at many times.
LOOK = """
import sys, stages
import numpy as np
from stages.run import dask_cluster

array = np.random.default_rng(0).random((1500, 1500))
for _, median in dask_cluster.calls(sys.argv[2], np.median, [(array,)] * int(sys.argv[1])):
    assert median == np.median(array)
print(array.nbytes)
"""


class Machine(NamedTuple):
    """A machine of a network, or what stands for it.

    Attributes
    ----------
    address : str
    prefix : list of str
        What is written before a command that is to run there.
    """

    address: str
    prefix: list[str]

    def run(self, *command: str) -> str:
        command = (*self.prefix, *command)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def received(self) -> int:
        """Bytes that its network has brought."""
        (shown,) = json.loads(self.run("ip", "-json", "-statistics", "link", "show", "eth"))
        return shown["stats64"]["rx"]["bytes"]


@pytest.fixture
def machines() -> Iterator[list[Machine]]:
    """Three machines in one network; where none may be made, this one thrice."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "unshare"))):
        yield [Machine("127.0.0.1", [])] * 3
        return
    # Each keeps a network as long as its input is open, so at most as long as this process lives.
    holders = [
        subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) for _ in range(3)
    ]
    networks = [Path(f"/proc/{holder.pid}/ns/net") for holder in holders]
    ours = Path("/proc/self/ns/net").readlink()
    wait_until(lambda: all(network.readlink() != ours for network in networks))
    made = [
        Machine(f"{SUBNET}.{i}", ["nsenter", f"--net={network}"])
        for i, network in enumerate(networks, 1)
    ]
    made[0].run("ip", "link", "add", "eth", "type", "bridge")
    for i in (1, 2):
        ends = ["type", "veth", "peer", "name", "eth", "netns", str(holders[i].pid)]
        made[0].run("ip", "link", "add", f"to{i}", *ends)
        made[0].run("ip", "link", "set", f"to{i}", "master", "eth", "up")
    for machine in made:
        machine.run("ip", "address", "add", f"{machine.address}/24", "dev", "eth")
        machine.run("ip", "link", "set", "lo", "up")
        machine.run("ip", "link", "set", "eth", "up")
    yield made
    for holder in holders:
        holder.kill()
        holder.communicate()


class Started(NamedTuple):
    """A command that was started, in a session of its own.

    Attributes
    ----------
    process : Popen
    log : Path
        What it says.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def says(self, what: str, times: int = 1) -> bool:
        """Whether it has said something, so many times."""
        return self.log.read_text().count(what) >= times

    def wait(self, seconds: float = ENOUGH) -> str:
        """Wait for its end; return all it said."""
        self.process.wait(seconds)
        return self.log.read_text()

    def workers(self) -> list[int]:
        """Numbers of the processes that are Dask's workers."""
        of_worker = b"from multiprocessing.spawn import spawn_main"
        return [
            int(folder.name)
            for folder in members(self.process.pid)
            if of_worker in (folder / "cmdline").read_bytes()
        ]

    def end(self) -> None:
        """End what is left of it."""
        for folder in members(self.process.pid):
            os.kill(int(folder.name), signal.SIGKILL)
        self.process.wait()


def registers(worker: Started) -> None:
    """Wait until a scheduler knows of a worker."""
    wait_until(lambda: worker.says("Registered to:"), STARTS)


class Cluster:
    """Machines, of which the first has the scheduler, and what is started on them.

    Attributes
    ----------
    head : Machine
    others : list of Machine
    clone : Path
        The project, without any data.
    """

    def __init__(self, machines: list[Machine], folder: Path) -> None:
        self.head, *self.others = machines
        self.folder = folder
        self.started: list[Started] = []
        self.clone = folder / "clone"
        self.clone.mkdir()
        copy_of_project(self.clone)

    def start(
        self, machine: Machine, command: list[str] | str, folder: Path, **environment: str
    ) -> Started:
        """Start a command, or a line for a shell in which HOST stands for the first machine."""
        if isinstance(command, str):
            command = ["sh", "-c", command.replace("HOST", self.head.address)]
        log = self.folder / f"log{len(self.started)}"
        ends_with_this = [tool("setpriv"), "--pdeathsig", "KILL"]
        with log.open("w") as out:
            process = subprocess.Popen(
                [*machine.prefix, *ends_with_this, *command],
                cwd=folder,
                env=clean_environment(FIT_PROCESSES="1", TMPDIR=str(self.folder), **environment),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.started.append(Started(process, log))
        return self.started[-1]

    def scheduler(self, command: str = "dask scheduler") -> Started:
        """Start a scheduler."""
        started = self.start(self.head, f"exec {command}", self.folder)
        wait_until(lambda: started.says("Scheduler at:"), STARTS)
        return started

    def workers(self, command: str = WORKER) -> list[Started]:
        """Start a worker on each of the other machines."""
        workers = [self.start(m, f"exec {command}", self.clone) for m in self.others]
        for worker in workers:
            registers(worker)
        return workers

    def call(self, code: str, calls: int, **environment: str) -> Started:
        """Start a program that has so many calls run on the cluster."""
        command = [sys.executable, "-c", code, str(calls), f"tcp://{self.head.address}:8786"]
        return self.start(self.head, command, self.clone, **environment)

    def under_way(self, code: str, calls: int, done: int = 1) -> Started:
        """Start such a program, and wait until some of its calls are done, and not all."""
        started = self.call(code, calls)
        wait_until(lambda: started.says("\n", done), STARTS)
        assert started.process.poll() is None, started.log.read_text()
        return started

    def close(self) -> None:
        """End all that was started."""
        for started in reversed(self.started):
            started.end()


@pytest.fixture
def cluster(machines: list[Machine], tmp_path: Path) -> Iterator[Cluster]:
    """Three machines on which nothing runs yet."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    made = Cluster(machines, folder)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def two_workers(cluster: Cluster) -> list[Started]:
    """A scheduler, and a worker on each of two other machines."""
    cluster.scheduler()
    return cluster.workers()


@pytest.fixture(scope="module")
def fitted_here() -> list[str]:
    """What FIT prints without a cluster."""
    done = subprocess.run(
        [sys.executable, "-c", FIT, str(FITS)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.figure("variations held")
def test_every_byte_is_the_same_on_a_cluster_that_the_page_starts(
    cluster: Cluster, project: Path
) -> None:
    before = results(project)
    ((scheduler, worker, repro),) = commands(PAGE, "Fits on other machines")
    cluster.scheduler(scheduler)
    cluster.workers(worker)
    forget_results(project)
    done = cluster.start(cluster.head, repro, project)
    shown = done.wait(5 * ENOUGH)
    assert done.process.returncode == 0, shown
    assert results(project) == before
    if cluster.head.prefix:
        assert all(machine.received() > 100_000 for machine in cluster.others)


@pytest.mark.usefixtures("two_workers")
@pytest.mark.figure("variations held")
@pytest.mark.parametrize("first", ["here", "on the cluster"])
def test_what_was_fitted_in_one_place_is_known_in_the_other(
    first: str, cluster: Cluster, project: Path
) -> None:
    before = results(project)
    address = {"DASK_SCHEDULER_ADDRESS": f"tcp://{cluster.head.address}:8786"}
    places = [{}, address] if first == "here" else [address, {}]
    for place, known in zip(places, (0, 6), strict=True):
        command = ["dvc", "repro", "--force", "--no-run-cache"]
        done = cluster.start(cluster.head, command, project, FIT_RECORD="", **place)
        shown = done.wait(5 * ENOUGH)
        assert done.process.returncode == 0, shown
        assert shown.count("none to do (FIT_RECORD=off") == known
        assert results(project) == before


@pytest.mark.figure("kills survived")
def test_a_killed_worker_costs_time_and_not_the_result(
    cluster: Cluster, two_workers: list[Started], fitted_here: list[str]
) -> None:
    fits = cluster.under_way(FIT, FITS, done=2)
    for started in two_workers:
        (worker,) = started.workers()
        os.kill(worker, signal.SIGKILL)
    assert sorted(fits.wait().splitlines()) == sorted(fitted_here)
    assert fits.process.returncode == 0


@pytest.mark.figure("kills survived")
def test_a_machine_that_is_gone_for_good_costs_time_and_not_the_result(
    cluster: Cluster, two_workers: list[Started], fitted_here: list[str]
) -> None:
    fits = cluster.under_way(FIT, FITS, done=2)
    two_workers[0].end()
    assert sorted(fits.wait().splitlines()) == sorted(fitted_here)
    assert fits.process.returncode == 0


def test_an_array_is_sent_to_a_machine_once_and_not_with_each_call(
    cluster: Cluster, two_workers: list[Started]
) -> None:
    if not cluster.head.prefix:
        pytest.skip("one network for all: nothing can be told from what it brings")
    assert len(two_workers) == 2
    before = [machine.received() for machine in cluster.others]
    looked = cluster.call(LOOK, 40)
    size = int(looked.wait())
    for machine, earlier in zip(cluster.others, before, strict=True):
        assert size < machine.received() - earlier < 1.1 * size


def assert_ends_in_a_sentence(started: Started, *said: str) -> None:
    shown = started.wait()
    assert started.process.returncode == 1, shown
    (sentence,) = [line for line in shown.splitlines() if not line.isdecimal()]
    for words in said:
        assert words in sentence


@pytest.mark.usefixtures("two_workers")
@pytest.mark.parametrize("late", [False, True], ids=["from the start", "later"])
@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ("code", ["(code in stages/: ", " there, "]),
        ("package", ["(joblib: 0.0.1 there, "]),
        ("arithmetic", ["NumPy was loaded before `stages`"]),
        ("no project", ["No module named 'stages'"]),
    ],
)
def test_a_worker_that_computes_with_something_else_is_refused(
    differs: str, said: list[str], late: bool, cluster: Cluster, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(cluster.clone, other)
    command, environment = WORKER, {}
    plain = "dask worker tcp://HOST:8786 --nthreads 1"
    if differs == "code":
        with (other / "stages/kmeans.py").open("a") as code:
            code.write("# another commit's\n")
    elif differs == "package":
        metadata = other / "joblib-0.0.1.dist-info/METADATA"
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.1\nName: joblib\nVersion: 0.0.1\n")
        # `tools.worker` itself would not start there.
        command, environment = plain, {"PYTHONPATH": str(other), **stages.CONTRACT}
    elif differs == "arithmetic":
        command = f"{plain} --preload numpy"
        environment = {"PYTHONPATH": str(other), "OPENBLAS_CORETYPE": "Sandybridge"}
    else:
        command = plain
    if late:
        waiting = cluster.under_way(WAIT, 300)
    worker = cluster.start(cluster.others[0], f"exec {command}", other, **environment)
    registers(worker)
    if not late:
        waiting = cluster.call(WAIT, 1)
    assert_ends_in_a_sentence(waiting, "The Dask worker tcp://", "is refused", *said)
    refused = waiting.log.read_text().partition("The Dask worker ")[2].split()[0]
    assert worker.says(refused)


def test_without_workers_a_sentence_says_how_to_start_some(cluster: Cluster) -> None:
    cluster.scheduler()
    assert_ends_in_a_sentence(
        cluster.call(WAIT, 1), "has no workers", f"tools.worker tcp://{cluster.head.address}:8786"
    )


def test_when_all_workers_are_gone_for_good_a_sentence_says_so(
    cluster: Cluster, two_workers: list[Started]
) -> None:
    waiting = cluster.under_way(WAIT, 100)
    for worker in two_workers:
        worker.end()
    assert_ends_in_a_sentence(waiting, "has no workers")


@pytest.mark.usefixtures("two_workers")
def test_a_fit_that_ends_every_worker_it_is_given_to_ends_in_a_sentence(cluster: Cluster) -> None:
    ending = WAIT.replace("time.sleep", "os._exit")
    assert_ends_in_a_sentence(
        cluster.call(ending, 1), "ended during one fit, most likely because memory ran out"
    )


def test_when_the_scheduler_is_gone_a_sentence_says_so_and_workers_end(cluster: Cluster) -> None:
    scheduler = cluster.scheduler()
    workers = cluster.workers()
    waiting = cluster.under_way(WAIT, 100)
    scheduler.end()
    assert_ends_in_a_sentence(waiting, "was lost")
    wait_until(lambda: not any(members(worker.process.pid) for worker in workers))


@pytest.mark.usefixtures("two_workers")
def test_what_an_ended_stage_had_asked_for_is_dropped(cluster: Cluster) -> None:
    waiting = cluster.under_way(WAIT, 300)
    waiting.end()
    begun = time.monotonic()
    assert cluster.call(WAIT, 2).wait().split() in (["0", "1"], ["1", "0"])
    assert time.monotonic() < begun + 30  # of 150


@pytest.mark.usefixtures("two_workers")
@pytest.mark.figure("interruptions survived")
def test_ctrl_c_ends_a_stage_that_fits_on_a_cluster_in_two_seconds_and_one_line(
    cluster: Cluster, project: Path
) -> None:
    set_params(project / "params.yaml", {"kmeans.n_init": 1000, "kmeans.k": [*range(50, 150)]})
    stage = cluster.start(
        cluster.head,
        "DASK_SCHEDULER_ADDRESS=tcp://HOST:8786 exec python -m stages.kmeans",
        project,
    )
    wait_until(lambda: blocks_interrupts(stage_in(stage.process.pid, "kmeans") or 0))
    time.sleep(3)  # in which it has found the scheduler
    assert stage.process.poll() is None, stage.log.read_text()
    os.killpg(stage.process.pid, signal.SIGINT)
    wait_until(lambda: not members(stage.process.pid), INTERRUPTED)
    assert stage.wait() == "Interrupted: `dvc repro` will run this stage again.\n"


def certificates(folder: Path) -> None:
    """Make an authority, a certificate by it, and one by nobody."""
    new = [tool("openssl"), "req", "-newkey", "rsa:2048", "-nodes", "-subj"]
    authority = ["-CA", "ca.pem", "-CAkey", "ca.key"]
    for command in (
        [*new, "/CN=authority", "-x509", "-keyout", "ca.key", "-out", "ca.pem"],
        [*new, "/CN=stranger", "-x509", "-keyout", "stranger.key", "-out", "stranger.pem"],
        [*new, "/CN=member", "-keyout", "key.pem", "-out", "request.pem"],
        ["openssl", "x509", "-req", "-in", "request.pem", *authority, "-out", "cert.pem"],
    ):
        subprocess.run(command, cwd=folder, capture_output=True, check=True)


@pytest.mark.figure("variations held")
def test_every_byte_is_the_same_behind_tls_and_strangers_are_refused(
    cluster: Cluster, project: Path
) -> None:
    before = results(project)
    ((scheduler, worker, *exports, repro),) = commands(PAGE, "Behind TLS")
    certificates(cluster.folder)
    for name in ("ca.pem", "cert.pem", "key.pem", "stranger.pem", "stranger.key"):
        for folder in (cluster.clone, project):
            shutil.copy(cluster.folder / name, folder)
    cluster.scheduler(scheduler)
    cluster.workers(worker)
    as_written = "\n".join([*exports, repro])
    forget_results(project)
    for line in (
        repro,
        repro.replace("tls:", "tcp:"),
        as_written.replace("cert.pem", "stranger.pem").replace("key.pem", "stranger.key"),
    ):
        refused = cluster.start(cluster.head, line, project)
        assert "no Dask scheduler answers there" in refused.wait(2 * ENOUGH)
        assert "Traceback" not in refused.log.read_text()
    done = cluster.start(cluster.head, as_written, project)
    shown = done.wait(5 * ENOUGH)
    assert done.process.returncode == 0, shown
    assert results(project) == before
