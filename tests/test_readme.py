"""README and the pages of docs say what is so."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from stages.files import settings
from stages.learn.paired import LEVEL
from tests.conftest import ROOT, Run
from tools.pages.results import Results
from tools.report import findings
from tools.review import calibration
from tools.shared import generated

README = "README.md"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def commands(page: str, section: str) -> list[list[str]]:
    """Lines of each block of commands in a section of a page, comments left out.

    The section is named as in its heading; the page's title names what is before the first one.
    """
    _, found, text = f"\n{(ROOT / page).read_text()}".partition(f"# {section}\n")
    assert found, section
    text, _, _ = text.partition("\n## ")
    return [
        [re.sub(r"\s+# .*", "", line) for line in block.replace("\\\n", "").splitlines()]
        for block in re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


def test_the_results_are_those_of_the_committed_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert generated.part(findings.COMMAND) == findings.markdown_table(Results(None))


def test_the_page_of_reviews_has_the_table_of_calibration() -> None:
    found = pd.read_csv(ROOT / calibration.TABLE)
    assert generated.part(calibration.COMMAND, ROOT / calibration.PAGE) == (
        calibration.markdown_table(found)
    )


def test_the_level_of_a_review_holds_and_it_sees_what_it_promises() -> None:
    found = pd.read_csv(ROOT / calibration.TABLE)
    small, _, _ = found["model"].unique()
    sham = found[found["change"].str.startswith("sham")]
    assert sham.groupby("model")["called"].first()[small] <= 0.1
    others = sham[sham["model"] != small]
    assert (others["called_low"] <= LEVEL).all()
    assert (others["called_high"] >= LEVEL).all()
    matters = settings.load(ROOT / "params.yaml").noise.matters
    assert (sham.groupby("model")[f"same_{matters}"].first() >= 0.8).all()
    of_small = found[(found["model"] == small) & found["change"].str.contains("labels")]
    differences, called = of_small["difference"].to_numpy(), of_small["called"].to_numpy()
    assert (np.interp([0.005, 0.01], differences, called) >= [0.4, 0.8]).all()
    assert not (found[calibration.AS_LARGE] > LEVEL).any()


def test_the_six_lines_that_use_a_model_run(run: Run) -> None:
    (code,) = blocks("docs/models.md", "python")
    assert len(code.splitlines()) == 6
    done = run("python", "-P", "-c", code)
    assert re.fullmatch(r"\[\d \d \d \d \d\]\n", done.stdout)


def test_the_dataset_block_is_one_that_the_settings_accept() -> None:
    (block,) = blocks("docs/datasets.md", "yaml")
    yaml = YAML(typ="safe")
    params = yaml.load(ROOT / "params.yaml")
    example = yaml.load(block)
    params["data"]["datasets"] |= example["data"]["datasets"]
    params["data"]["dataset"] = example["data"]["dataset"]
    files = settings.check(params).data.source.files(Path())
    assert files["test_labels"] == Path("t10k-labels-idx1-ubyte.gz")
