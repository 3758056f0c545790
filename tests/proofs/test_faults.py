"""A disk that is full, a folder that is read-only, memory that ends: a sentence, and a rerun."""

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import clean_environment, results, run_in
from tests.processes import ENOUGH, blocks_interrupts, fitting, wait_until
from tests.proofs.conftest import tool
from tests.proofs.kills import MADE, assert_recovers, files, running
from tools.shared.params import set_params

LARGE = {"kmeans.samples": 3000, "mlp.samples": 3000, "svm.samples": 3000}
ROOM = 2**23  # bytes: more than a stage needs to say what is wrong, less than its images need


@pytest.fixture
def mounts() -> list[str]:
    """A command that gives a shell mounts of its own."""
    command = [tool("unshare"), "--mount", tool("sh"), "-ec"]
    if subprocess.run([*command, "mount -t tmpfs tmpfs /mnt"], check=False).returncode:
        pytest.skip("only root may mount here")
    return command


def faulty(mounts: list[str], project: Path, stage: str, fault: str, mend: str) -> str:
    """Run a stage with a fault, and then, when it is mended, the pipeline; return what was shown.

    Both in one shell, for what it mounts is seen by no other process.
    """
    for made in MADE[stage]:  # as DVC does, which then has nothing to remove from a faulty folder
        path = project / made
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(project / "data/incoming", ignore_errors=True)
    script = f"""
        {fault}
        dvc repro --force --no-run-cache --single-item {stage} || echo failed with $?
        {mend}
        dvc repro > repaired 2>&1 || {{ cat repaired; exit 8; }}
        rm repaired
    """
    (project.parent / "temporary").mkdir()
    done = subprocess.run(
        [*mounts, script],
        cwd=project,
        env=clean_environment(FIT_PROCESSES="2", TMPDIR=str(project.parent / "temporary")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def assert_one_sentence(shown: str, sentence: str) -> None:
    assert "failed with 255" in shown, shown
    assert shown.count(sentence) == 1, shown
    assert "Traceback" not in shown


def full(folder: str) -> tuple[str, str]:
    """Shell commands that put a folder on a full disk, and that make room there."""
    return (
        f"mkdir -p {folder} ../kept; cp -a {folder}/. ../kept; "
        f"mount -t tmpfs -o size=32m tmpfs {folder}; cp -a ../kept/. {folder}; "
        f"cat /dev/zero > {folder}/full 2> ../no-space || true",
        f"rm {folder}/full; cp -a {folder}/. ../kept; umount {folder}; cp -a ../kept/. {folder}",
    )


def read_only(folder: str) -> tuple[str, str]:
    """Shell commands that make a folder read-only, for root too, and that undo it."""
    return (
        f"mkdir -p {folder}; mount --bind {folder} {folder}; "
        f"mount -o remount,ro,bind {folder} {folder}",
        f"umount {folder}",
    )


@pytest.mark.figure("faults survived")
@pytest.mark.parametrize(
    ("stage", "folder"),
    [
        ("fetch", "data/incoming"),
        ("prepare", "plots"),
        ("mlp_search", "models"),
        ("svm_eval", "metrics"),
        ("kmeans", "plots"),
        ("compare", "metrics"),
    ],
)
@pytest.mark.parametrize(
    ("fault", "said"),
    [(full, errno.ENOSPC), (read_only, errno.EROFS)],
    ids=["full", "read_only"],
)
def test_a_disk_that_is_full_or_read_only_is_a_sentence_and_with_room_the_next_run_makes_the_same(
    fault: type, said: int, stage: str, folder: str, project: Path, mounts: list[str]
) -> None:
    before, listing = results(project), files(project)
    shown = faulty(mounts, project, stage, *fault(folder))
    assert_one_sentence(shown, f"{os.strerror(said)}.")
    assert_recovers(project, before, listing)


@pytest.mark.figure("faults survived")
def test_no_room_for_temporary_files_is_a_sentence_and_with_room_the_next_run_makes_the_same(
    project: Path, mounts: list[str]
) -> None:
    before, listing = results(project), files(project)
    shown = faulty(
        mounts,
        project,
        "mlp_search",
        # Room for what DVC writes, but not for images.
        "mount -t tmpfs -o size=600k tmpfs ../temporary; mount -t tmpfs -o size=64k tmpfs /dev/shm",
        "umount ../temporary /dev/shm",
    )
    assert_one_sentence(shown, "or /dev/shm is full. Free some space")
    assert_recovers(project, before, listing)


@pytest.mark.figure("faults survived")
@pytest.mark.parametrize("stage", ["prepare", "svm_eval"])
def test_after_a_disk_was_full_when_dvc_kept_what_a_stage_made_the_next_run_makes_the_same(
    stage: str, project: Path, mounts: list[str]
) -> None:
    before, listing = results(project), files(project)
    faulty(
        mounts,
        project,
        stage,
        "mount -t tmpfs -o size=16k tmpfs .dvc/cache; "
        "cat /dev/zero > .dvc/cache/full 2> ../no-space || true",
        "umount .dvc/cache",
    )
    assert_recovers(project, before, listing)


@pytest.mark.figure("faults survived")
@pytest.mark.parametrize(
    ("stage", "whose"),
    [
        ("mlp_search", "the stage's"),
        ("mlp_search", "a fit's"),
        ("svm_eval", "the stage's"),
        ("kmeans", "the stage's"),
    ],
)
def test_when_memory_ends_it_is_a_sentence_and_with_more_the_next_run_makes_the_same(
    stage: str, whose: str, project: Path
) -> None:
    before, listing = results(project), files(project)
    set_params(project / "params.yaml", LARGE)
    with running(project, stage) as run:
        if whose == "the stage's":
            wait_until(lambda: blocks_interrupts(run.stage), ENOUGH)
            limit(run.stage)
        else:
            wait_until(lambda: bool(fitting(run.dvc.pid)), ENOUGH)
            for folder in fitting(run.dvc.pid):
                limit(int(folder.name))
        wait_until(lambda: run.dvc.poll() is not None, 2 * ENOUGH)
    shown = run.shown.read_text()
    assert run.dvc.returncode == 255, shown
    # Refused, if the stage had not yet asked how much there is; else it is told when there is none.
    # OpenBLAS ends a process by itself that has no room for its buffers.
    sentences = [
        "GB are free here;",
        "lower the sample counts in params.yaml",
        "OpenBLAS error: Memory allocation still failed",
    ]
    assert sum(map(shown.count, sentences)) == 1, shown
    # Where a fit has no memory left to report that, joblib prints what it wanted to report.
    assert whose == "a fit's" or "Traceback" not in shown, shown
    run_in(project)("git", "restore", "params.yaml")
    assert_recovers(project, before, listing)


def limit(process: int) -> None:
    """Give a running process hardly more memory than it has."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ROOM
    resource.prlimit(process, resource.RLIMIT_AS, (most, most))


def test_a_second_dvc_repro_is_told_to_wait_and_the_first_is_unharmed(project: Path) -> None:
    before, listing = results(project), files(project)
    with running(project, "mlp_search") as run:
        wait_until(lambda: bool(fitting(run.dvc.pid)), ENOUGH)
        os.kill(run.stage, signal.SIGSTOP)  # so that it is not over too soon
        second = run_in(project)("dvc", "repro", succeeds=False)
        os.kill(run.stage, signal.SIGCONT)
        assert second.returncode == 255
        # In DVC's words: who is in the way.
        assert re.search(rf"\b{run.dvc.pid}\b", second.stderr)
        assert run.dvc.wait(ENOUGH) == 0, run.shown.read_text()
    assert results(project) == before
    assert_recovers(project, before, listing)
