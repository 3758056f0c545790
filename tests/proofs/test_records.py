"""With the record of fits every byte is what it is without, whatever became of the record."""

import json
import random
import shutil
import subprocess
import sys
import time
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages import SAME_BYTES
from stages.files import idx
from stages.learn import kernel_search, scores
from stages.run import records
from stages.run.records import Record
from tests.conftest import ROOT, Count, Run, clean_environment, results, run_in
from tests.processes import wait_until
from tests.proofs.conftest import STAGES
from tests.proofs.kills import running
from tests.proofs.test_verify import verdicts, verify
from tools.shared.params import set_params

pytestmark = pytest.mark.skipif(not SAME_BYTES, reason="the same bytes cannot be promised here")

CHANGES: dict[str, dict[str, Any]] = {
    "other kernels": {"svm.grid.rbf.C": [0.3, 1, 10], "svm.grid.linear.C": [1, 0.1]},
    "one architecture more": {"mlp.architectures": [[3], [5], [8, 4]]},
    "more draws": {"noise.repeats": 4},
    "other numbers of clusters": {"kmeans.k": [5, 3, 2], "kmeans.clusters": 3},
    "other images": {"kmeans.samples": 180, "svm.search_samples": 140},
}
FITTING = ("mlp_search", "svm_eval", "kmeans", "noise", "compare")
ORDERS = 10
SEED = 20
KILLS = 20

# Keeps results in a record without end, and says when it has begun.
WRITE = """
import sys, stages
from pathlib import Path
from stages.learn import scores
from stages.run.records import Record

record = Record("", Path(sys.argv[1]))
for i in range(10**9):
    record.keep(scores.error, (i,), list(range(i % 5000)))
    print(i, flush=True)
"""


def made(project: Path) -> dict[str, str]:
    """SHA-256 of every result, by path."""
    return {path: digest for path, digest in results(project).items() if path != "dvc.lock"}


@pytest.fixture(scope="session")
def without(reproduced: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Results of each change without a record."""
    project = tmp_path_factory.mktemp("without") / "project"
    shutil.copytree(reproduced, project, symlinks=True)
    found, run = {}, run_in(project)
    for change, values in CHANGES.items():
        run("git", "checkout", "--quiet", "--", "params.yaml")
        set_params(project / "params.yaml", values)
        run("dvc", "repro", "--no-run-cache")
        found[change] = made(project)
    assert len({*(json.dumps(of_change, sort_keys=True) for of_change in found.values())}) == len(
        CHANGES
    )
    assert not (project / records.FOLDER).exists()
    return found


@pytest.mark.figure("variations held")
@pytest.mark.parametrize("number", range(ORDERS))
def test_every_byte_of_changes_in_any_order_is_that_without_a_record(
    number: int, without: dict[str, Any], project: Path
) -> None:
    order = random.Random(SEED + number).sample([*CHANGES], len(CHANGES))
    known, run = 0, run_in(project)
    with subprocess.Popen(
        [sys.executable, "-c", STAGES, *FITTING],
        cwd=project,
        env=clean_environment(FIT_RECORD=""),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as stages:
        assert stages.stdin is not None
        assert stages.stdout is not None
        for change in order:
            run("git", "checkout", "--quiet", "--", "params.yaml")
            set_params(project / "params.yaml", CHANGES[change])
            print(file=stages.stdin, flush=True)
            shown = "".join(takewhile("made\n".__ne__, stages.stdout))
            known += shown.count(" known, ")
            assert made(project) == without[change], order
    assert known, order


def test_accuracies_at_a_point_do_not_depend_on_the_points_beside_it(
    fashion_mnist: Path, count: Count
) -> None:
    """As a fit may be left out because of one with a smaller C."""
    images = idx.read_idx(fashion_mnist / "train-images-idx3-ubyte.gz", 3)
    labels = idx.read_idx(fashion_mnist / "train-labels-idx1-ubyte.gz", 1)
    drawn = np.random.default_rng(SEED)
    names = [str(label) for label in range(10)]
    compared = 0
    for _ in range(25):
        rows = drawn.permutation(len(labels))[: drawn.integers(200, 600)]
        chosen, folds = (images[rows], labels[rows].astype(np.int64)), int(drawn.integers(2, 5))
        gammas = np.exp(drawn.uniform(np.log(1e-3), np.log(0.2), 2)).tolist()
        points = kernel_search.grid_points(
            {
                kernel: {"C": np.exp(drawn.uniform(-5, 6, 4)).tolist(), **others}
                for kernel, others in (
                    ("linear", {}),
                    ("poly", {"degree": [2, 3], "gamma": gammas}),
                    ("rbf", {"gamma": [*gammas, "scale"]}),
                )
            }
        )
        some = [points[i] for i in drawn.permutation(len(points))[: drawn.integers(2, 12)]]
        together = kernel_search.cross_validate(*chosen, some, folds, names)
        for point, accuracies in zip(some, together, strict=True):
            (alone,) = kernel_search.cross_validate(*chosen, [point], folds, names)
            assert np.array_equal(alone, accuracies), (point, some)
            compared += folds
    count("accuracies that no other point changed", compared)


def test_a_forged_entry_is_found_out_by_verify_as_the_metric_that_it_spoils(
    project: Path, run: Run
) -> None:
    run("dvc", "repro", "--force", "noise", FIT_RECORD="")
    assert run("git", "status", "--porcelain").stdout == ""
    for entry in (project / records.FOLDER).rglob("*.json"):
        kept = json.loads(entry.read_text())
        if kept["function"] == "stages.learn.draws.svm_mistakes":
            del kept["result"][0]
            kept["sha256"] = records._hash(json.dumps(kept["result"]))
            entry.write_text(json.dumps(kept))
    run("dvc", "repro", "--force", "--single-item", "noise", FIT_RECORD="")
    run("git", "commit", "--quiet", "--all", "--message=better")
    text = verify(run, 1, "--json", "report.json", FIT_RECORD="")
    spoilt = {path for path, verdict in verdicts(project).items() if verdict != "identical"}
    assert spoilt == {"metrics/noise.json", "plots/draws.csv"}
    assert "metrics/noise.json: svm.test_error_mean: " in text


@pytest.mark.figure("kills survived", KILLS)
def test_a_kill_while_an_entry_is_written_leaves_whole_entries_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kill in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path)],
            cwd=ROOT,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as writing:
            assert writing.stdout is not None
            writing.stdout.readline()
            time.sleep(kill * 0.0137)
            writing.kill()
            begun = 1 + len(writing.stdout.readlines())
        known = Record("", tmp_path).known(scores.error, {i: (i,) for i in range(begun + 2)})
        assert known == {i: [*range(i % 5000)] for i in known}
        assert len(known) >= begun
    assert capsys.readouterr().out == ""


@pytest.mark.figure("kills survived")
def test_what_a_killed_stage_had_fitted_is_known_to_the_next_run(project: Path, run: Run) -> None:
    before = results(project)
    kept = project / records.FOLDER
    with running(project, "noise", FIT_RECORD="") as struck:
        wait_until(lambda: bool([*kept.rglob("*.json")]))
        struck.dvc.kill()
        struck.wait_for_the_end()
    shown = run("dvc", "repro", "--force", "--single-item", "noise", FIT_RECORD="").stdout
    assert " known, " in shown
    assert results(project) == before


@pytest.mark.figure("variations held")
def test_two_runs_at_once_share_a_record(project: Path, tmp_path: Path) -> None:
    """Of two clones of one folder, as two experiments are."""
    before = results(project)
    other = shutil.copytree(project, tmp_path / "other", symlinks=True)
    both = [
        subprocess.Popen(
            ["dvc", "repro", "--force", "--no-run-cache"],
            cwd=folder,
            env=clean_environment(FIT_RECORD="", DVC_ROOT=str(project)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder in (project, other)
    ]
    for one in both:
        _, shown = one.communicate()
        assert one.returncode == 0, shown
    assert results(project) == results(other) == before
    assert [*(project / records.FOLDER).rglob("*.json")]
    assert not (other / records.FOLDER).exists()
