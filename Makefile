# make          the whole pipeline: environment, data, models, results
# make help     these lines
# make test     lint, then the tests
# make lint     format, lint and types alone
# make proofs   the slower tests: other machines, kills, faults; with Debian's packages;
#               AGAIN=1: those that failed, one at a time
# make verify   a run from nothing against what is committed; REV=HEAD~1, QUICK=1
# make full     the study on all 60,000 images, beside the field's table; says how long first
# make demo     the pipeline on drawn garments, in a temporary clone: no network, two minutes
# make plots    DVC's page of plots, to open without a network
# make report   the study as a page: report.html, report.md; REV=main
# make review   what changed since BASE=main, and is it real: review.html, review.md; HEAD=branch
# make bench    how fast: the notebook beside the pipeline, 50 minutes; QUICK=1: three;
#               SCALE=1: from few images to all of them
# make lock     requirements/*.in -> requirements/*.txt: exact versions, and hashes

PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: all help test lint proofs verify bench full demo plots report review lock

all: $(VENV)/pipeline.txt
	@python -m tools.demo.first_run

# The comment at the top of this file.
help:
	@sed -n -e '/^#/!q' -e 's/^# //p' $(firstword $(MAKEFILE_LIST))

test: lint
	@python -m pytest --numprocesses auto --dist loadfile

proofs: $(VENV)/dev.txt $(VENV)/ssh.txt
	@python -m pytest -m "proof or figure" \
	  $(if $(AGAIN),--last-failed,--numprocesses auto --dist loadgroup)

lint: $(VENV)/dev.txt
	@ruff format --check
	@ruff check
	@mypy

verify: $(VENV)/pipeline.txt
	@python -m tools.verify $(if $(QUICK),--quick) $(REV)

full: $(VENV)/pipeline.txt
	@python -m tools.bench.full

demo: $(VENV)/pipeline.txt
	@python -m tools.demo

plots: $(VENV)/dev.txt
	@python -m tools.plots

report: $(VENV)/dev.txt
	@python -m tools.report $(REV)

review: $(VENV)/dev.txt
	@python -m tools.review $(or $(BASE),main) $(HEAD)

bench: $(VENV)/bench.txt
	@python -m tools.bench $(if $(QUICK),--quick) $(if $(SCALE),--growth)

lock: $(VENV)/dev.txt
	@cd requirements && for name in pipeline dask ssh dev bench; do \
	  uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command "make lock" $$name.in --output-file $$name.txt || exit; \
	done

# A copy of each lock lies in the environment it made: another lock makes another environment.
$(VENV)/pipeline.txt: requirements/pipeline.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or later is needed, and %s is %s: try make PYTHON=python3.11" \
	  % (sys.executable, sys.version.split()[0]))'
	@echo "Setting up $(VENV) with the packages of $<"
	@$(PYTHON) -m venv --clear $(VENV)
	@python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@cp $< $@

$(VENV)/%.txt: requirements/%.txt $(VENV)/pipeline.txt
	@echo "Adding the packages of $<"
	@python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@cp $< $@
