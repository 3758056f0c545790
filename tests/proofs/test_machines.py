"""Another release of Debian, another Python, another processor: the same bytes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run, forget_results, results, run_in
from tests.proofs.conftest import tool

pytestmark = pytest.mark.xdist_group("release")  # which is made once, for all of them

RELEASE = "trixie"

# Below a release's /usr, with all else of this machine: that is its libc, its shell, its Python.
UNDER = """mount --rbind /usr/local "$0/usr/local" && mount --rbind "$0/usr" /usr && exec "$@" """

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


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Another release of Debian, in a folder, with Python and an emulator of processors."""
    debootstrap = tool("debootstrap")
    if os.geteuid() != 0:
        pytest.skip("debootstrap wants to be run by root")
    folder = tmp_path_factory.mktemp(RELEASE)
    packages = "--include=python3,python3-venv,qemu-user"
    done = subprocess.run(
        [debootstrap, "--variant=minbase", packages, RELEASE, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"debootstrap failed: {done.stdout.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout
    yield folder
    shutil.rmtree(folder)


def under(release: Path) -> list[str]:
    """Make a prefix of commands that are to run under another release."""
    return [tool("unshare"), "--mount", "sh", "-c", UNDER, str(release)]


def environment_of(python: str, folder: Path, run: Run, *prefix: str) -> str:
    """Make an environment with the project's packages; return the PATH that leads to it."""
    run(*prefix, python, "-m", "venv", str(folder))
    path = f"{folder}/bin{os.pathsep}{os.environ['PATH']}"
    lock = "requirements/pipeline.txt"
    install = ["install", "--quiet", "--require-hashes", "--requirement", lock]
    run(*prefix, "python", "-m", "pip", *install, PATH=path)
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
    version = "import sys; print(*sys.version_info[:2])"
    there = run(*under(release), "python", "-c", version, PATH=path).stdout
    assert there.split() != [str(number) for number in sys.version_info[:2]]
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


def emulating(release: Path, processor: str, folder: Path) -> str:
    """Make a `python` that runs on another processor; return the PATH that leads to it."""
    wrapper = folder / processor / "python"
    wrapper.parent.mkdir()
    emulator = f"{release}/usr/bin/qemu-x86_64"
    wrapper.write_text(f'#!/bin/sh\nexec "{emulator}" -cpu {processor} "{sys.executable}" "$@"\n')
    wrapper.chmod(0o755)
    return os.pathsep.join(
        [str(wrapper.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    )


@pytest.mark.figure("variations held")
def test_every_byte_is_the_same_on_a_processor_without_avx_512(
    release: Path, project: Path, run: Run, tmp_path: Path
) -> None:
    path = emulating(release, "Haswell-noTSX", tmp_path)
    assert run("python", "-c", LOOPS, PATH=path).stdout.split() == ["X86_V3"]
    assert_the_same_from_nothing(project, PATH=path, FIT_PROCESSES="1")


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
