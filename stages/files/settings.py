"""The settings: params.yaml, read as DVC reads it, typed and checked.

Every stage reads its parameters through `load`, which checks the whole file: whichever stage runs
first finds a wrong value. Beside each name stands what is allowed, in the words that a person sees.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError, core_schema
from ruamel.yaml import YAML

from stages.errors import UserError
from stages.files import conflicts
from stages.files.keys import dotted

MOST_DRAWS = 50  # that a table in Git keeps of each image
PARAMS = Path("params.yaml")

# These parts of their names tell the four files of an IDX dataset apart.
ROLES = {
    "train_images": ("train-images",),
    "train_labels": ("train-labels",),
    "test_images": ("t10k-images", "test-images"),
    "test_labels": ("t10k-labels", "test-labels"),
}


@dataclass(frozen=True)
class Allowed:
    """What a value must be beyond its type: in words for a person, and as a test."""

    must_be: str
    test: Callable[[Any], bool] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_wrap_validator_function(self._check, handler(source))

    def _check(self, value: Any, of_type: Any) -> Any:
        refusal = PydanticCustomError("allowed", "{must_be}", {"must_be": self.must_be})
        try:
            checked = of_type(value)
        except ValidationError as error:
            # An item of a list has a message of its own.
            if any(isinstance(step, int) for step in error.errors()[0]["loc"]):
                raise
            raise refusal from None
        if self.test and not self.test(checked):
            raise refusal
        return checked


def whole(low: int, high: int) -> Allowed:
    """A whole number between two bounds."""
    return Allowed(f"a whole number from {low} to {high}", lambda value: low <= value <= high)


def above_zero(high: float) -> Allowed:
    """A number, not zero."""
    return Allowed(f"a number above 0, at most {high:g}", lambda value: 0 < value <= high)


def several(low: int, high: int, what: str) -> Allowed:
    """A list of different things."""

    def different(values: list[Any]) -> bool:
        return all(value not in values[:i] for i, value in enumerate(values))

    return Allowed(
        f"a list of {low} to {high} {what}, none of them twice",
        lambda values: low <= len(values) <= high and different(values),
    )


Text = Annotated[
    str,
    Allowed(
        "a text of 1 to 200 printable characters",
        lambda text: 0 < len(text) <= 200 and text.isprintable(),
    ),
]
Sha256 = Annotated[
    str,
    Allowed(
        "64 lower-case hexadecimal digits, in quotes if all of them are 0 to 9",
        lambda digits: len(digits) == 64 and set(digits) <= set("0123456789abcdef"),
    ),
]
Folds = Annotated[int, whole(2, 20)]
Penalties = Annotated[list[Annotated[int | float, above_zero(1e9)]], several(1, 50, "values of C")]
Gammas = Annotated[
    list[
        Annotated[
            int | float | Literal["scale"],
            Allowed(
                "scale, or a number above 0 and at most 1e+06",
                lambda gamma: gamma == "scale" or 0 < gamma <= 1e6,
            ),
        ]
    ],
    several(1, 50, "values of gamma"),
]


class Section(BaseModel):
    """A mapping of params.yaml: known keys only, nothing converted, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def refuse(key: str, value: Any, must_be: str) -> PydanticCustomError:
    """Refuse a value that is wrong beside another one."""
    context = {"key": key, "value": value, "must_be": must_be}
    return PydanticCustomError("beside", "{must_be}", context)


class Source(Section):
    """Where a dataset comes from and what it shows: `data.datasets.NAME`."""

    labels: Annotated[list[Text], several(2, 256, "label names")]
    mirrors: Annotated[list[Text], several(0, 20, "folders or URLs")]
    sha256: dict[Text, Sha256]

    @model_validator(mode="after")
    def _one_file_for_each_role(self) -> Self:
        for parts in ROLES.values():
            names = [name for name in self.sha256 if any(part in name for part in parts)]
            if len(names) != 1 or len(self.sha256) != len(ROLES) or "/" in names[0]:
                must_be = f"four file names, one of them with {' or '.join(parts)} in it"
                raise refuse("sha256", list(self.sha256), must_be)
        return self

    def files(self, folder: Path) -> dict[str, Path]:
        """Paths of the four files in a folder, by their role: the keys of `ROLES`."""
        return {
            role: folder / name
            for role, parts in ROLES.items()
            for name in self.sha256
            if any(part in name for part in parts)
        }


class Data(Section):
    """Which images, and in which arithmetic."""

    dataset: Text
    dtype: Annotated[Literal["float64", "float32"], Allowed("float64 or float32")]
    datasets: dict[Text, Source]

    @model_validator(mode="after")
    def _dataset_is_listed(self) -> Self:
        if self.dataset not in self.datasets:
            names = ", ".join(self.datasets)
            raise refuse("dataset", self.dataset, f"a name under data.datasets: {names}")
        return self

    @property
    def source(self) -> Source:
        """The source of the dataset in use."""
        return self.datasets[self.dataset]


class Mlp(Section):
    """The search over neural networks, at two sample counts."""

    small_samples: Annotated[int, whole(10, 1_000_000)]
    samples: Annotated[int, whole(10, 1_000_000)]
    architectures: Annotated[
        list[
            Annotated[
                list[Annotated[int, whole(1, 5000)]],
                Allowed("a list of 1 to 10 layer widths", lambda widths: 0 < len(widths) <= 10),
            ]
        ],
        several(1, 50, "architectures"),
    ]
    folds: Folds
    max_iter: Annotated[int, whole(1, 100_000)]
    alpha: Annotated[
        int | float, Allowed("a number from 0 to 1e+06", lambda alpha: 0 <= alpha <= 1e6)
    ]
    solver: Annotated[Literal["sgd", "adam"], Allowed("sgd or adam")]
    tol: Annotated[int | float, above_zero(1)]
    learning_rate_init: Annotated[int | float, above_zero(100)]

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What all networks share, by scikit-learn's names."""
        return {
            "alpha": self.alpha,
            "learning_rate_init": self.learning_rate_init,
            "max_iter": self.max_iter,
            "solver": self.solver,
            "tol": self.tol,
        }

    @model_validator(mode="after")
    def _small_is_smaller(self) -> Self:
        if self.small_samples >= self.samples:
            must_be = f"fewer than mlp.samples, which is {self.samples}"
            raise refuse("small_samples", self.small_samples, must_be)
        return self


class LinearGrid(Section):
    """K(a, b) = a·b."""

    C: Penalties


class PolyGrid(Section):
    """K(a, b) = (gamma a·b) ** degree."""

    degree: Annotated[list[Annotated[int, whole(1, 10)]], several(1, 10, "degrees")]
    C: Penalties
    gamma: Gammas


class RbfGrid(Section):
    """K(a, b) = exp(-gamma |a - b|²)."""

    C: Penalties
    gamma: Gammas


class Grid(Section):
    """The kernels to try; a kernel may be left out."""

    linear: LinearGrid | None = None
    poly: PolyGrid | None = None
    rbf: RbfGrid | None = None

    @property
    def kernels(self) -> dict[str, dict[str, list[Any]]]:
        """For each kernel to try, the values of its parameters by scikit-learn's names."""
        return {name: dict(values) for name, values in self if values is not None}

    @model_validator(mode="after")
    def _one_kernel_at_least(self) -> Self:
        if not (self.linear or self.poly or self.rbf):
            raise refuse("", {}, "a mapping with at least one of linear, poly, rbf")
        return self


class Svm(Section):
    """The search for a kernel, and the final fit."""

    search_samples: Annotated[int, whole(10, 100_000)]
    samples: Annotated[int, whole(10, 100_000)]
    folds: Folds
    grid: Grid


class Noise(Section):
    """How far errors move by chance, and how far they may."""

    repeats: Annotated[int, whole(2, MOST_DRAWS)]
    matters: Annotated[int | float, above_zero(1)]


class Kmeans(Section):
    """Clusters, and how many there are."""

    samples: Annotated[int, whole(10, 100_000)]
    clusters: Annotated[int, whole(2, 1000)]
    k: Annotated[list[Annotated[int, whole(2, 1000)]], several(1, 100, "numbers of clusters")]
    n_init: Annotated[int, whole(1, 1000)]

    @model_validator(mode="after")
    def _fewer_clusters_than_images(self) -> Self:
        must_be = f"fewer than kmeans.samples, which is {self.samples}"
        if self.clusters >= self.samples:
            raise refuse("clusters", self.clusters, must_be)
        if max(self.k) >= self.samples:
            raise refuse("k", max(self.k), must_be)
        return self


class Settings(Section):
    """The whole of params.yaml."""

    seed: Annotated[int, whole(0, 2**32 - 1)]
    data: Data
    mlp: Mlp
    svm: Svm
    noise: Noise
    kmeans: Kmeans


def load(path: Path = PARAMS) -> Settings:
    """Settings from a file.

    Parameters
    ----------
    path
        A YAML 1.2 file, read with DVC's own parser: what `dvc params diff` shows is what the
        code gets (`1e-05` is a number there, and text to parsers of YAML 1.1).

    Raises
    ------
    UserError
        If the file is missing, is not YAML, or holds a value that is not allowed.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        values = YAML(typ="safe").load(text)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; run from the project.") from None
    # Not YAML, not UTF-8, an impossible date, a tag on what it does not fit, and so on.
    except Exception as error:
        if conflicts.MARK.search(text):
            raise UserError(f"{path}: {conflicts.CONFLICT}") from None
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    return check(values)


def check(values: Any) -> Settings:
    """Settings from plain values.

    Raises
    ------
    UserError
        One sentence on the first value that is not allowed: its key, itself, what is allowed.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise UserError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    # An unknown key first: it may be the misspelt name of one that is missing.
    first = min(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    context = first.get("ctx", {})
    key = dotted(*first["loc"], context.get("key", ""))
    value = _shown(context.get("value", first["input"]))
    match first["type"]:
        case "extra_forbidden" | "invalid_key":
            wrong = f"{key} (now {value}) is not a parameter; remove it, or correct its name"
        case "missing":
            wrong = f"{key} is missing; add it"
        case "allowed" | "beside":
            wrong = f"{key} is {value}, but must be {context['must_be']}"
        case _:
            wrong = f"{key} is {value}, but must be a mapping of parameters"
    # Keys and values may hold line breaks that JSON does not escape.
    return " ".join(f"{PARAMS}: {wrong}.".split())


def _shown(value: Any) -> str:
    """The beginning of a value as JSON, even of a value that YAML's aliases make endless."""
    encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, skipkeys=True, default=str)
    text = ""
    try:
        for piece in encoder.iterencode(value):
            text += piece
            if len(text) > 80:
                return text[:77] + "..."
    except ValueError:  # Python does not write out an integer of thousands of digits
        text += "a huge number"
    return text
