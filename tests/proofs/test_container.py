"""A container: little memory, one core, no home, no name, and only the work tree to write into."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, copy_of_project, digests, run_in
from tests.proofs.conftest import let_anybody_in, tool, under
from tests.proofs.groups import Make

pytestmark = pytest.mark.xdist_group("release")  # which is made once, for all of them

MEMORY = 1_500_000_000  # bytes
UNNAMED = "12345"  # a user's number

# As a container's engine does it, before a command becomes the first process.
START = f"""
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o size=64m,mode=1777 shm /dev/shm
mount --bind "$0" "$0"
findmnt -rno TARGET | grep -vE "^/(proc|dev|sys)(/|$)" | while read -r place; do
  [ "$place" = "$0" ] || mount -o remount,bind,ro "$place"
done
cd "$0"
exec taskset --cpu-list 0 setpriv --reuid={UNNAMED} --regid={UNNAMED} --clear-groups \\
  env --unset=HOME --unset=LOGNAME --unset=USER --unset=TMPDIR "$@"
"""
# Ends with an error where something of all that is not so.
TRY = """
[ $$ = 1 ] || exit 2
[ "$(nproc)" = 1 ] || exit 3
[ "$(df --output=size --block-size=1M /dev/shm | tail -1)" -eq 64 ] || exit 4
[ -z "${HOME+set}" ] || exit 5
id -un 2> /dev/null && exit 6
touch /tmp/written 2> /dev/null && exit 7
touch /var/tmp/written 2> /dev/null && exit 8
exec "$@"
"""


@pytest.mark.figure("variations held")
def test_the_demo_makes_the_same_bytes_in_a_container(
    group: Make, release: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    copy_of_project(project)
    run = run_in(project)
    run("python", "-m", "tools.demo")
    demo = project / "dvc_plots/demo"
    expected = digests(demo, demo.rglob("*"))
    shutil.rmtree(demo)
    run("chown", "--recursive", UNNAMED, str(project))
    let_anybody_in(project)
    unshare = [tool("unshare"), "--mount", "--pid", "--fork", "--kill-child"]
    container = [*under(release), "sh", "-ec", START, str(project), "sh", "-c", TRY, "sh"]
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    command = [*unshare, *container, "make", "demo", "PYTHON=/usr/bin/python3"]
    run(*group(MEMORY).joined_by(*command), PATH=path)
    assert digests(demo, demo.rglob("*")) == expected
    assert run("git", "-c", "safe.directory=*", "status", "--porcelain").stdout == ""


@pytest.mark.figure("variations held")
def test_the_create_command_of_the_dev_container_makes_an_environment_that_works(
    release: Path, tmp_path: Path
) -> None:
    described = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    copy_of_project(tmp_path)
    python = described["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    run = run_in(tmp_path)
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    run(*under(release), "sh", "-ec", described["postCreateCommand"], PATH=path)
    run(*under(release), python, "-m", "pytest", "--quiet", "tests/test_networks.py", PATH=path)
