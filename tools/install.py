"""Make or mend `.venv`: have it hold the packages of lock files, by version and hash.

    python3 -m tools.install pipeline dev      # what requirements/pipeline.txt and dev.txt name

uv installs them, in seconds: the one on PATH, or one that pip installs into `.venv` first. pip
installs them, in minutes, where its settings name an index of their own, and where uv fails. Both
add packages and remove none. Of the settings of a person, only those count that say where packages
come from. What an environment holds is asked of its own Python, each time.

This runs before anything is installed, and a Python that is too old must be able to say so: it
imports the standard library alone, and its syntax is that of Python 3.6.
"""

import argparse
import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    found = sys.version.split()[0]
    sys.exit(
        f"Python 3.11 or later is needed, and {sys.executable} is {found}: "
        "try make PYTHON=python3.11"
    )

VENV = Path(".venv")
PROGRAMS = "Scripts" if os.name == "nt" else "bin"
LOCKS = Path("requirements")
UV = Path(__file__).resolve().parents[1] / LOCKS / "uv.txt"

# Names of settings that say where packages come from, and how they are kept meanwhile.
OF_PIP = {
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "cert",
    "client-cert",
    "proxy",
    "timeout",
    "default-timeout",
    "retries",
    "keyring-provider",
    "use-feature",
    "cache-dir",
    "no-cache-dir",
}
OF_UV = re.compile(
    "UV_(.*INDEX.*|FIND_LINKS|OFFLINE|CACHE_DIR|NO_CACHE|LINK_MODE|KEYRING_PROVIDER|INSECURE_HOST"
    "|HTTP_.*|NATIVE_TLS|SYSTEM_CERTS)"
)
# What would have a Python, pip or uv work somewhere else.
ELSEWHERE = re.compile("PYTHON|PIP_|UV_|VIRTUAL_ENV|CONDA_|__PYVENV")

# Prints whether an environment is whole, and what it lacks of each lock file.
ASK = r"""
import csv, json, os, sys, sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

def is_lacking(line):
    from packaging.requirements import Requirement  # one of the packages
    requirement = Requirement(line)
    if requirement.marker and not requirement.marker.evaluate():
        return False
    try:
        package = distribution(requirement.name)
    except PackageNotFoundError:
        return True
    record = csv.reader((package.read_text("RECORD") or "").splitlines())
    files = [row[0] for row in record if not row[0].endswith(".pyc")]
    whole = files and all(os.path.exists(package.locate_file(file)) for file in files)
    # An older pip has another list of what it built itself.
    if not whole and not package.read_text("installed-files.txt"):
        damaged.append(requirement.name)
    return package.version not in requirement.specifier

def lacking(lock):
    lines = Path(lock).read_text(encoding="utf-8").splitlines()
    lines = [line.rstrip(" \\") for line in lines if line[:1].isalnum()]
    try:
        lines = [line for line in lines if is_lacking(line)]
    except ImportError:
        pass
    return [line.split("==")[0] for line in lines]

damaged = []
packages = [lacking(lock) for lock in sys.argv[1:]]
there = sys.version_info >= (3, 11) and Path(sysconfig.get_path("purelib")).is_dir()
print(json.dumps([there and not damaged, packages]))
"""


class InstallError(Exception):
    """An environment cannot be made: why, and what to do."""


def make(venv: Path, locks: list[Path]) -> Path:
    """Have an environment hold all packages of some lock files.

    Parameters
    ----------
    venv
        Its folder. What it holds besides stays. Where it was moved or copied here, its Python is
        gone or another, or files of a package are gone, it is made anew, with the same lock files.
    locks
        With versions and hashes.

    Returns
    -------
    Path
        Its Python.

    Raises
    ------
    InstallError
        If it cannot be made.
    """
    python = python_of(venv)
    missing = lacking(venv, locks)
    if missing is None:
        locks = [*locks, *(lock for lock in held(venv) if lock not in locks)]
        print(f"Setting up {venv}", flush=True)
        if venv.is_file():
            raise InstallError(f"{venv} is a file, in the place of the environment: rename it.")
        if venv.is_symlink():  # what it leads to is somebody's own
            venv.unlink()
        if not run([sys.executable, "-m", "venv", "--clear", str(venv)], clean()):
            raise InstallError(
                f"{venv} could not be made (the error message is above). On Debian and Ubuntu the "
                "package python3-venv may be missing."
            )
        missing = lacking(venv, locks)
    if missing == []:
        return python
    names, settings = ", ".join(map(str, locks)), pip_settings(python)
    if {"index-url", "no-index"} & settings.keys():
        print(f"Adding {names} with pip, as its settings name an index: some minutes", flush=True)
    else:
        print(f"Adding {names} with uv", flush=True)
        if with_uv(python, locks, settings) and lacking(venv, locks) == []:
            return python
        print(f"uv did not add them; adding {names} with pip: some minutes", flush=True)
    if not with_pip(python, locks, settings):
        raise InstallError(
            f"The packages of {names} could not be installed (the error message is above): check "
            "the connection and the space on the disk, then run the command again."
        )
    missing = lacking(venv, locks)
    if missing != []:
        what = ", ".join(missing or ["a Python that works"])
        raise InstallError(f"{venv} still lacks {what}: remove {venv}, then run the command again.")
    return python


def python_of(venv: Path) -> Path:
    """Path of an environment's Python."""
    return venv / PROGRAMS / "python"


def lacking(venv: Path, locks: list[Path]) -> list[str] | None:
    """Packages that an environment lacks; None if there is none that works where it lies."""
    command = [str(python_of(venv)), "-I", "-c", ASK, *map(str, locks)]
    try:
        activate = (venv / PROGRAMS / "activate").read_text(encoding="utf-8", errors="replace")
        asked = subprocess.run(command, env=clean(), capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    places = {str(venv.absolute()), str(venv.resolve())}
    whole, packages = json.loads(asked.stdout)
    if not whole or not any(p in activate or shlex.quote(p) in activate for p in places):
        return None
    return [package for of_lock in packages for package in of_lock]


def held(venv: Path) -> list[Path]:
    """Lock files of the project whose packages an environment seems to hold."""
    places = ("lib/python*/site-packages", "Lib/site-packages")
    folders = [folder for place in places for folder in venv.glob(f"{place}/*-info")]
    there = {_normalized(folder.name.split("-")[0]) for folder in folders}
    found = []
    for lock in sorted(LOCKS.glob("*.txt")):
        # A package with a condition may not be wanted here.
        lines = re.findall("^(.+)==[^;]*$", lock.read_text(encoding="utf-8"), re.MULTILINE)
        if there.issuperset(map(_normalized, lines)):
            found.append(lock)
    return found


def _normalized(package: str) -> str:
    return re.sub("[-_.]+", "-", package).lower()


def pip_settings(python: Path) -> dict[str, str]:
    """What pip's files and variables say of where packages come from."""
    command = [str(python), "-I", "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    settings = {}
    for section in ("global", "install", ":env:"):  # the last one counts
        for key, value in re.findall(f"^{section}\\.(.+?)=(.+)$", listed, re.MULTILINE):
            if key in OF_PIP:
                settings[key] = ast.literal_eval(value)
    return settings


def with_pip(python: Path, locks: list[Path], settings: dict[str, str]) -> bool:
    """Add packages with pip; tell whether it says that it did."""
    variables = {f"PIP_{key.upper().replace('-', '_')}": v for key, v in settings.items()}
    command = [str(python), "-I", "-m", "pip", "install", "--quiet", "--require-hashes"]
    return run(
        [*command, "--disable-pip-version-check", *_named(locks)],
        {**clean(), **variables, "PIP_CONFIG_FILE": os.devnull},
    )


def with_uv(python: Path, locks: list[Path], settings: dict[str, str]) -> bool:
    """Add packages with uv, which pip adds first if there is none; tell whether it says it did."""
    uv = shutil.which("uv") or str(python.with_name("uv"))
    if not Path(uv).exists() and not with_pip(python, [UV], settings):
        return False
    of_pip = {"SSL_CERT_FILE": settings.get("cert"), "ALL_PROXY": settings.get("proxy")}
    variables = {
        **{name: value for name, value in of_pip.items() if value},
        "UV_NATIVE_TLS": "true",  # the system's certificates, in the words of older versions
        "UV_SYSTEM_CERTS": "true",
        **clean(),
        **{name: value for name, value in os.environ.items() if OF_UV.fullmatch(name)},
    }
    command = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(python)]
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):  # else each process would compile all anew
        command.append("--compile-bytecode")
    home = os.path.expanduser("~")  # noqa: PTH111 - Path fails for a user without a name
    if "UV_CACHE_DIR" not in os.environ and not os.access(home, os.W_OK):
        command.append("--no-cache")
    return run([*command, *_named(locks)], variables)


def _named(locks: list[Path]) -> list[str]:
    """Lock files as pip and uv are told of them."""
    return [part for lock in locks for part in ("--requirement", str(lock))]


def clean() -> dict[str, str]:
    """Variables of this process, without those that have Python, pip or uv work elsewhere."""
    return {name: value for name, value in os.environ.items() if not ELSEWHERE.match(name)}


def run(command: list[str], environment: dict[str, str]) -> bool:
    """Run a command; tell whether it succeeded."""
    try:
        return (
            subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode == 0
        )
    except OSError as error:
        print(error, file=sys.stderr)
        return False


def main(names: list[str]) -> None:
    """Have `.venv` hold what these lock files name."""
    parser = argparse.ArgumentParser(prog="install", description=__doc__.split("\n")[0])
    parser.add_argument("locks", nargs="+", metavar="NAME", help="of requirements/NAME.txt")
    locks = [LOCKS / f"{name}.txt" for name in parser.parse_args(names).locks]
    for lock in locks:
        if not lock.is_file():
            sys.exit(
                f"{lock} is missing: run this in the project's folder, with a name from there."
            )
    try:
        with alone():
            make(VENV, locks)
    except InstallError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(f"Interrupted: the same command will go on with {VENV}.")


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process of this project installs; on Windows nothing is waited for."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder = os.open(LOCKS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
