"""Compare the original notebook's findings with a revision's: the table of README and report."""

from typing import Any

from tools.pages import markdown
from tools.pages.results import DRAWS, Results

COMMAND = "python -m tools.report --readme"  # writes the table into README.md
HEAD = ["", "original notebook", "here"]
OPEN = "left open"
DATASET = "fashion-mnist"  # of the notebook

# Numbers as the notebook printed them. It tested on the training images that it did not train on.
ORIGINAL = {
    "small_cv": "10: 0.636, 50: 0.752, 100: 0.768, 10-10: 0.538, 50-50: 0.726, 100-100: 0.740",
    "small": "100 units: 0.215",
    "large_cv": "10: 0.7797, 50: 0.8405, 100: 0.8528, "
    "10-10: 0.7980, 50-50: 0.8378, 100-100: 0.8457",
    "large": "100 units: 0.152",
    "kernel": "rbf, C = 10, gamma = 0.01",
    "svm": "0.0171 and 0.1203",
}


def findings(results: Results) -> list[list[str]]:
    """Return rows of the table: a question, the original's answer, the revision's answer."""
    small, large = (results.metrics["mlp"][size] for size in ("small", "large"))
    svm, kmeans = results.metrics["svm"], results.metrics["kmeans"]
    few, many = (f"network, {sample_count(model)} images" for model in (small, large))
    return [
        [
            f"{few}: accuracy in cross-validation, by units in each hidden layer",
            ORIGINAL["small_cv"],
            mean_accuracies(results, small, 3),
        ],
        [
            "… the best, and its test error",
            ORIGINAL["small"],
            f"{winner(small)}: {error_with_margin(small)}",
        ],
        [
            f"{many}: accuracy in cross-validation",
            ORIGINAL["large_cv"],
            mean_accuracies(results, large, 4),
        ],
        [
            "… the best, and its test error",
            ORIGINAL["large"],
            f"{winner(large)}: {error_with_margin(large)}",
        ],
        [
            f"SVM, {sample_count(svm)} images: the best kernel and hyperparameters",
            ORIGINAL["kernel"],
            kernel(svm),
        ],
        [
            "… its training and test error",
            ORIGINAL["svm"],
            f"{svm['train_error']:.4f} and {error_with_margin(svm)}",
        ],
        [
            f"K-means, {sample_count(kmeans)} images: the number of clusters that silhouettes "
            "choose",
            OPEN,
            str(kmeans["best_k"]),
        ],
        [
            f"… {kmeans['clusters']} clusters against the {len(results.labels)} labels",
            OPEN,
            f"purity {kmeans['purity']:.4f}, adjusted Rand index {kmeans['adjusted_rand']:.4f}",
        ],
        [
            "network or SVM, on the same test images?",
            OPEN,
            network_or_svm(results),
        ],
    ]


def markdown_table(results: Results) -> str:
    """Return the table as Markdown for README.md."""
    return markdown.table(HEAD, findings(results), 0) + "\n"


def better(results: Results) -> str:
    """Return which of the two has the smaller test error on other draws: svm, mlp, or words."""
    if results.content(DRAWS) is None:
        return f"not known: {results.name} has no draws of each image; `dvc repro noise` there"
    answer: str = results.metrics["compare"]["better"]
    return answer


def network_or_svm(results: Results) -> str:
    """Say which of the two has the smaller test error on other draws, and by how much."""
    compare, answer = results.metrics["compare"], better(results)
    if "error_difference" not in compare or results.content(DRAWS) is None:
        return answer
    name = {"svm": "SVM", "mlp": "network"}.get(answer)
    by = f"{abs(compare['error_difference']):.4f} ± {compare['error_difference_margin95']:.4f}"
    if name:
        return f"{name}: error on other draws lower by {by}"
    return f"{answer}: errors on other draws differ by {by}"


def sample_count(model: dict[str, Any]) -> str:
    """Format the number of images that a model was fitted to."""
    return f"{model['samples']:,}"


def winner(network: dict[str, Any]) -> str:
    """Format an architecture."""
    return f"{network['architecture']} units"


def error_with_margin(model: dict[str, Any]) -> str:
    """Format a test error with the margin of its confidence interval at 95 %."""
    return f"{model['test_error']:.4f} ± {model['test_error_margin95']:.4f}"


def kernel(svm: dict[str, Any]) -> str:
    """Format a kernel and its parameters."""
    others = (f"{key} = {svm[key]}" for key in ("C", "gamma", "degree") if key in svm)
    return ", ".join([svm["kernel"], *others])


def mean_accuracies(results: Results, network: dict[str, Any], digits: int) -> str:
    """Format the mean accuracy of each architecture in one of both searches."""
    table = results.table("mlp_cv")
    chosen = table[table["samples"] == network["samples"]]
    means = chosen.groupby("architecture", sort=False)["accuracy"].mean()
    return ", ".join(f"{name}: {mean:.{digits}f}" for name, mean in means.items())
