"""The kernel search equals scikit-learn's."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from stages.files import garments, models
from stages.files.settings import Grid
from stages.learn import images, kernel_search, kernels, one_against_one

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
    found = kernel_search.cross_validate(drawn, labels, POINTS, folds, NAMES[:classes])
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
    new, _ = garments.draw(one_against_one.PIECE + one_against_one.CHUNK + 1, 7)
    model = SVC(**point).fit(images.scaled(drawn), labels)
    expected = model.predict(images.scaled(new))
    predicted = one_against_one.predict(model, new)
    np.testing.assert_array_equal(predicted, expected)


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("classes", [10, 3, 2])
def test_the_decision_function_by_products_is_svcs_own(
    point: dict[str, object], classes: int
) -> None:
    drawn, labels = garments.draw(400, 6)
    kept = labels < classes
    new, _ = garments.draw(one_against_one.CHUNK + 1, 7)
    model = SVC(**point).fit(images.scaled(drawn[kept]), labels[kept])
    predicted, decision_function = one_against_one.decide(
        model, *one_against_one.learned(model), new
    )
    np.testing.assert_array_equal(predicted, model.predict(images.scaled(new)))
    expected = model.decision_function(images.scaled(new))
    if classes == 2:  # where that is the decision on the one pair
        clear = expected / (3 * (np.abs(expected) + 1))
        expected = np.column_stack([(expected <= 0) - clear, (expected > 0) + clear])
    np.testing.assert_allclose(decision_function.T, expected, rtol=0, atol=1e-9)


def test_gamma_and_support_vectors_of_an_svc_are_exactly_those_it_was_fitted_with() -> None:
    drawn, labels = garments.draw(400, 6)
    model = SVC().fit(images.scaled(drawn), labels)
    gamma, vectors = one_against_one.learned(model)
    assert gamma == kernels.scale_gamma(drawn)
    np.testing.assert_array_equal(vectors, drawn.reshape(400, -1)[model.support_])


@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("classes", [10, 3, 2])
def test_an_svc_fitted_pair_by_pair_has_every_attribute_of_a_plain_one(
    point: dict[str, Any], classes: int
) -> None:
    drawn, labels = garments.draw(400, 6)
    kept = labels < classes
    drawn, labels = drawn[kept], labels[kept].astype(np.int64)
    found = vars(one_against_one.fit(point, drawn, labels, NAMES[:classes]))
    expected = vars(SVC(**point).fit(images.scaled(drawn), labels))
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert type(found[name]) is type(value), name
        if not isinstance(value, np.ndarray):
            assert found[name] == value, name
            continue
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
        assert found[name].flags.c_contiguous, name
        exact = name.lstrip("_") not in ("dual_coef_", "intercept_") or point["kernel"] == "rbf"
        if exact:
            assert found[name].tobytes() == value.tobytes(), name
        else:
            np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-4, err_msg=name)


def test_an_svc_fitted_pair_by_pair_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, labels = garments.draw(400, 6)
    whole = one_against_one.fit(POINTS[4], drawn, labels.astype(np.int64), NAMES)
    monkeypatch.setattr(one_against_one, "CHUNK", 7)
    pieces = one_against_one.fit(POINTS[4], drawn, labels.astype(np.int64), NAMES)
    assert models.archive(pieces) == models.archive(whole)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), kernel=st.sampled_from([POINTS[0], POINTS[2], POINTS[4]]))
def test_a_fit_that_comes_nowhere_near_its_bound_is_the_same_with_a_higher_one(
    seed: int, kernel: dict[str, Any]
) -> None:
    drawn, labels = garments.draw(120, seed)
    a, b = drawn[labels == 0], drawn[labels == 6]
    points = [{**kernel, "C": penalty} for penalty in (100, 0.1, 1, 10)]
    gammas = np.full((4, 2), kernel.get("gamma", 0.0))
    folds = np.arange(len(a)) % 2, np.arange(len(b)) % 2
    together, intercepts = kernel_search.fit_pair(points, gammas, a, b, *folds)
    for i in range(4):
        alone, intercept = kernel_search.fit_pair(points[i : i + 1], gammas[:1], a, b, *folds)
        np.testing.assert_array_equal(together[i], alone[0])
        np.testing.assert_array_equal(intercepts[i], intercept[0])


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
    assert kernels.squared_norms(a).tolist() == [kernels.products(x, x)[0, 0] for x in a[:, None]]


def test_points_come_in_scikit_learns_order_and_kernels_left_out_are_not_tried() -> None:
    grid = Grid.model_validate(
        {"linear": {"C": [1, 2]}, "rbf": {"C": [3], "gamma": [0.1, "scale"]}}
    )
    assert kernel_search.grid_points(grid.kernels) == [
        {"kernel": "linear", "C": 1},
        {"kernel": "linear", "C": 2},
        {"kernel": "rbf", "C": 3, "gamma": 0.1},
        {"kernel": "rbf", "C": 3, "gamma": "scale"},
    ]
