"""What is said of a cluster that cannot be used, without one."""

import shutil
from pathlib import Path

import pytest

from stages.errors import UserError
from stages.run import dask_cluster
from tests.conftest import ROOT, run_in


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("tcp://127.0.0.1:9", id="nobody there"),
        pytest.param("tls://127.0.0.1:9", id="no certificate"),
        pytest.param("127.0.0.1", id="no port"),
        pytest.param("http://127.0.0.1:9", id="not Dask's"),
        pytest.param("", id="nothing"),
    ],
)
def test_without_a_scheduler_a_sentence_says_so(address: str) -> None:
    # In a process of its own: Dask's client that failed would close itself at any later time.
    call = "dask_cluster.CONNECTING = 1.0; next(dask_cluster.calls(sys.argv[1], abs, [(1,)]))"
    done = run_in(ROOT)(
        "python",
        "-c",
        f"import sys; from stages.run import dask_cluster; {call}",
        address,
        succeeds=False,
    )
    assert done.returncode == 1
    sentence = f"UserError: DASK_SCHEDULER_ADDRESS is '{address}', but no Dask scheduler answers"
    assert sentence in done.stderr.splitlines()[-1]


def test_a_worker_that_differs_in_anything_is_refused_by_its_name() -> None:
    ours = dask_cluster.described()
    dask_cluster.refuse("tcp://there:1", dict(ours), ours)
    for name in ours:
        for theirs in (ours | {name: "0"}, {key: ours[key] for key in ours if key != name}):
            with pytest.raises(
                UserError, match=f"tcp://there:1 is refused .*{name}.*, {ours[name]}"
            ):
                dask_cluster.refuse("tcp://there:1", theirs, ours)


@pytest.mark.parametrize(
    "use",
    ["from stages.run import dask_cluster", "from tools import worker"],
    ids=["stage", "worker"],
)
def test_without_its_package_a_sentence_says_how_to_install_it(use: str) -> None:
    without = "import sys; sys.modules['distributed'] = None; "
    done = run_in(ROOT)("python", "-c", without + use, succeeds=False)
    assert done.returncode == 1
    assert "requirements/dask.txt" in done.stderr.splitlines()[-1]


def test_a_worker_without_a_scheduler_says_what_is_missing() -> None:
    done = run_in(ROOT)("python", "-m", "tools.worker", succeeds=False)
    assert (done.returncode, done.stdout) == (1, "")
    (sentence,) = done.stderr.splitlines()
    assert "tcp://HOST:8786" in sentence


@pytest.mark.parametrize("room", ["", "learn", "run", "files"])
def test_the_hash_of_the_code_covers_every_room(room: str, tmp_path: Path) -> None:
    stages = shutil.copytree(ROOT / "stages", tmp_path / "stages")
    before = dask_cluster.hash_of_code(stages)
    assert before == dask_cluster.CODE
    for file in sorted((stages / room).glob("*.py")):
        content = file.read_bytes()
        file.write_bytes(content + b"# changed\n")
        assert dask_cluster.hash_of_code(stages) != before, file
        file.write_bytes(content)
    assert dask_cluster.hash_of_code(stages) == before
