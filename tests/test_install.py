"""An environment holds what its lock files name, whatever was there and whatever is set."""

import ast
import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment, copy_of_project, run_in
from tests.test_world import TROUBLES

UV = Path(sys.executable).with_name("uv")
INSTALL = [sys.executable, "-m", "tools.install"]
# Prints the versions of packages.
VERSIONS = "from importlib.metadata import version; import sys; print(*map(version, sys.argv[1:]))"


def wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> str:
    """Write a wheel of some files; return the line that a lock file has for it."""
    about = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for member, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{member},sha256={digest},{len(content)}\n"
    files[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            entry = zipfile.ZipInfo(member)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, content)
    return (
        f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
    )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Lines of lock files for small packages, whose wheels lie in the folder `""`."""
    folder = tmp_path_factory.mktemp("wheels")
    packaging = metadata.distribution("packaging")
    files = {
        str(file): Path(str(file.locate())).read_bytes()
        for file in packaging.files or []
        if file.suffix == ".py"
    }
    # The uv that is locked, as far as this project sees: a program that is uv.
    program = f'#!/bin/sh\necho "The uv of .venv" >&2\nexec "{UV}" "$@"\n'.encode()
    return {
        "": str(folder),
        "packaging": wheel(folder, "packaging", "1.0+small", files),
        "tiny": wheel(folder, "tiny", "1.0", {"tiny.py": b"SIZE = 1\n"}),
        "tiny 2": wheel(folder, "tiny", "2.0", {"tiny.py": b"SIZE = 2\n"}),
        "other": wheel(folder, "other", "1.0", {"other.py": b""}),
        "uv": wheel(folder, "uv", "1.0", {"uv-1.0.data/scripts/uv": program}),
    }


class Project:
    """A project's folder, whose packages come from a folder of wheels."""

    def __init__(self, folder: Path, wheels: str) -> None:
        self.folder = folder
        self.wheels = wheels
        self.python = folder / ".venv/bin/python"

    def environment(self, *, uv: bool = True) -> dict[str, str]:
        """Variables with which packages come from the wheels alone, with uv on PATH or without."""
        places = {
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": self.wheels,
            "UV_CACHE_DIR": str(self.folder.parent / "cache"),
            "PIP_FIND_LINKS": self.wheels,
        }
        path = [str(UV.parent)] if uv else []
        path += ["/usr/local/bin", "/usr/bin", "/bin"]
        return clean_environment(**places) | {"PATH": os.pathsep.join(path)}

    def install(
        self,
        *names: str,
        uv: bool = True,
        succeeds: bool = True,
        settings: dict[str, str] | None = None,
    ) -> str:
        """Have `.venv` hold the packages of lock files; return what was printed."""
        done = subprocess.run(
            [*INSTALL, *names],
            cwd=self.folder,
            env=self.environment(uv=uv) | (settings or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        shown = done.stdout + done.stderr
        assert done.returncode == (0 if succeeds else 1), shown
        assert "Traceback" not in shown
        return shown

    def lock(self, name: str, *lines: str) -> None:
        """Write a lock file."""
        (self.folder / f"requirements/{name}.txt").write_text("".join(lines))

    def holds(self, *names: str) -> list[str]:
        """Versions of packages in `.venv`."""
        return run_in(self.folder)(str(self.python), "-c", VERSIONS, *names).stdout.split()


@pytest.fixture
def project(tmp_path: Path, wheels: dict[str, str]) -> Project:
    """A project without an environment."""
    project = Project(tmp_path / "a project", wheels[""])
    (project.folder / "tools").mkdir(parents=True)
    (project.folder / "requirements").mkdir()
    shutil.copy2(ROOT / "tools/install.py", project.folder / "tools")
    project.lock("pipeline", wheels["packaging"], wheels["tiny"])
    project.lock("dev", wheels["other"])
    project.lock("uv", wheels["uv"])
    return project


NEW = "Setting up .venv\nAdding requirements/pipeline.txt with uv\n"


def test_what_is_there_is_asked_and_what_is_missing_is_added(
    project: Project, wheels: dict[str, str]
) -> None:
    assert project.install("pipeline") == NEW
    assert project.holds("tiny") == ["1.0"]
    assert project.install("pipeline") == ""
    run_in(project.folder)(str(project.python), "-m", "pip", "uninstall", "--yes", "tiny")
    added = "Adding requirements/pipeline.txt with uv\n"
    assert project.install("pipeline") == added
    assert project.holds("tiny") == ["1.0"]
    project.lock("pipeline", wheels["packaging"], wheels["tiny 2"])  # as after a pull
    assert project.install("pipeline") == added
    assert project.holds("tiny") == ["2.0"]


def test_packages_are_added_and_none_is_removed(project: Project) -> None:
    project.install("pipeline")
    (site,) = project.folder.glob(".venv/lib/python*/site-packages")
    (site / "of_my_own.py").touch()
    project.install("dev")
    assert project.holds("tiny", "other") == ["1.0", "1.0"]
    assert (site / "of_my_own.py").exists()


def test_without_uv_on_path_the_locked_one_is_installed_first(project: Project) -> None:
    shown = project.install("pipeline", uv=False)
    assert shown.startswith(NEW)
    assert "The uv of .venv" in shown
    assert "with pip" not in shown
    assert project.holds("uv", "tiny") == ["1.0", "1.0"]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"PIP_NO_INDEX": "1"}, "with pip, as its settings name an index: some minutes"),
        ({"UV_FIND_LINKS": "/nowhere"}, "uv did not add them; adding requirements/pipeline.txt"),
    ],
    ids=["where its settings name an index", "where uv fails"],
)
def test_pip_adds_packages(settings: dict[str, str], line: str, project: Project) -> None:
    assert line in project.install("pipeline", settings=settings)
    assert project.holds("tiny") == ["1.0"]


# Each of them has pip or uv install nothing, or elsewhere, and say that all is well.
ELSEWHERE = {
    "PIP_TARGET": "{}",
    "PIP_PREFIX": "{}",
    "PIP_ROOT": "{}",
    "PIP_USER": "1",
    "PIP_DRY_RUN": "1",
    "PIP_NO_DEPS": "1",
    "PIP_PYTHON": "/usr/bin/python3",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "UV_PYTHON": "/usr/bin/python3",
    "UV_SYSTEM_PYTHON": "1",
    "UV_PROJECT_ENVIRONMENT": "{}",
    "UV_CONSTRAINT": "{}/none.txt",
    "UV_NO_VERIFY_HASHES": "1",
    "UV_EXCLUDE_NEWER": "2000-01-01",
    "VIRTUAL_ENV": "{}",
    "PYTHONPATH": "{}",
    "PYTHONUSERBASE": "{}",
}


@TROUBLES
@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_a_persons_settings_send_no_package_elsewhere(
    tool: str, project: Project, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    settings = {key: value.format(tmp_path / "elsewhere") for key, value in ELSEWHERE.items()}
    if tool == "pip":
        settings["PIP_NO_INDEX"] = "1"
    assert f"with {tool}" in project.install("pipeline", settings=settings)
    assert project.holds("tiny") == ["1.0"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("place", ["global", "install"])
def test_neither_do_those_of_pips_own_file(place: str, project: Project, tmp_path: Path) -> None:
    lines = f"[{place}]\ntarget = {tmp_path}/elsewhere\nno-index = true\n"
    (tmp_path / "pip.conf").write_text(lines)
    settings = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    assert "with pip, as its settings name an index" in project.install(
        "pipeline", settings=settings
    )
    assert project.holds("tiny") == ["1.0"]
    assert not (tmp_path / "elsewhere").exists()


@TROUBLES
@pytest.mark.parametrize("how", ["moved", "copied"])
def test_an_environment_that_was_moved_or_copied_is_made_anew(
    how: str, project: Project, tmp_path: Path
) -> None:
    project.install("pipeline", "dev")
    other = Project(tmp_path / "another", project.wheels)
    if how == "moved":
        project.folder.rename(other.folder)
    else:
        shutil.copytree(project.folder, other.folder, symlinks=True)
    shown = other.install("pipeline")
    assert "Setting up .venv\nAdding requirements/pipeline.txt, requirements/dev.txt" in shown
    assert other.holds("tiny", "other") == ["1.0", "1.0"]
    assert (other.folder / ".venv/bin/pip").read_text().startswith("#!")
    assert str(project.folder) not in (other.folder / ".venv/bin/pip").read_text()
    assert other.install("pipeline", "dev") == ""


@TROUBLES
def test_an_environment_that_lacks_files_of_a_package_is_made_anew(project: Project) -> None:
    project.install("pipeline")
    (module,) = project.folder.glob(".venv/lib/python*/site-packages/tiny*.py")
    module.unlink()
    assert project.install("pipeline") == NEW
    assert module.exists()


@TROUBLES
def test_a_package_that_an_older_pip_built_is_there(project: Project) -> None:
    """As pip 23.0, that of Debian 12, leaves it."""
    project.install("pipeline")
    (site,) = (project.folder / ".venv").glob("lib/python*/site-packages")
    built = (site / "tiny-1.0.dist-info").rename(site / "tiny-1.0-py3.egg-info")
    (built / "METADATA").rename(built / "PKG-INFO")
    (built / "RECORD").unlink()
    (built / "installed-files.txt").write_text("../tiny.py\nPKG-INFO\n")
    assert project.install("pipeline") == ""


def test_uv_keeps_nothing_where_there_is_no_home(project: Project, tmp_path: Path) -> None:
    home = tmp_path / "nowhere"
    settings = {"HOME": str(home), "XDG_CACHE_HOME": "", "UV_CACHE_DIR": str(tmp_path / "kept")}
    assert project.install("pipeline", settings=settings) == NEW
    assert (tmp_path / "kept").exists()
    shutil.rmtree(project.folder / ".venv")
    environment = project.environment() | settings
    del environment["UV_CACHE_DIR"]
    done = run_in(project.folder)(*INSTALL, "pipeline", **environment)
    assert done.stdout + done.stderr == NEW
    assert not home.exists()


def test_a_file_in_the_place_of_the_environment_is_named_and_stays(project: Project) -> None:
    (project.folder / ".venv").write_text("tiny")
    shown = project.install("pipeline", succeeds=False)
    assert shown.endswith(".venv is a file, in the place of the environment: rename it.\n")
    assert (project.folder / ".venv").read_text() == "tiny"


def test_an_environment_whose_python_is_gone_is_made_anew(project: Project) -> None:
    project.install("pipeline")
    (project.folder / ".venv/bin/python").unlink()
    (project.folder / ".venv/bin/python").symlink_to("/gone/python3.11")
    assert project.install("pipeline") == NEW
    assert project.holds("tiny") == ["1.0"]


def test_an_environment_whose_python_is_another_now_is_made_anew(project: Project) -> None:
    project.install("pipeline")
    (site,) = project.folder.glob(".venv/lib/python*")
    site.rename(site.with_name("python3.1"))  # as of a Python before an upgrade
    assert project.install("pipeline") == NEW


def test_uv_compiles_what_it_adds_where_no_process_may_keep_what_it_compiles(
    project: Project,
) -> None:
    project.install("pipeline", settings={"PYTHONDONTWRITEBYTECODE": "1"})
    assert [*project.folder.glob(".venv/lib/python*/site-packages/__pycache__/tiny.*.pyc")]


def test_what_a_link_leads_to_stays(project: Project, tmp_path: Path) -> None:
    (tmp_path / "somebody's").mkdir()
    (tmp_path / "somebody's/file").touch()
    (project.folder / ".venv").symlink_to(tmp_path / "somebody's")
    assert project.install("pipeline") == NEW
    assert [path.name for path in (tmp_path / "somebody's").iterdir()] == ["file"]


def test_a_file_of_another_hash_is_not_installed(project: Project, wheels: dict[str, str]) -> None:
    project.lock("pipeline", wheels["packaging"], wheels["tiny"][:-5] + "0000\n")
    shown = project.install("pipeline", succeeds=False)
    assert shown.splitlines()[-1].startswith("The packages of requirements/pipeline.txt could not")
    (site,) = project.folder.glob(".venv/lib/python*/site-packages")
    assert not (site / "tiny.py").exists()


def test_two_at_once_wait_for_each_other(project: Project) -> None:
    processes = [
        subprocess.Popen(
            [*INSTALL, "pipeline"],
            cwd=project.folder,
            env=project.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    shown = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(shown) == ["", "", NEW]


def test_after_an_interrupt_the_same_command_goes_on(project: Project) -> None:
    process = subprocess.Popen(
        [*INSTALL, "pipeline"],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell has what it starts in the background ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    assert process.stdout.readline() == "Setting up .venv\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert said.endswith("Interrupted: the same command will go on with .venv.\n")
    project.install("pipeline")
    assert project.holds("tiny") == ["1.0"]


def test_a_lock_file_that_is_not_there_is_named(project: Project) -> None:
    shown = project.install("pipelines", succeeds=False)
    assert shown == (
        "requirements/pipelines.txt is missing: run this in the project's folder, with a name "
        "from there.\n"
    )


def test_make_finds_programs_by_their_path_not_on_path(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    copy_of_project(project)
    (project / ".venv").symlink_to(sys.prefix)
    decoys = tmp_path / "decoys"
    decoys.mkdir()
    for name in ("python", "pip", "uv", "dvc", "pytest", "ruff", "mypy"):
        (decoys / name).write_text("#!/bin/sh\necho A program of the system.\nexit 97\n")
        (decoys / name).chmod(0o755)
    path = os.pathsep.join([str(decoys), *clean_environment()["PATH"].split(os.pathsep)])
    make = ["make", f"PYTHON={sys.executable}", "REV=HEAD", "report"]
    assert "report.html" in run_in(project)(*make, PATH=path).stdout


def test_a_python_that_is_too_old_says_so() -> None:
    source = (ROOT / "tools/install.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    found = []
    for minor in range(6, 11):
        command = [f"python3.{minor}", "-m", "tools.install", "pipeline"]
        if not shutil.which(command[0]) or subprocess.call([command[0], "--version"]):
            continue  # pyenv's program of that name may only say that it is switched off
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        found.append(minor)
        assert done.returncode == 1
        assert done.stderr.startswith("Python 3.11 or later is needed, and ")
        assert done.stderr.endswith(": try make PYTHON=python3.11\n")
    if not found:
        pytest.skip("no Python before 3.11 is installed")
