# make          run the whole pipeline: environment, data, models, results
# make help     print these lines
# make test     check format, lint and types, then run the tests
# make lint     check format, lint and types alone
# make proofs   run the slow tests: other machines, kills, faults (they need Debian packages that
#               .ci/run names); AGAIN=1: only those that failed, one at a time
# make verify   run HEAD (or REV=HEAD~1) from scratch and compare with the committed results;
#               QUICK=1: run nothing, compare Git, dvc.lock and DVC's cache
# make full     fit networks and an SVM to all 60,000 images, search kernels and clusters on 20,000,
#               beside the results of the Fashion-MNIST paper; prints the expected time first
# make demo     run the pipeline on the drawn garments (small synthetic pictures of clothes), in a
#               temporary clone: no network, two minutes
# make plots    write DVC's page of plots, to open without a network
# make report   write all results on one page: report.html, report.md; REV=main: those of main
# make review   compare the workspace (or HEAD=branch) with BASE (default: main; BASE=origin/main
#               without a local main): what changed, and is it more than chance? review.html,
#               review.md
# make bench    time the notebook and the pipeline, 50 minutes; QUICK=1: on few images, three
#               minutes; SCALE=1: how time and memory grow, from few images to all of them
# make lock     write exact versions and hashes: requirements/*.in -> requirements/*.txt

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

# The environment keeps a copy of each lock file that it was built from. If pipeline.txt changes, make
# builds the environment again; if another lock file changes, make installs its packages.
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
