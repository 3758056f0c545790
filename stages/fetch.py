"""fetch: check machine and parameters, and bring the raw data.

    params.yaml → data/raw: four files, each with the SHA-256 that params.yaml states

    python -m stages.fetch

DVC deletes the outputs of a stage before it runs the stage. `fetch` runs before every other stage,
and DVC keeps the outputs of `fetch`. It checks all of params.yaml, and compares the sample counts
with the data. So it finds a wrong value before DVC deletes any result.
"""

import shutil
from pathlib import Path

from stages.errors import UserError
from stages.files import idx, pyyaml, settings, sources
from stages.files.settings import Settings
from stages.learn import images
from stages.run import gate, stage
from stages.run.terminal import say

INCOMING = Path("data/incoming")  # beside data/raw, until all is checked
LARGEST_KERNEL = 1e38  # libsvm holds kernels in single precision


def check_counts(params: Settings, labels: images.Bytes) -> None:
    """Check every sample count of the parameters against the real labels.

    Parameters
    ----------
    params
        All of them.
    labels
        Training labels in the order of the files, shape (n_images,).

    Raises
    ------
    UserError
        If there are fewer images than a count asks for, or too few of a class; names every such
        count, and what fits.
    """
    permuted = labels[images.order(len(labels), params.seed)]
    counts = (
        ("mlp.small_samples", params.mlp.small_samples, params.mlp.folds),
        ("mlp.samples", params.mlp.samples, params.mlp.folds),
        ("svm.search_samples", params.svm.search_samples, params.svm.folds),
        ("svm.samples", params.svm.samples, params.svm.folds),
        ("kmeans.samples", params.kmeans.samples, 0),
    )
    wrong = [
        f"{key} is {samples}, {misfit}"
        for key, samples, folds in counts
        if (misfit := images.misfit(permuted, params.data.source.labels, samples, folds))
    ]
    if wrong:
        raise UserError(f"{settings.PARAMS}: {'; '.join(wrong)}.")


def check_gammas(params: Settings, pixels: int) -> None:
    """Check that no kernel can be larger than SVC can hold, whatever the images show.

    Parameters
    ----------
    params
        All of them.
    pixels
        Of an image: no product of two images is larger.

    Raises
    ------
    UserError
        If a gamma of a polynomial kernel is too large.
    """
    poly = params.svm.grid.poly
    if poly is None:
        return
    degree = max(poly.degree)
    largest = LARGEST_KERNEL ** (1 / degree) / pixels
    for gamma in poly.gamma:
        if gamma != "scale" and gamma > largest:
            raise UserError(
                f"{settings.PARAMS}: svm.grid.poly.gamma is {gamma}, but must be at most "
                f"{largest:.3g} for images of {pixels} pixels and degree {degree}."
            )


def main(params: Settings) -> None:
    """Check the machine, bring the files, check the parameters against them, fill data/raw."""
    gate.check()
    for line in pyyaml.different_values(settings.PARAMS.read_text(encoding="utf-8")):
        say(f"fetch: {settings.PARAMS}: {line}")
    source = params.data.source
    names = {path.name for path in idx.RAW.glob("*")}
    complete = names == set(source.sha256) and not sources.missing(source, idx.RAW)
    if not complete:
        INCOMING.mkdir(parents=True, exist_ok=True)
        for name in set(source.sha256) - set(sources.missing(source, idx.RAW)):
            shutil.copyfile(idx.RAW / name, INCOMING / name)
        sources.collect(source, INCOMING)
    files = source.files(idx.RAW if complete else INCOMING)
    raw = idx.read_raw(files, len(source.labels))
    check_counts(params, raw["train_labels"])
    check_gammas(params, raw["train_images"][0].size)
    if not complete:
        shutil.rmtree(idx.RAW, ignore_errors=True)
        INCOMING.rename(idx.RAW)
    say(
        f"fetch: {params.data.dataset}, {len(raw['train_labels'])} training and "
        f"{len(raw['test_labels'])} test images; every parameter is in order"
    )


if __name__ == "__main__":
    stage.run(main)
