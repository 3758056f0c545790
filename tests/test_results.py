"""The committed results are the study's, digit for digit."""

import pandas as pd
import pytest

from tests.conftest import ROOT, metrics

# The original study's arithmetic in its order of the images, on the official test set.
SMALL = {"10": 0.636, "50": 0.752, "100": 0.768, "10-10": 0.538, "50-50": 0.726, "100-100": 0.740}
LARGE = {
    "10": 0.7919,
    "50": 0.8357,
    "100": 0.8506,
    "10-10": 0.7914,
    "50-50": 0.8364,
    "100-100": 0.8393,
}
LINEAR = {1: 0.8261, 10: 0.8020, 100: 0.7956}
POLY = {1: [0.8349, 0.8410, 0.8401], 10: [0.8501, 0.8401, 0.8401], 100: [0.8410, 0.8401, 0.8401]}
RBF = {1: [0.8499, 0.7932, 0.1163], 10: [0.8659, 0.8048, 0.1232], 100: [0.8610, 0.8048, 0.1232]}
SILHOUETTES = [
    0.196578,
    0.192958,
    0.184414,
    0.155876,
    0.154912,
    0.163082,
    0.161489,
    0.147756,
    0.142249,
    0.138683,
    0.134533,
    0.134088,
    0.131786,
    0.122632,
]


def plot(name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / f"plots/{name}.csv", dtype={"architecture": str})


def test_networks() -> None:
    means = plot("mlp_cv").groupby(["samples", "architecture"], sort=False)["accuracy"].mean()
    assert means[500].round(3).to_dict() == SMALL
    assert means[10000].round(4).to_dict() == LARGE
    small, large = metrics("mlp")["small"], metrics("mlp")["large"]
    assert (small["architecture"], small["cv_accuracy"], small["test_error"]) == (
        "100",
        0.768,
        0.2264,
    )
    assert (large["architecture"], large["cv_accuracy"], large["test_error"]) == (
        "100",
        0.8506,
        0.1511,
    )
    epochs = plot("mlp_loss").groupby("samples")["epoch"].max().to_dict()
    assert epochs == {500: small["epochs"], 10000: large["epochs"]}


def test_support_vector_machines() -> None:
    table = plot("svm_cv")
    means = table.groupby(["kernel", "C", "gamma"], dropna=False)["accuracy"].mean().round(4)
    assert len(means) == 21
    assert {C: means["linear", C].item() for C in LINEAR} == LINEAR
    for kernel, expected in (("poly", POLY), ("rbf", RBF)):
        assert {C: means[kernel, C].tolist() for C in expected} == expected
    svm = metrics("svm")
    assert (svm["kernel"], svm["C"], svm["gamma"]) == ("rbf", 10, 0.01)
    assert (svm["cv_accuracy"], svm["train_error"]) == (0.8659, 0.0186)
    assert (svm["test_error"], svm["support_vectors"]) == (0.1307, 4511)


def test_silhouettes() -> None:
    table = plot("silhouette")
    assert table["k"].tolist() == list(range(2, 16))
    assert table["silhouette"].tolist() == SILHOUETTES
    assert metrics("kmeans")["best_k"] == 2


@pytest.mark.parametrize("name", ["mlp_small", "mlp", "svm"])
def test_predictions_are_those_of_the_official_test_set_in_its_order(name: str) -> None:
    table = plot(f"{name}_predictions")
    assert len(table) == 10000
    assert table["actual"].head().tolist() == [
        "Ankle boot",
        "Pullover",
        "Trouser",
        "Trouser",
        "Shirt",
    ]
    assert table["actual"].value_counts().unique().tolist() == [1000]


def test_the_data() -> None:
    data = metrics("data")
    assert (data["dataset"], data["image_shape"]) == ("fashion-mnist", "28x28")
    assert set(data["train"].values()) == {6000}
    assert set(data["test"].values()) == {1000}
