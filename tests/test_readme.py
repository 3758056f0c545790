"""The README says what is so."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from stages.common import settings
from tests.conftest import ROOT, Run, metrics

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


def test_the_results_are_those_of_the_committed_metrics() -> None:
    cells = [row.split("|")[-2].strip() for row in README.splitlines() if row.startswith("| ")]
    mlp, svm, kmeans = metrics("mlp"), metrics("svm"), metrics("kmeans")
    compare = metrics("compare")
    cv = pd.read_csv(ROOT / "plots/mlp_cv.csv", dtype={"architecture": str})
    means = cv.groupby(["samples", "architecture"], sort=False)["accuracy"].mean()

    def error(model: dict[str, Any]) -> str:
        return f"{model['test_error']:.4f} ± {model['test_error_margin95']:.4f}"

    for expected in (
        ", ".join(f"{mean:.3f}" for mean in means[500]),
        f"{mlp['small']['architecture']}, {error(mlp['small'])}",
        ", ".join(f"{mean:.4f}" for mean in means[10000]),
        f"{mlp['large']['architecture']}, {error(mlp['large'])}",
        f"{svm['kernel']}, C = {svm['C']}, gamma = {svm['gamma']}",
        f"{svm['train_error']:.4f}, {error(svm)}",
        f"{kmeans['best_k']}",
        f"purity {kmeans['purity']:.4f}, adjusted Rand index {kmeans['adjusted_rand']:.4f}",
        f"{compare['better'].upper()}: error lower by {abs(compare['error_difference']):.4f} ± "
        f"{compare['error_difference_margin95']:.4f}",
    ):
        assert expected in cells


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
