"""Model cards: what each model is, how often it is wrong, and what it must not be used for.

skops writes them (`skops.card`). Every number comes from metrics and parameters.
"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from skops.card import Card

from stages.learn.networks import network, widths
from tools.pages import markdown
from tools.pages.blocks import Block, Caution, Folded, Heading, Table, Text
from tools.pages.results import MODELS, Model, Results, draws
from tools.report.findings import DATASET, error_with_margin, kernel, sample_count, winner

SETTINGS = "Settings of the estimator"
LEVEL = 0.95  # of the intervals of classes, by Wilson's method


def cards(results: Results) -> dict[str, str]:
    """Write the card of each model in Markdown, by the name of its file."""
    return {f"card-{model.stem}.md": _card(results, model) for model in MODELS}


def folded(results: Results) -> Iterator[Block]:
    """The cards as blocks of a page."""
    yield Heading("Model cards")
    yield Text("What each model is, how often it is wrong, and what it must not be used for.")
    for model in MODELS:
        parts = [[Heading(title, 3), *blocks] for title, blocks in sections(results, model)]
        parts.append([Heading(SETTINGS, 3), Text(_own(_estimator(results, model)))])
        yield Folded(model.name, [block for part in parts for block in part])


def sections(results: Results, model: Model) -> Iterator[tuple[str, list[Block]]]:
    """The sections of a card, but for the settings of the estimator: title and blocks."""
    about, metrics = results.metrics["data"], model.of(results.metrics)
    dataset, is_svm = about["dataset"], model.stem == "svm"
    what = f"SVM ({kernel(metrics)})" if is_svm else f"neural network ({winner(metrics)})"
    yield (
        "What it is",
        [
            Text(
                f"The best {what} that a study on {dataset} fitted to {sample_count(metrics)} "
                f"images, in `models/{model.stem}.skops`; `docs/models.md` says how to load it. It "
                "takes one grey picture of "
                f"{about['image_shape']} pixels, flattened to values from 0 (black) to 1 (white): "
                "a bright thing on black. It answers with the position of a label, counted from 0: "
                f"{', '.join(results.labels)}."
            )
        ],
    )
    at_home = (
        "On photos that people take of their clothes at home, the study's models are mostly wrong "
        "(`docs/models.md` has figures). "
    )
    yield (
        "What it must not be used for",
        [
            Caution(
                "It always answers with one of these labels, whatever it is shown: a face, a "
                "street, noise. Do not read its scores as how sure it can be."
            ),
            Text(
                f"It knows only pictures like those of {dataset}. "
                f"{at_home * (dataset == DATASET)}Do not use it for a decision about a person, or "
                "for one whose mistakes cost anyone anything. It was made to compare methods."
            ),
        ],
    )
    folds = results.params["svm.folds" if is_svm else "mlp.folds"]
    searched = results.params["svm.search_samples"] if is_svm else metrics["samples"]
    yield (
        "Data",
        [
            Text(
                f"Fitted to {sample_count(metrics)} of the {sum(about['train'].values()):,} "
                f"training images of {dataset}, drawn at random (seed {results.params['seed']}). "
                f"Its settings were chosen by cross-validation on {searched:,} training images in "
                f"{folds} folds, with an error of {1 - metrics['cv_accuracy']:.4f}. The "
                f"{sum(about['test'].values()):,} test images served neither purpose."
            )
        ],
    )
    yield (
        "Errors",
        [
            Table(
                "",
                ["images", "share that it gets wrong"],
                [
                    ["those it was fitted to", f"{metrics['train_error']:.4f}"],
                    [
                        "test images: this model, ± margin of error at 95 %",
                        error_with_margin(metrics),
                    ],
                    ["test images: mean of refits, ± standard deviation", draws(results, model)],
                ],
                1,
            ),
            Text(
                "The margin is that of the choice of test images. Refits are fits of the same "
                "model to other random training images."
            ),
        ],
    )
    yield (
        "Errors of each class",
        [
            _of_classes(results, model),
            Text(
                "Images wrong: the share of a label's test images that get another answer. Answers "
                "wrong: the share of a label's answers that other images get."
            ),
        ],
    )


def _of_classes(results: Results, model: Model) -> Table:
    """How often the images of each class are taken for others, and others for it."""
    names, (actual, predicted) = results.labels, results.predictions(model)
    head = ["label", "images wrong", "interval at 95 %", "most often taken for", "answers wrong"]
    rows = []
    for i in np.unique(actual):
        answers, given = predicted[actual == i], actual[predicted == i]
        wrong = int((answers != i).sum())
        test = binomtest(wrong, len(answers)).proportion_ci(LEVEL, "wilson")
        taken = np.bincount(answers[answers != i], minlength=len(names))
        rows.append(
            [
                names[i],
                f"{wrong / len(answers):.3f}",
                f"{test.low:.3f} to {test.high:.3f}",
                names[int(taken.argmax())] if wrong else "–",
                f"{np.mean(given != i):.3f}" if len(given) else "–",
            ]
        )
    return Table("", head, rows, 4)


def _card(results: Results, model: Model) -> str:
    """A card in Markdown."""
    estimator = _estimator(results, model)
    card = Card(estimator, model_diagram=False, template=None)
    top = f"Model card: {model.name}"
    for title, blocks in sections(results, model):
        card.add(**{f"{top}/{title}": markdown.render(blocks).strip()})
    card.add_hyperparams(f"{top}/{SETTINGS}", _own(estimator))
    return card.render().rstrip() + "\n"


def _own(estimator: MLPClassifier | SVC) -> str:
    """Name the settings of an estimator that are not scikit-learn's."""
    usual = type(estimator)().get_params()
    own = (f"{key} = {v}" for key, v in estimator.get_params().items() if v != usual[key])
    return f"Other than scikit-learn's defaults: {', '.join(own) or 'none'}."


def _estimator(results: Results, model: Model) -> MLPClassifier | SVC:
    """The estimator of a model with its settings, not fitted."""
    metrics, params = model.of(results.metrics), results.params
    if model.stem == "svm":
        return SVC(
            **{key: metrics[key] for key in ("kernel", "C", "gamma", "degree") if key in metrics}
        )
    names = MLPClassifier().get_params()
    given = {name: params[f"mlp.{name}"] for name in names if f"mlp.{name}" in params}
    return network(widths(metrics["architecture"]), params["seed"], **given)
