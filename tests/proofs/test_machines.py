"""Another release of Debian, another Python, another processor: the same bytes, and refusals."""

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import stages
from tests.conftest import ROOT, Count, Run, forget_results, results, run_in
from tests.proofs.conftest import RELEASE, STAGES, install, reason, tool, under

pytestmark = pytest.mark.xdist_group("release")  # which is made once, for all of them

NEWEST = ("sid", "testing", RELEASE)

# Quick tests of what reads files and parses input: those that need no run of the pipeline.
READING = (
    *("artifacts", "comment", "dask_cluster", "fetch", "garments", "images"),
    *("memory", "models", "pages", "photos", "settings"),
)

VERSION = "import sys; print(*sys.version_info[:2], sep='.')"
LIBC = "import os; print(os.confstr('CS_GNU_LIBC_VERSION'))"
LOOPS = "import numpy; print(*numpy.show_config('dicts')['SIMD Extensions']['found'])"

# What the pipeline computes with, in small: prints a digest of each part.
PROBE = """
import stages
import hashlib, sys, warnings
from pathlib import Path
import numpy as np
from sklearn.cluster import KMeans
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from stages.files import charts, models
from stages.learn import kernels

def show(name, *parts):
    print(name, hashlib.sha256(b"".join(parts)).hexdigest())

warnings.simplefilter("ignore")
images = (np.random.RandomState(0).rand(300, 28, 28) ** 3 * 255).astype(np.uint8)
pixels, labels = images.reshape(300, -1) / 255, np.arange(300) % 10
network = MLPClassifier(
    (50, 20), solver="sgd", learning_rate_init=0.1, max_iter=20, random_state=0
).fit(pixels, labels)
show("MLPClassifier", *(weights.tobytes() for weights in network.coefs_))
show("SVC", SVC(C=10, gamma=0.01).fit(pixels, labels).dual_coef_.tobytes())
clusters = KMeans(10, n_init=2, random_state=0).fit(pixels)
show("KMeans", clusters.cluster_centers_.tobytes())
show("products", kernels.products(images, images).tobytes(), (pixels @ pixels.T).tobytes())
show("PNG", charts.picture("Title", [charts.Block(images[:4], list("abcd"), 2, "Heading")]))
models.write(Path(sys.argv[1]), network)
show("skops", Path(sys.argv[1]).read_bytes())
"""


# The same in small, where other bytes are to be expected: prints errors and a silhouette.
NEARLY = """
import stages
import json, warnings
import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from stages.files import garments
from stages.learn import images, networks, one_against_one

warnings.simplefilter("ignore")
drawn, labels = garments.draw(800, 1)
tests, actual = garments.draw(400, 2)
labels = labels.astype(np.int64)
network = networks.network(
    [20], 0, solver="sgd", learning_rate_init=0.1, max_iter=40, alpha=1e-4, tol=1e-4
)
network = networks.fit(network, images.scaled(drawn), labels)
svm = one_against_one.fit(
    {"kernel": "rbf", "C": 10, "gamma": 0.01}, drawn, labels, list(garments.LABELS)
)
pixels = images.scaled(drawn[:300])
clusters = KMeans(4, n_init=2, random_state=0).fit(pixels)
print(json.dumps({
    "same bytes": stages.SAME_BYTES,
    "network": float(np.mean(networks.predict(network, images.scaled(tests)) != actual)),
    "SVM": float(np.mean(one_against_one.predict(svm, tests) != actual)),
    "silhouette": float(silhouette_score(pixels, clusters.labels_)),
}))
"""
NEAR = {"network": 0.01, "SVM": 0.01, "silhouette": 1e-4}  # as README says
EXPECT = "expect metrics close to the committed ones, not the same bytes."

# Begins a stage where the features that only Linux has, or that Windows lacks, are gone. What the
# libraries found when they were loaded stays.
TAKEN_AWAY = """
import os, re, runpy, signal, sys
import joblib, pandas, psutil, requests, rich.console, sklearn.svm

OURS = re.compile("/proc/(cpuinfo|self/(cgroup|mountinfo|task)|[0-9]+/cmdline)")
platform, name = sys.argv[1:]
sys.platform = platform
del os.confstr_names["CS_GNU_LIBC_VERSION"]
if platform == "win32":
    for lacked in ("pthread_sigmask", "sigwait", "SIGKILL", "SIGHUP"):
        delattr(signal, lacked)

def refuse(event, values):
    if event in ("open", "os.scandir") and OURS.match(str(values[0])):
        raise FileNotFoundError(values[0])
    if event == "ctypes.dlsym" and values[1] in ("mallopt", "malloc_trim", "prctl"):
        raise AttributeError(values[1])

sys.addaudithook(refuse)
sys.argv = [name]
runpy.run_module(name, run_name="__main__", alter_sys=True)
"""


class Newest(NamedTuple):
    """The newest release of Debian that can be had.

    Attributes
    ----------
    name : str
    folder : Path
        Where it is.
    path : str
        PATH that leads to an environment of its Python with all that the tests need.
    """

    name: str
    folder: Path
    path: str


@pytest.fixture
def newest(tmp_path: Path) -> Iterator[Newest]:
    """The first of `NEWEST` that can be installed today; each that cannot be is said."""
    locks = ("requirements/pipeline.txt", "requirements/dev.txt")
    for name in NEWEST:
        folder, environment = tmp_path / name, tmp_path / f"environment-{name}"
        folder.mkdir()
        done = install(name, folder, "git")
        why = done.returncode and reason(done.stdout)
        if not why:
            try:
                path = environment_of(
                    "/usr/bin/python3", environment, run_in(ROOT), *under(folder), locks=locks
                )
            except AssertionError as error:  # a package is not made for its Python yet
                why = reason(str(error))
        if not why:
            yield Newest(name, folder, path)
        shutil.rmtree(folder)
        if not why:
            return
        warnings.warn(f"Debian {name} cannot be installed today: {why}", stacklevel=1)
    pytest.skip(f"none of {', '.join(NEWEST)} can be installed today")


def environment_of(
    python: str,
    folder: Path,
    run: Run,
    *prefix: str,
    locks: tuple[str, ...] = ("requirements/pipeline.txt",),
) -> str:
    """Make an environment with the project's packages; return the PATH that leads to it."""
    run(*prefix, python, "-m", "venv", str(folder))
    path = f"{folder}/bin{os.pathsep}{os.environ['PATH']}"
    command = ["python", "-m", "pip", "install", "--quiet", "--no-compile", "--require-hashes"]
    run(*prefix, *command, *(f"--requirement={lock}" for lock in locks), PATH=path)
    return path


def assert_the_same_from_nothing(project: Path, *prefix: str, **environment: str) -> None:
    before = results(project)
    forget_results(project)
    run_in(project)(*prefix, "dvc", "repro", **environment)
    assert results(project) == before


@pytest.mark.figure("variations held")
def test_every_byte_is_the_same_with_the_libc_of_another_release(
    release: Path, project: Path, run: Run
) -> None:
    if sys.base_prefix == "/usr":
        pytest.skip("this Python is of this machine's release, and cannot run under another")
    here, there = (run(*prefix, "python", "-c", LIBC).stdout for prefix in ([], under(release)))
    if here == there:
        pytest.skip(f"{RELEASE} has the libc of this machine")
    assert_the_same_from_nothing(project, *under(release))


@pytest.mark.figure("variations held")
def test_every_byte_is_the_same_with_python_and_libc_of_another_release(
    release: Path, project: Path, run: Run, tmp_path: Path
) -> None:
    path = environment_of("/usr/bin/python3", tmp_path / "environment", run, *under(release))
    there = run(*under(release), "python", "-c", VERSION, PATH=path).stdout.strip()
    assert there != f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert_the_same_from_nothing(project, *under(release), PATH=path)


@pytest.mark.figure("variations held")
@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)], ids=lambda v: f"{v[0]}.{v[1]}")
def test_every_byte_is_the_same_with_python(
    version: tuple[int, int], project: Path, run: Run, tmp_path: Path
) -> None:
    if version == sys.version_info[:2]:
        pytest.skip("this is the Python that made what others are compared with")
    python = tool(f"python{version[0]}.{version[1]}")
    # pyenv puts programs on PATH that only say that they are switched off.
    if subprocess.run([python, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{Path(python).name} is not installed")
    path = environment_of(python, tmp_path / "environment", run)
    assert_the_same_from_nothing(project, PATH=path)


@pytest.mark.filterwarnings("default:Debian .* cannot be installed today:UserWarning")
def test_files_and_input_are_read_and_refused_the_same_with_the_newest_python_of_debian(
    newest: Newest, tmp_path: Path, count: Count
) -> None:
    run, prefix = run_in(ROOT), under(newest.folder)
    version = run(*prefix, "python", "-c", VERSION, PATH=newest.path).stdout.strip()
    # With files of its own, and none that say what failed: `make proofs AGAIN=1` reads them.
    options = ["-p", "no:cacheprovider", f"--basetemp={tmp_path / 'tests'}", "--quiet"]
    command = ["python", "-m", "pytest", *options, "--numprocesses=2", "--dist=loadfile"]
    tests = [f"tests/test_{name}.py" for name in READING]
    shown = run(*prefix, *command, *tests, PATH=newest.path).stdout
    passed = re.search(r"^(\d+) passed", shown, re.MULTILINE)
    assert passed, shown
    count(f"tests passed with Python {version} of Debian {newest.name}", int(passed[1]))


def emulating(release: Path, processor: str, folder: Path) -> str:
    """Make a `python` that runs on another processor; return the PATH that leads to it."""
    emulator = f"{release}/usr/bin/qemu-x86_64"
    command = f'"{emulator}" -cpu {processor} "{sys.executable}" "$@"'
    return python_that_runs(command, folder / processor)


def python_that_runs(command: str, folder: Path) -> str:
    """Make a `python` that runs another command; return the PATH that leads to it."""
    folder.mkdir()
    (folder / "python").write_text(f"#!/bin/sh\nexec {command}\n")
    (folder / "python").chmod(0o755)
    return os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])


@pytest.mark.timeout(2400)
@pytest.mark.figure("variations held")
def test_every_byte_is_the_same_on_a_processor_without_avx_512(
    release: Path, project: Path, run: Run, tmp_path: Path
) -> None:
    path = emulating(release, "Haswell-noTSX", tmp_path)
    assert run("python", "-c", LOOPS, PATH=path).stdout.split() == ["X86_V3"]
    before = results(project)
    forget_results(project)
    # In one process: an emulated one starts some ten times as slowly.
    stages = ("fetch", "prepare", "mlp_search", "svm_eval", "kmeans", "noise", "compare")
    emulated = ("sh", "-ec", 'echo | python -c "$@"', "sh", STAGES, *stages)
    run(*emulated, PATH=path, FIT_PROCESSES="1")
    assert results(project) == before


@pytest.mark.figure("variations held")
@pytest.mark.parametrize("processor", ["EPYC-Rome", "Skylake-Client"])
def test_every_part_computes_the_same_on_another_processor(
    processor: str, release: Path, tmp_path: Path
) -> None:
    run = run_in(ROOT)
    path = emulating(release, processor, tmp_path)
    probe = ["python", "-c", PROBE, str(tmp_path / "model.skops")]
    here, there = run(*probe).stdout, run(*probe, PATH=path).stdout
    assert len(here.splitlines()) == 6
    assert there == here


def assert_nearly_the_same(run: Run, project: Path, python: list[str], **environment: str) -> None:
    """Check that a Python on another kind of machine says so, and computes nearly the same."""
    here = json.loads(run("python", "-c", NEARLY).stdout)
    there = json.loads(run(*python, "-c", NEARLY, **environment).stdout)
    assert [here["same bytes"], there["same bytes"]] == [True, False]
    for what, most in NEAR.items():
        assert abs(here[what] - there[what]) <= most, (what, here, there)
    shown = run_in(project)(*python, "-m", "stages.fetch", **environment).stdout
    assert EXPECT in shown
    assert "every parameter is in order" in shown


@pytest.mark.figure("machines that compute nearly the same")
def test_a_processor_without_avx2_says_so_and_computes_nearly_the_same(
    release: Path, project: Path, tmp_path: Path
) -> None:
    path = emulating(release, "Nehalem", tmp_path)
    assert_nearly_the_same(run_in(ROOT), project, ["python"], PATH=path)


@pytest.mark.timeout(1800)
@pytest.mark.figure("machines that compute nearly the same")
def test_arm64_says_so_and_computes_nearly_the_same(
    release: Path, project: Path, tmp_path: Path
) -> None:
    root, packages = tmp_path / "arm64", tmp_path / "packages"
    options = ["--foreign", "--arch=arm64", "--variant=minbase", "--include=python3"]
    run = run_in(ROOT)
    run(tool("debootstrap"), *options, RELEASE, str(root))
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        run("dpkg-deb", "--extract", str(package), str(root))
    (python,) = (root / "usr/bin").glob("python3.[0-9]*[0-9]")
    platform = ["--python-platform=aarch64-manylinux_2_39", f"--python-version={python.name[6:]}"]
    uv = ["uv", "pip", "install", "--quiet", "--require-hashes", *platform]
    run(*uv, f"--target={packages}", "--requirement=requirements/pipeline.txt")
    emulated = [f"{release}/usr/bin/qemu-aarch64", "-L", str(root), str(python)]
    assert_nearly_the_same(run, project, emulated, PYTHONPATH=str(packages), FIT_PROCESSES="1")


@pytest.mark.figure("systems without what only Linux has")
@pytest.mark.parametrize(("system", "processes"), [("darwin", "2"), ("win32", "1")])
def test_the_pipeline_needs_nothing_that_only_linux_has(
    system: str, processes: str, project: Path, run: Run, tmp_path: Path
) -> None:
    before = results(project)
    forget_results(project)
    (tmp_path / "taken_away.py").write_text(TAKEN_AWAY, encoding="utf-8")
    command = f'"{sys.executable}" "{tmp_path}/taken_away.py" {system} "$2"'
    path = python_that_runs(command, tmp_path / system)
    # The same processor: only what is said differs.
    one = {"PATH": path, "FIT_PROCESSES": processes, "PYTHONPATH": str(project)}
    shown = run("dvc", "repro", **{**stages.CONTRACT, **one}).stdout
    assert EXPECT in shown
    assert results(project) == before
