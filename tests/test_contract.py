"""The arithmetic contract: the same bits in every environment."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import stages
from tests.conftest import ROOT, clean_environment

ENVIRONMENTS: dict[str, dict[str, str]] = {
    "none": {},
    "preset": {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_L2_SIZE": "512", "OMP_NUM_THREADS": "1"},
    "hostile": {
        "OPENBLAS_CORETYPE": "Sandybridge",
        "OPENBLAS_NUM_THREADS": "2",
        "OMP_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "2",
        "NPY_ENABLE_CPU_FEATURES": "AVX512_SKX",
        "NPY_DISABLE_CPU_FEATURES": "",
        "PYTHONHASHSEED": "12",
    },
}

STUDY = """
import json, sys
from pathlib import Path
from stages.files import idx
from stages.files import idx, settings
from stages.learn import images, networks
from stages.run import fits

params = settings.load()
source = params.data.datasets["fashion-mnist"]
raw = idx.read_raw(source.files(Path(sys.argv[1])), 10)
first = images.order(60000, params.seed)[:500]
pixels, labels = images.scaled(raw["train_images"][first]), raw["train_labels"][first]
candidates = [
    networks.network(architecture, params.seed, **params.mlp.hyperparameters)
    for architecture in params.mlp.architectures
]
means = networks.cross_validate(
    candidates, pixels, labels, params.mlp.folds, fits.in_processes("")
)[0].mean(axis=1)
best = int(means.argmax())
model = networks.fit(candidates[best], pixels, labels)
predicted = networks.predict(model, images.scaled(raw["test_images"]))
print(json.dumps({
    "cv": means.tolist(),
    "best": best,
    "error": float((predicted != raw["test_labels"]).mean()),
    "weights": [weights.tobytes().hex() for weights in model.coefs_],
}))
"""


def python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_original_digits_come_out_in_every_environment(fashion_mnist: Path) -> None:
    weights = set()
    for environment in ENVIRONMENTS.values():
        done = python(STUDY, str(fashion_mnist), **environment)
        assert done.returncode == 0, done.stderr
        study = json.loads(done.stdout.splitlines()[-1])
        means = [round(mean, 3) for mean in study["cv"]]
        assert means == [0.636, 0.752, 0.768, 0.538, 0.726, 0.740]
        assert (study["best"], study["error"]) == (2, 0.2264)
        weights.add("".join(study["weights"]))
    assert len(weights) == 1


def test_numpy_loaded_before_with_other_settings_is_refused_in_a_sentence() -> None:
    done = python("import numpy, stages")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: NumPy was loaded before `stages`")
    assert "import `stages` first" in last


def test_numpy_loaded_before_with_the_same_settings_is_accepted() -> None:
    done = python(
        "import stages, subprocess, sys;"
        "sys.exit(subprocess.run([sys.executable, '-c', 'import numpy, stages']).returncode)"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not stages.SAME_BYTES, reason="no instruction sets are fixed here")
def test_every_group_of_loops_that_numpy_may_choose_on_is_fixed() -> None:
    """An upgrade of NumPy that adds a group has to be met in `INSTRUCTIONS`."""
    dispatched = np.show_config("dicts")["SIMD Extensions"]
    groups = {*dispatched["found"], *dispatched["not found"]}
    disabled = set(stages.INSTRUCTIONS["NPY_DISABLE_CPU_FEATURES"].split())
    # X86_V3 is AVX2 and FMA, which every machine of the promise has.
    assert groups - {"X86_V3"} == disabled
    assert "X86_V3" in dispatched["found"]


def test_numpy_and_blas_obey_the_contract() -> None:
    code = """
import stages, numpy, scipy.linalg, sklearn, threadpoolctl, json
import sklearn.cluster
found = numpy.show_config("dicts")["SIMD Extensions"]["found"]
print(json.dumps([found, threadpoolctl.threadpool_info(), stages.SAME_BYTES]))
"""
    found, libraries, same_bytes = json.loads(python(code, **ENVIRONMENTS["hostile"]).stdout)
    assert {library["num_threads"] for library in libraries} == {1}
    if same_bytes:
        assert not [feature for feature in found if "AVX512" in feature or feature == "X86_V4"]
        blas = [library for library in libraries if library["user_api"] == "blas"]
        assert {library["architecture"] for library in blas} == {"Haswell"}
