"""The README says what is so."""

import re
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from stages.files import settings
from tests.conftest import ROOT, Run
from tools.pages.results import Results
from tools.report import findings
from tools.review import calibration, verdicts
from tools.shared import readme

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(section: str) -> list[list[str]]:
    """Lines of each block of commands in a section, comments left out."""
    _, found, text = README.partition(f"\n## {section}\n")
    assert found, section
    text, _, _ = text.partition("\n## ")
    return [
        [re.sub(r"\s+# .*", "", line) for line in block.replace("\\\n", "").splitlines()]
        for block in re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


def test_the_results_are_those_of_the_committed_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert readme.part(findings.COMMAND) == findings.markdown_table(Results(None))


def test_pairs_of_seeds_are_called_what_the_readme_says() -> None:
    pairs = pd.read_csv(ROOT / calibration.TABLE)
    real = pairs["verdict"] == verdicts.REAL
    counts = {
        "SEED": pairs["differs"] == "seed",
        "LABELS": pairs["differs"] == "labels",
    }
    assert [int(which.sum()) for which in counts.values()] == [calibration.PAIRS] * 2
    assert (real & counts["SEED"]).sum() <= 2
    by_images = (pairs["p_images"] < verdicts.LEVEL) & counts["SEED"]
    text = " ".join(README.split())
    assert f"p is below {verdicts.LEVEL} in {by_images.sum()}, and the verdict" in text
    assert f"the verdict is *real* in {(real & counts['SEED']).sum()};" in text
    assert f"was flipped, in {(real & counts['LABELS']).sum()} (" in text


def test_the_six_lines_that_use_a_model_run(run: Run) -> None:
    (code,) = blocks("python")
    assert len(code.splitlines()) == 6
    done = run("python", "-P", "-c", code)
    assert re.fullmatch(r"\[\d \d \d \d \d\]\n", done.stdout)


def test_the_dataset_block_is_one_that_the_settings_accept() -> None:
    (block,) = blocks("yaml")
    yaml = YAML(typ="safe")
    params = yaml.load(ROOT / "params.yaml")
    example = yaml.load(block)
    params["data"]["datasets"] |= example["data"]["datasets"]
    params["data"]["dataset"] = example["data"]["dataset"]
    files = settings.check(params).data.source.files(Path())
    assert files["test_labels"] == Path("t10k-labels-idx1-ubyte.gz")


def test_what_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    for command in re.findall(r"^\| `make ?(\w*)`", README, re.MULTILINE):
        assert f"\n{command or 'all'}:" in (ROOT / "Makefile").read_text()
