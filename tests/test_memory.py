"""Memory is reckoned before it is taken, whatever it is that limits it."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from stages.errors import UserError
from stages.run import memory
from tests.conftest import ROOT, run_in
from tests.test_world import TROUBLES

MB = 10**6
HOST = "/machine.slice/one.scope"


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"memory.{name}").write_text(f"{content}\n")


def process(folder: Path, groups: str, *mounts: str) -> Path:
    """What Linux tells a process of its control groups, and where they are mounted."""
    (folder / "cgroup").write_text(groups)
    lines = ["22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw", *mounts]
    (folder / "mountinfo").write_text("\n".join(lines))
    return folder


def version_2(folder: Path, root: str = "/") -> str:
    return f"35 24 0:30 {root} {folder}/sys rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"


def version_1(folder: Path, root: str = "/") -> str:
    return f"36 24 0:31 {root} {folder}/sys rw,nosuid - cgroup cgroup rw,memory"


CACHED = "anon 1\ninactive_file 20000000\nactive_file 10000000"
TOTALS = "cache 1\ntotal_inactive_file 20000000\ntotal_active_file 10000000"
NO_LIMIT = 9223372036854771712


def test_a_group_of_version_2_leaves_its_limit_less_its_use_and_files_it_can_let_go_count_as_free(
    tmp_path: Path,
) -> None:
    group(tmp_path / "sys/a", max=100 * MB, current=70 * MB, stat=CACHED)
    assert memory.free(process(tmp_path, "0::/a\n", version_2(tmp_path))) == 60 * MB


def test_the_lower_of_two_limits_of_a_group_counts(tmp_path: Path) -> None:
    group(tmp_path / "sys/a", max=100 * MB, high=80 * MB, current=70 * MB, stat=CACHED)
    assert memory.free(process(tmp_path, "0::/a\n", version_2(tmp_path))) == 40 * MB


def test_a_group_of_version_1_leaves_its_limit_less_its_use(tmp_path: Path) -> None:
    limits = {"limit_in_bytes": 100 * MB, "usage_in_bytes": 70 * MB, "stat": TOTALS}
    group(tmp_path / "sys/a", **limits)
    mine = process(tmp_path, "9:cpu:/b\n4:hugetlb,memory:/a\n0::/\n", version_1(tmp_path))
    assert memory.free(mine) == 60 * MB


def test_a_group_around_the_own_one_may_leave_less(tmp_path: Path) -> None:
    group(tmp_path / "sys", max="max", current=0)
    group(tmp_path / "sys/a", max=90 * MB, current=80 * MB, stat=CACHED)
    group(tmp_path / "sys/a/b", max="max", current=10 * MB)
    group(tmp_path / "sys/a/b/c", max=100 * MB, current=10 * MB, stat=CACHED)
    assert memory.free(process(tmp_path, "0::/a/b/c\n", version_2(tmp_path))) == 40 * MB


@pytest.mark.parametrize(("own", "root"), [(HOST, HOST), ("/", "/"), ("/../..", "/"), (HOST, "/x")])
def test_a_container_finds_its_group_where_it_is_mounted(
    own: str, root: str, tmp_path: Path
) -> None:
    group(tmp_path / "sys", max=100 * MB, current=70 * MB, stat=CACHED)
    assert memory.free(process(tmp_path, f"0::{own}\n", version_2(tmp_path, root))) == 60 * MB


def test_a_group_that_has_used_more_than_its_limit_leaves_nothing(tmp_path: Path) -> None:
    group(tmp_path / "sys/a", max=30 * MB, current=70 * MB, stat=CACHED)
    assert memory.free(process(tmp_path, "0::/a\n", version_2(tmp_path))) == 0


@pytest.mark.parametrize("groups", ["", "0::/a\n", "4:memory:/a\n"])
def test_without_limits_what_the_machine_has_is_free(groups: str, tmp_path: Path) -> None:
    group(tmp_path / "sys/a", max="max", limit_in_bytes=NO_LIMIT, usage_in_bytes=0, stat=TOTALS)
    mounts = [version_2(tmp_path)] if "0:" in groups else [version_1(tmp_path)] if groups else []
    machine = psutil.virtual_memory()
    assert 0 < memory.free(process(tmp_path, groups, *mounts)) <= machine.total
    (tmp_path / "cgroup").unlink()
    (tmp_path / "mountinfo").unlink()
    assert 0 < memory.free(tmp_path) <= machine.total


@TROUBLES
def test_what_the_system_tells_in_no_known_way_is_passed_over(tmp_path: Path) -> None:
    odd = process(tmp_path, "\n0\n7:\n0::/a\n", "", "1 - cgroup2 x y", " - ", version_2(tmp_path))
    group(tmp_path / "sys", max="a lot", current="little")
    group(tmp_path / "sys/a", max=100 * MB, current="little", stat="\nactive_file\nanon x y\n")
    assert memory.free(odd) == 100 * MB


def test_a_limit_of_the_address_space_counts() -> None:
    code = (
        "import resource, psutil\n"
        "from stages.run import memory\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_AS)\n"
        f"most = psutil.Process().memory_info().vms + {300 * MB}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (most, hard))\n"
        "print(memory.free())"
    )
    done = run_in(ROOT)(sys.executable, "-c", code)
    assert float(done.stdout) == pytest.approx(300 * MB, rel=0.02)


def stepwise(fitting: int) -> Callable[[int], float]:
    """Bytes of which so many images need hardly any, and more need more than any machine has."""
    return lambda samples: samples if samples <= fitting else 3e15


@pytest.mark.parametrize("samples", [1, 500])
def test_what_fits_is_not_refused(samples: int) -> None:
    memory.check(samples, "kmeans.samples", stepwise(500))


@pytest.mark.parametrize(
    ("fitting", "words"),
    [
        (59999, "the largest that fits is 59999"),
        (500, "the largest that fits is 500"),
        (1, "the largest that fits is 1"),
        (0, "no number of images fits"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_largest_that_does(fitting: int, words: str) -> None:
    with pytest.raises(UserError) as refused:
        memory.check(60000, "kmeans.samples", stepwise(fitting))
    beginning = r"params\.yaml: kmeans\.samples is 60000, which takes 3060000\.0 GB, and "
    assert re.fullmatch(rf"{beginning}\d+\.\d GB are free here; {words}\.", str(refused.value))
