"""The kernel search equals scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from stages import svm_eval
from stages.common import images, kernels
from stages.common.settings import Grid
from tools import garments

NAMES = list(garments.LABELS)
POINTS = [
    {"kernel": "linear", "C": 1},
    {"kernel": "linear", "C": 100},
    {"kernel": "poly", "C": 10, "degree": 2, "gamma": 0.01},
    {"kernel": "poly", "C": 1, "degree": 3, "gamma": "scale"},
    {"kernel": "rbf", "C": 10, "gamma": 0.01},
    {"kernel": "rbf", "C": 1, "gamma": 1},
    {"kernel": "rbf", "C": 10, "gamma": "scale"},
]


@pytest.mark.parametrize(("classes", "folds"), [(10, 5), (3, 2), (2, 3)])
def test_every_fold_scores_as_in_a_grid_search_over_svc(classes: int, folds: int) -> None:
    drawn, labels = garments.draw(300, 5)
    kept = labels < classes
    drawn, labels = drawn[kept], labels[kept].astype(np.int64)
    found = svm_eval.cross_validate(drawn, labels, POINTS, folds, NAMES[:classes])
    grid = [{key: [value] for key, value in point.items()} for point in POINTS]
    search = GridSearchCV(SVC(), grid, cv=folds).fit(images.scaled(drawn), labels)
    expected = [search.cv_results_[f"split{fold}_test_score"] for fold in range(folds)]
    np.testing.assert_array_equal(found, np.column_stack(expected))


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("classes", [10, 2])
def test_prediction_by_products_is_svcs_own(point: dict[str, object], classes: int) -> None:
    drawn, labels = garments.draw(400, 6)
    kept = labels < classes
    drawn, labels = drawn[kept], labels[kept]
    new, _ = garments.draw(1200, 7)
    model = SVC(**point).fit(images.scaled(drawn), labels)
    expected = model.predict(images.scaled(new))
    np.testing.assert_array_equal(kernels.predict(model, drawn, new), expected)


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 1000),
    white=st.booleans(),
)
def test_products_are_exact(height: int, width: int, seed: int, white: bool) -> None:
    random = np.random.RandomState(seed)
    low = 255 if white else 0
    a, b = (random.randint(low, 256, (n, height, width)).astype(np.uint8) for n in (3, 5))
    exact = a.reshape(3, -1).astype(object) @ b.reshape(5, -1).astype(object).T
    assert kernels.products(a, b).tolist() == exact.tolist()
    assert kernels.squares(a).tolist() == [kernels.products(x, x)[0, 0] for x in a[:, None]]


def test_points_come_in_scikit_learns_order_and_kernels_left_out_are_not_tried() -> None:
    grid = Grid.model_validate(
        {"linear": {"C": [1, 2]}, "rbf": {"C": [3], "gamma": [0.1, "scale"]}}
    )
    assert svm_eval.points_of(grid) == [
        {"kernel": "linear", "C": 1},
        {"kernel": "linear", "C": 2},
        {"kernel": "rbf", "C": 3, "gamma": 0.1},
        {"kernel": "rbf", "C": 3, "gamma": "scale"},
    ]
