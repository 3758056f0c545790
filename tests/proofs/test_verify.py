"""`verify` runs a commit from scratch, and finds what was made to look as if it were made."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import Run, results
from tests.test_verify import cached, locked, replace_in
from tools.verify.checks import md5

# glibc's `exp` and `log` without its FMA and AVX2 forms: another C library, as it were.
OTHER_LIBM = "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"


def verify(run: Run, code: int, *arguments: str, **environment: str) -> str:
    """What `verify` prints, in the current environment, if it ends with a code."""
    done = run(
        "python", "-m", "tools.verify", "--here", *arguments, succeeds=code == 0, **environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def verdicts(project: Path) -> dict[str, str]:
    """The verdict on every output, from the report as JSON."""
    report = json.loads((project / "report.json").read_text())
    return {row["output"]: row["verdict"] for row in report["outputs"]}


def test_a_commit_of_its_own_results_is_identical_and_the_workspace_is_not_touched(
    project: Path, run: Run, tmp_path: Path
) -> None:
    (project / "metrics/svm.json").write_text("not committed\n")
    (project / "stages/kmeans.py").write_text("not committed\n")
    before, status = results(project), run("git", "status", "--porcelain").stdout
    (tmp_path / "empty").mkdir()
    text = verify(run, 0, "--json", str(tmp_path / "report.json"), TMPDIR=str(tmp_path / "empty"))
    assert text.splitlines()[-1].startswith("Identical")
    assert (results(project), run("git", "status", "--porcelain").stdout) == (before, status)
    assert list((tmp_path / "empty").iterdir()) == []
    found = verdicts(tmp_path)
    assert set(found.values()) == {"identical"}
    lock = YAML(typ="safe").load(project / "dvc.lock")
    assert set(found) == {out["path"] for s in lock["stages"].values() for out in s["outs"]}
    machine = json.loads((tmp_path / "report.json").read_text())["machine"]
    assert re.match(r"glibc \d", machine["libc"])
    assert machine["threads_per_fit"] == 1
    assert all("Haswell" in blas for blas in machine["blas"])


def test_a_forgery_that_agrees_with_itself_is_found_out_by_the_run(project: Path, run: Run) -> None:
    """A metric is polished, a picture, a table and a model are replaced, all with their hashes."""
    forged = {}
    replace_in(project / "metrics/kmeans.json", '"purity": 0.', '"purity": 0.9')
    shutil.copy(project / "plots/data.png", project / "plots/mistakes.png")
    table = (project / "plots/silhouette.csv").read_text()
    (project / "plots/silhouette.csv").write_text(table.replace("0.2", "0.3", 1))
    for path in ("metrics/kmeans.json", "plots/mistakes.png", "plots/silhouette.csv"):
        forged[path] = md5((project / path).read_bytes())
    model = (project / "models/mlp.skops").read_bytes()
    forged["models/svm.skops"] = md5(model)
    place = cached(project, forged["models/svm.skops"])
    place.parent.mkdir(exist_ok=True)
    shutil.copy(project / "models/mlp.skops", place)
    for path, digest in forged.items():
        replace_in(project / "dvc.lock", locked(project, path), digest)  # where it is read, too
    run("git", "commit", "--quiet", "--all", "--message=better")
    assert run("python", "-m", "tools.verify", "--quick").returncode == 0

    text = verify(run, 1, "--json", "report.json")
    found = verdicts(project)
    assert {path for path, verdict in found.items() if verdict != "identical"} == set(forged)
    # K-means' metrics differ, so what else its run made otherwise is no mere matter of bytes.
    assert found["metrics/kmeans.json"] == found["plots/silhouette.csv"] == "different"
    assert found["plots/mistakes.png"] == "same metrics, other bytes"
    for difference in (
        r"metrics/kmeans\.json: purity: 0\.9\d+ → 0\.\d+ \(-0\.\d+\)",
        r"plots/mistakes\.png: pixels: \d+×\d+ → \d+×\d+$",
        r"plots/silhouette\.csv: row 1, silhouette: 0\.3\d+ → 0\.2\d+ \(-0\.1\)",
        r"models/svm\.skops: __class__: MLPClassifier → SVC; \d+ more differ",
    ):
        assert re.search(f"^{difference}", text, re.MULTILINE), text
    assert text.splitlines()[-1].startswith("Different: the committed code does not give")


def test_a_metric_polished_without_its_hash_is_found_out_by_both(project: Path, run: Run) -> None:
    replace_in(project / "metrics/kmeans.json", '"purity": 0.', '"purity": 0.9')
    locked(project, "models/svm.skops", "0" * 32)
    run("git", "commit", "--quiet", "--all", "--message=better")
    text = verify(run, 1)
    assert "   metrics/kmeans.json in Git is not what kmeans wrote: its hash differs." in text
    assert re.search(r"^metrics/kmeans\.json: purity: 0\.9\d+ → ", text, re.MULTILINE)
    # Of a hash that nothing has, no more can be said.
    assert (
        "models/svm.skops: its hash is not the one in dvc.lock; the committed file is not" in text
    )


def test_a_c_library_without_fma_gives_the_same_metrics_and_other_bytes_and_is_told_so(
    project: Path, run: Run
) -> None:
    tunable = subprocess.run(["getconf", "GNU_LIBC_VERSION"], capture_output=True, check=False)
    if tunable.returncode:
        pytest.skip("the C library is not glibc")
    text = verify(run, 2, "--json", "report.json", GLIBC_TUNABLES=OTHER_LIBM)
    found = verdicts(project)
    others = {path for path, verdict in found.items() if verdict != "identical"}
    assert "models/mlp.skops" in others
    assert {path.split("/")[0] for path in others} == {"models"}
    assert {found[path] for path in others} == {"same metrics, other bytes"}
    assert re.search(r"^models/mlp\.skops: \S+: .* differ, by at most \S+e-\d+", text, re.MULTILINE)
    assert text.splitlines()[-1].startswith("Same metrics, other bytes")


def test_a_run_that_fails_ends_in_a_sentence(project: Path, run: Run) -> None:
    (project / "stages/kmeans.py").write_text("raise SystemExit('no clusters today')\n")
    run("git", "commit", "--quiet", "--all", "--message=broken")
    done = run("python", "-m", "tools.verify", "--here", succeeds=False)
    assert done.returncode == 1
    assert "no clusters today" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("The pipeline failed: ")
    assert "Traceback" not in done.stderr
