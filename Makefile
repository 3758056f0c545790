# make          the whole pipeline: environment, data, models, results
# make test     lint, then the tests
# make proofs   the slower tests: other machines, kills, faults; with Debian's packages;
#               AGAIN=1: those that failed, one at a time
# make verify   a run from nothing against what is committed; REV=v1, QUICK=1
# make demo     the pipeline on drawn garments, in a temporary clone: no network, two minutes
# make plots    DVC's page of plots, to open without a network
# make lock     requirements*.in -> requirements*.txt: exact versions, and hashes

PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: all test lint proofs verify demo plots lock

all: $(VENV)/requirements.txt
	@python -m tools.first_run

test: lint
	@python -m pytest --numprocesses auto --dist loadfile

proofs: $(VENV)/requirements-dev.txt
	@python -m pytest -m "proof or figure" \
	  $(if $(AGAIN),--last-failed,--numprocesses auto --dist loadgroup)

lint: $(VENV)/requirements-dev.txt
	@ruff format --check
	@ruff check
	@mypy

verify: $(VENV)/requirements.txt
	@python -m tools.verify $(if $(QUICK),--quick) $(REV)

demo: $(VENV)/requirements.txt
	@python -m tools.demo

plots: $(VENV)/requirements-dev.txt
	@python -m tools.plots

lock: $(VENV)/requirements-dev.txt
	@for name in requirements requirements-dask requirements-dev; do \
	  uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command "make lock" $$name.in --output-file $$name.txt || exit; \
	done

# A copy of each lock lies in the environment it made: another lock makes another environment.
$(VENV)/requirements.txt: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or later is needed, and %s is %s: try make PYTHON=python3.11" \
	  % (sys.executable, sys.version.split()[0]))'
	@echo "Setting up $(VENV) with the packages of $<"
	@$(PYTHON) -m venv --clear $(VENV)
	@python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@cp $< $@

$(VENV)/requirements-dev.txt: requirements-dev.txt $(VENV)/requirements.txt
	@echo "Adding the packages of $<"
	@python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@cp $< $@
