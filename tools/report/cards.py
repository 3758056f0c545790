"""Model cards: what each model is, how often it is wrong, and what it must not be used for.

skops writes them (`skops.card`), from metrics and parameters alone: nothing in them is by hand.
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
from tools.report.findings import error_with_margin, sample_count

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
        yield Folded(model.name, [block for part in parts for block in part])


def sections(results: Results, model: Model) -> Iterator[tuple[str, list[Block]]]:
    """The sections of a card, but for the settings of the estimator: title and blocks."""
    about, metrics = results.metrics["data"], model.of(results.metrics)
    yield (
        "What it is",
        [
            Text(
                f"{model.name} of the study on {about['dataset']}, in "
                f"`models/{model.stem}.skops`. It takes one grey picture of "
                f"{about['image_shape']} pixels from 0 to 1, bright on black, and answers with "
                f"one of {len(results.labels)} labels: {', '.join(results.labels)}."
            )
        ],
    )
    yield (
        "What it must not be used for",
        [
            Caution(
                "It answers with one of its labels whatever it is shown, also a face, a street or "
                "nothing. It cannot say that it does not know, and its scores are no "
                "probabilities of being right."
            ),
            Text(
                f"It knows only pictures like those of {about['dataset']}. Photos that people take "
                "of their own things are not such pictures: `docs/models.md` says how often it is "
                "wrong on them. No decision about a person, and none that costs somebody "
                "something, may rest on its answer. It was made to compare methods on a data set "
                "of a study."
            ),
        ],
    )
    yield (
        "Data",
        [
            Text(
                f"Fitted to {sample_count(metrics)} of the {sum(about['train'].values()):,} images "
                f"for training of {about['dataset']}, the first in the order of the seed "
                f"{results.params['seed']}; the best of a search by "
                f"cross-validation on training images (accuracy {metrics['cv_accuracy']:.4f}). "
                f"Tested on all {sum(about['test'].values()):,} test images, which no fit has seen."
            )
        ],
    )
    yield (
        "Errors",
        [
            Table(
                "",
                ["", "share of images that it gets wrong"],
                [
                    ["training images", f"{metrics['train_error']:.4f}"],
                    ["test images ± half of the interval at 95 %", error_with_margin(metrics)],
                    ["test images, mean ± deviation of fits to other draws", draws(results, model)],
                ],
                1,
            )
        ],
    )
    yield ("Errors of each class", [_of_classes(results, model)])


def _of_classes(results: Results, model: Model) -> Table:
    """Test errors of each class with Wilson's interval, and what it is most often taken for."""
    names, (actual, predicted) = results.labels, results.predictions(model)
    rows = []
    for i in np.unique(actual):
        answers = predicted[actual == i]
        wrong = int((answers != i).sum())
        test = binomtest(wrong, len(answers)).proportion_ci(LEVEL, "wilson")
        taken = np.bincount(answers[answers != i], minlength=len(names))
        rows.append(
            [
                names[i],
                f"{wrong / len(answers):.3f}",
                f"{test.low:.3f} to {test.high:.3f}",
                names[int(taken.argmax())] if wrong else "–",
            ]
        )
    return Table("", ["true label", "wrong", "interval at 95 %", "most often taken for"], rows, 3)


def _card(results: Results, model: Model) -> str:
    """A card in Markdown."""
    card = Card(_estimator(results, model), model_diagram=False, template=None)
    top = f"Model card: {model.name}"
    for title, blocks in sections(results, model):
        card.add(**{f"{top}/{title}": markdown.render(blocks).strip()})
    card.add_hyperparams(f"{top}/Settings of the estimator")
    return card.render().rstrip() + "\n"


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
