"""Troubles that people have with pipelines on their own machines: none of them loses a result."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import (
    SMALL,
    Run,
    clean_environment,
    copy_of_project,
    forget_results,
    results,
    run_in,
)
from tests.processes import wait_until
from tests.test_readme import commands
from tools.shared.params import set_params

TROUBLES = pytest.mark.figure("troubles of the world held")
pytestmark = TROUBLES

ODD = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MATPLOTLIBRC": "/nowhere/matplotlibrc",
    "PYTHONWARNINGS": "default, error",
    "PYTHONDEVMODE": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONHASHSEED": "7",
    "FORCE_COLOR": "1",
    "COLUMNS": "20",
    "JOBLIB_MULTIPROCESSING": "0",
    "LOKY_MAX_CPU_COUNT": "1",
    "KMP_AFFINITY": "none",
    "OMP_WAIT_POLICY": "ACTIVE",
    "OMP_SCHEDULE": "dynamic",
    "OPENBLAS_VERBOSE": "2",
    "SOURCE_DATE_EPOCH": "x",
    "SKLEARN_SKIP_NETWORK_TESTS": "1",
}
SHALLOW = "DVC loses experiments of `--temp` and the queue in such a clone: run `git fetch --unshal"
ACTIVATE = (
    ": activate the project's environment (`. .venv/bin/activate`) and unset PYTHONPATH, or run "
    "`make`."
)
HELD = ("dvc.lock", "dvc.yaml", "params.yaml", "metrics/svm.json", "plots/mlp_cv.csv")
MARKS = "<<<<<<< HEAD\nschema: '2.0'\n=======\nschema: '2.1'\n>>>>>>> other\n"


def said(run: Run, *command: str, **environment: str) -> str:
    """What a command that fails says; no traceback is in it."""
    done = run(*command, succeeds=False, **environment)
    shown = done.stdout + done.stderr
    assert "Traceback" not in shown
    return shown


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's folder, for settings of their own."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def person(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of Git of a person, which count."""
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    monkeypatch.setenv("HOME", str(home))
    return home / ".gitconfig"


@pytest.mark.parametrize("how", [["exp", "run", "--temp"], ["exp", "run", "--queue"]], ids=" ".join)
@pytest.mark.parametrize("what", ["a parameter", "code"])
def test_a_shallow_clone_says_what_dvc_would_lose_before_anything_is_computed(
    how: list[str], what: str, project: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "shallow"
    run_in(tmp_path)("git", "clone", "--quiet", "--depth=1", f"file://{project}", str(clone))
    shutil.copytree(project / ".dvc/cache", clone / ".dvc/cache")
    run = run_in(clone)
    run("dvc", "checkout")
    if what == "code":
        code = clone / "stages/kmeans.py"
        code.write_text(code.read_text() + "# changed\n")
    change = ["-S", "kmeans.n_init=3"] if what == "a parameter" else []
    if "--queue" in how:
        run("dvc", *how, *change)
        run("dvc", "queue", "start")
        while "Failed" not in (status := run("dvc", "queue", "status").stdout):
            assert "Success" not in status
            time.sleep(0.5)
        task = next(line.split()[0] for line in status.splitlines() if "Failed" in line)
        shown = run("dvc", "queue", "logs", task).stdout
    else:
        shown = said(run, "dvc", *how, *change)
    assert SHALLOW in shown


def test_what_the_environment_sets_for_the_libraries_changes_no_result(
    project: Path, run: Run
) -> None:
    before = results(project)
    for stage in ("prepare", "mlp_search", "kmeans"):
        run("dvc", "repro", "--force", "--single-item", stage, **ODD)
    assert results(project) == before


def test_a_home_that_cannot_be_read_is_passed_over(home: Path, project: Path, run: Run) -> None:
    (home / "data").symlink_to(home / "data")  # a loop
    (home / ".keras").symlink_to(home / ".keras")
    forget_results(project)
    run("dvc", "repro", "fetch", HOME=str(home))


def test_a_program_goes_on_when_the_shell_that_started_it_ends(project: Path) -> None:
    command = f"nohup {sys.executable} -m tools.demo > log 2>&1 & echo $!"
    shell = subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        env=clean_environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    program = int(shell.stdout)
    try:
        wait_until(lambda: "Running stage" in (project / "log").read_text())
        os.kill(program, 0)
    finally:
        os.killpg(os.getpgid(program), signal.SIGKILL)


def test_a_partial_clone_brings_what_a_revision_needs(project: Path, tmp_path: Path) -> None:
    run_in(project)("git", "commit", "--quiet", "--allow-empty", "--message=next")
    params = project / "params.yaml"
    params.write_text(f"# A comment.\n{params.read_text()}")
    run_in(project)("git", "commit", "--quiet", "--all", "--message=comment")
    run = run_in(tmp_path)
    run("git", "clone", "--quiet", "--bare", str(project), "hosted")
    run("git", "-C", "hosted", "config", "uploadpack.allowFilter", "true")
    run("git", "clone", "--quiet", "--filter=blob:none", f"file://{tmp_path}/hosted", "partial")
    clone = run_in(tmp_path / "partial")
    assert "OK: " in clone("timeout", "60", "python", "-m", "tools.verify", "--quick", "@~1").stdout
    clone("timeout", "60", "python", "-m", "tools.review", "@~1", "@")


def test_the_drawn_garments_need_no_folder_of_the_users(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    copy_of_project(folder)
    changes = {key: value for key, value in SMALL.items() if key != "data.dataset"}
    set_params(folder / "params.yaml", changes)
    run = run_in(folder)
    run("git", "commit", "--quiet", "--all", "--message=small")
    run("dvc", "exp", "run", "--temp", "-S", "data.dataset=drawn-garments", "--name=garments")
    refs = run("git", "for-each-ref", "--format=%(refname)", "refs/exps/").stdout.split()
    (ref,) = [ref for ref in refs if ref.endswith("/garments")]
    shown = run("git", "show", f"{ref}:metrics/data.json")
    assert '"dataset": "drawn-garments"' in shown.stdout


def test_another_python_is_named(tmp_path: Path, run: Run) -> None:
    other = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(other)], check=True)
    tools = ["plots", "predict", "report", "review", "verify", "worker", "demo", "full", "bench"]
    for program in ("stages.fetch", *(f"tools.{tool}" for tool in tools)):
        shown = said(run, str(other / "bin/python"), "-m", program)
        assert shown == f"{other}/bin/python lacks joblib{ACTIVATE}\n"


@pytest.mark.parametrize("minor", range(6, 11))
def test_an_older_python_is_told_so(minor: int, run: Run) -> None:
    python = shutil.which(f"python3.{minor}")
    if (
        not python
        or subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode
    ):
        pytest.skip(f"no Python 3.{minor} is installed")
    for program in ("stages.kmeans", "tools.report"):
        assert "Python 3.11 or later is needed, and " in said(run, python, "-m", program)


def test_without_its_environment_dvc_loses_nothing_and_finds_no_python(
    project: Path, run: Run
) -> None:
    before = results(project)
    dvc = str(Path(sys.executable).with_name("dvc"))
    shown = said(run, dvc, "repro", "--force", PATH="/nowhere", SHELL="/bin/sh")
    assert "python: not found" in shown
    assert results(project) == before


def test_make_finds_the_projects_modules_where_python_is_told_to_look_for_none(
    run: Run,
) -> None:
    here = [f"IN={sys.executable}", "WITH=@:"]
    run("make", "verify", "QUICK=1", *here, PYTHONSAFEPATH="1")


@pytest.mark.parametrize("module", ["joblib", "numpy", "pandas", "PIL"])
def test_a_module_from_another_place_is_named_before_anything_is_lost(
    module: str, project: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "others" / module).mkdir(parents=True)
    (tmp_path / "others" / module / "__init__.py").touch()
    before = results(project)
    for command in ("dvc repro --force --single-item fetch", "python -m tools.report"):
        shown = said(run, *command.split(), PYTHONPATH=str(tmp_path / "others"))
        assert f" finds {module} in {tmp_path}/others/{module}, not in " in shown
        assert ACTIVATE in shown
    assert results(project) == before


def test_another_version_is_named_before_anything_is_lost(
    project: Path, run: Run, tmp_path: Path
) -> None:
    about = tmp_path / "others/scipy-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 1.0\n")
    before = results(project)
    shown = said(run, "dvc", "repro", "--force", PYTHONPATH=str(tmp_path / "others"))
    assert re.search(rf" has scipy 1\.0 in {tmp_path}/others, and not 1\.\d", shown)
    assert ACTIVATE in shown
    assert results(project) == before


@pytest.mark.parametrize("variable", ["FIT_PROCESSES", "FIT_RECORD"])
def test_a_variable_of_no_sense_is_named_before_anything_is_lost(
    variable: str, project: Path, run: Run
) -> None:
    before = results(project)
    assert f"{variable} is 'on', but must be " in said(
        run, "dvc", "repro", "--force", **{variable: "on"}
    )
    assert results(project) == before


@pytest.mark.parametrize("inside_another", [False, True], ids=["alone", "in another repository"])
def test_a_copy_that_is_no_repository_is_told_before_anything_is_downloaded(
    inside_another: bool, run: Run, tmp_path: Path
) -> None:
    copy = tmp_path / "around/copy"
    copy.mkdir(parents=True)
    run("sh", "-c", f"git archive HEAD | tar --extract --directory '{copy}'")
    if inside_another:
        run_in(tmp_path / "around")("git", "init", "--quiet")
    environment = {"GIT_CEILING_DIRECTORIES": str(tmp_path), "LANGUAGE": "de", "LC_ALL": "de_DE"}
    shown = said(run_in(copy), "python", "-m", "tools.demo.first_run", **environment)
    assert "`git init && git add --all && git commit --message copy`" in shown
    assert not (copy / "data/incoming").exists()
    for tool in ("report", "verify", "review HEAD", "demo"):
        shown = said(run_in(copy), "python", "-m", *f"tools.{tool}".split(), **environment)
        assert "`git init && git add --all && git commit --message copy`" in shown
        assert len(shown.splitlines()) == 1
    run_in(copy)("sh", "-c", "git init -q && git add --all && git commit -q --message copy")
    run_in(copy)("dvc", "repro", "fetch")


def test_commits_that_a_person_signs_off_are_named_and_what_experiments_need_instead(
    person: Path, run: Run
) -> None:
    person.write_text("[format]\n\tsignoff = true\n")
    assert "reference name" in said(run, "dvc", "exp", "run", "-S", "kmeans.n_init=3")
    line = run("python", "-m", "stages.fetch").stdout.splitlines()[0]
    run(*line.split("`")[3].split())
    run("dvc", "exp", "run", "-S", "kmeans.n_init=3")


def test_settings_of_a_person_stop_nothing(person: Path, home: Path, run: Run) -> None:
    (home / "ignored").write_text("*.lock\n*.yaml\n*.csv\n*.json\n.dvc\nplots\nmetrics\n")
    person.write_text(
        f"[core]\n\texcludesFile = {home}/ignored\n\tautocrlf = true\n\tpager = false\n"
        "[commit]\n\tgpgSign = true\n[tag]\n\tgpgSign = true\n[gpg]\n\tprogram = false\n"
        "[log]\n\tshowSignature = true\n[color]\n\tui = always\n[diff]\n\tnoprefix = true\n"
        "\texternal = false\n[status]\n\tshowUntrackedFiles = no\n[fetch]\n\tprune = true\n"
        "[init]\n\tdefaultBranch = trunk\n[merge]\n\tconflictStyle = zdiff3\n"
    )
    run("dvc", "exp", "run", "-S", "kmeans.n_init=3")
    run("python", "-m", "tools.review", "HEAD")
    run("python", "-m", "tools.report")
    run("python", "-m", "tools.verify", "--quick", SHELL="/bin/false")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("predict svm plots/mistakes.png", "dvc.lock"),
        *((command, path) for command in ("report", "review HEAD~1") for path in HELD),
        *(("verify --quick --staged", path) for path in ("dvc.lock", "params.yaml")),
    ],
)
def test_a_conflict_of_a_merge_is_named(command: str, path: str, project: Path, run: Run) -> None:
    run("git", "commit", "--quiet", "--allow-empty", "--message=next")
    run("git", "switch", "--quiet", "--create", "other")
    for branch, line in (("other", "one,1\n"), ("main", "two,2\n")):
        run("git", "switch", "--quiet", branch)
        (project / path).write_text(line + (project / path).read_text())
        run("git", "commit", "--quiet", "--all", f"--message={branch}")
    run("git", "merge", "--quiet", "other", succeeds=False)
    in_merge = said(run, "python", "-m", *f"tools.{command}".split())
    run("git", "commit", "--quiet", "--all", "--message=conflict")
    for shown in (in_merge, said(run, "python", "-m", *f"tools.{command}".split())):
        assert shown.startswith(f"{path}: a merge conflict. ")
        assert len(shown.splitlines()) == 1


def test_a_conflict_in_the_parameters_is_named_by_a_stage(project: Path, run: Run) -> None:
    params = project / "params.yaml"
    params.write_text(MARKS + params.read_text())
    shown = said(run, "python", "-m", "stages.fetch")
    assert shown.startswith("params.yaml: a merge conflict. ")
    assert len(shown.splitlines()) == 1


def test_two_branches_are_merged_as_the_page_says(project: Path, run: Run) -> None:
    ((merge, *then),) = commands("docs/sharing.md", "Merge two branches")
    for branch, change in (("other", {"kmeans.n_init": 3}), ("mine", {"seed": 4})):
        run("git", "switch", "--quiet", "--create", branch, "main")
        set_params(project / "params.yaml", change)
        run("dvc", "repro")
        run("git", "commit", "--quiet", "--all", f"--message={branch}")
    run(*merge.split(), succeeds=False)
    run("sh", "-ec", "\n".join(then).replace("git commit", "git commit --no-edit"))
    assert "n_init: 3" in (project / "params.yaml").read_text()
    run("python", "-m", "tools.verify", "--quick")
