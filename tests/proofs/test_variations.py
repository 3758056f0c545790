"""Several things about the machine differ at once, and every byte of the results stays.

The list follows that of reprotest, Debian's tool for reproducible builds.
"""

import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import forget_results, results, run_in
from tests.proofs.conftest import tool


class Variation(NamedTuple):
    """What differs, and how it is seen.

    Attributes
    ----------
    under : str
        What is written before a command.
    question, answer : str
        A command that is run so too, and what it must print.
    folder : str
        Name of the project's folder.
    """

    under: str
    question: str
    answer: str
    folder: str = "project"


# Words before a command; each leaves what it makes beside the project.
NEEDED = ("taskset", "setarch", "localedef", "faketime", "unshare", "disorderfs")
LOCALE = """sh -c 'localedef -i "${0%.*}" -f "${0#*.}" "../$0" &&
export LC_ALL="$0" LOCPATH=.. && exec "$@"'"""
UMASK = """sh -c 'umask 077 && exec "$@"' sh"""
HOME = """sh -c 'mkdir -p ../home && HOME=$(realpath ../home) && exec "$@"' sh"""
USER = "unshare --user --map-user=1234 --map-group=1234 env USER=somebody LOGNAME=somebody"
HOST = """unshare --map-root-user --uts sh -c 'hostname elsewhere && exec "$@"' sh"""
TERMINAL = """python -c '
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))'"""
# The project is seen through disorderfs, in its place: a folder's files are listed from Z to A.
BACKWARDS = """unshare --map-root-user --mount --pid --fork --mount-proc sh -c '
mkdir -p ../behind && mount --bind . ../behind &&
disorderfs -q -o nonempty --sort-dirents=yes --reverse-dirents=yes ../behind "$PWD" &&
cd "$PWD" && "$@"' sh"""
BLAS = "env OPENBLAS_CORETYPE=SkylakeX OPENBLAS_NUM_THREADS=3 OMP_NUM_THREADS=3"
LOOPS = "env 'NPY_ENABLE_CPU_FEATURES=X86_V3 X86_V4' NPY_DISABLE_CPU_FEATURES="
CHUNKS = "env SKLEARN_WORKING_MEMORY=1 SKLEARN_PAIRWISE_DIST_CHUNK_SIZE=50"

FITS = "python -c 'from stages.run import concurrency; print(concurrency.at_once())'"
LETTERS = "python -c 'import sys; print(sys.stdout.encoding)'"
RANDOM = "python -c 'import sys; print(sys.flags.hash_randomization)'"
MEMORY = "python -c 'import sklearn; print(sklearn.get_config()[\"working_memory\"])'"
ODD = "ein Pfad, 'so' & söwas · 衣服"

# What differs in one run: a run takes long. To find the one that changes bytes, divide its group.
VARIATIONS: list[dict[str, Variation]] = [
    {
        "core": Variation("taskset --cpu-list 0", FITS, "1"),
        "order of sets": Variation("env PYTHONHASHSEED=0", RANDOM, "0"),
        "addresses in memory": Variation("setarch -R", "cat /proc/self/personality", "00040000"),
        "decimal point": Variation(f"{LOCALE} de_DE.UTF-8", "locale decimal_point", ","),
        "time zone": Variation("env TZ=XYZ-13:45", "date +%z", "+1345"),
        "umask": Variation(UMASK, "umask", "0077"),
        "home": Variation(HOME, 'basename "$HOME"', "home"),
    },
    {
        "number of processes: 1": Variation("env FIT_PROCESSES=1", FITS, "1"),
        "kernel": Variation("setarch --uname-2.6", "uname -r | cut -c -4", "2.6."),
        "small letter of I": Variation(f"{LOCALE} tr_TR.UTF-8", "echo I | sed 's/I/\\L&/'", "ı"),
        "path": Variation("env", 'basename "$PWD"', ODD, folder=ODD),
        "user than root": Variation(USER, "id --user", "1234"),
    },
    {
        "number of processes: 2": Variation("env FIT_PROCESSES=2", FITS, "2"),
        "BLAS": Variation(BLAS, "echo $OPENBLAS_CORETYPE", "SkylakeX"),
        "encoding: Latin 1": Variation(f"{LOCALE} de_DE.ISO-8859-1", LETTERS, "iso8859-1"),
        "year": Variation("faketime 2041-02-03", "date +%Y", "2041"),
        "host": Variation(HOST, "hostname", "elsewhere"),
        "kind of output: a terminal": Variation(TERMINAL, "test -t 1 && echo terminal", "terminal"),
    },
    {
        "number of processes: 5": Variation("env FIT_PROCESSES=5", FITS, "5"),
        "loops": Variation(LOOPS, "echo $NPY_ENABLE_CPU_FEATURES", "X86_V3 X86_V4"),
        "size of chunks": Variation(CHUNKS, MEMORY, "1"),
        "encoding: ASCII": Variation(
            "env LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0", LETTERS, "ascii"
        ),
        "order of files": Variation(BACKWARDS, "ls -U | sort --check --reverse && echo so", "so"),
    },
]


@pytest.mark.parametrize(
    "variations",
    [
        pytest.param(group, marks=pytest.mark.figure("variations held", len(group)))
        for group in VARIATIONS
    ],
    ids=", ".join,
)
def test_every_byte_is_the_same_with_another(
    variations: dict[str, Variation], project: Path, tmp_path: Path
) -> None:
    under = [variation.under for variation in variations.values()]
    for name in NEEDED:
        if name in " ".join(under):
            tool(name)
    if LOCALE in " ".join(under) and not Path("/usr/share/i18n/locales").is_dir():
        pytest.skip("locales is not installed")
    before = results(project)
    folder = next((v.folder for v in variations.values() if v.folder != project.name), project.name)
    project = project.rename(tmp_path / folder)
    run = run_in(project)
    words = shlex.split(" ".join(under))
    for variation in variations.values():
        assert run(*words, "sh", "-c", variation.question).stdout.strip() == variation.answer
    forget_results(project)
    run(*words, "dvc", "repro")
    assert results(project) == before
    assert run("git", "status", "--porcelain").stdout == ""
