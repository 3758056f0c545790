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
# make report   write all results on one page, report.html and report.md, and a model card for each
#               model, card-*.md; REV=main: those of main
# make review   compare the workspace (or HEAD=branch, or HEAD="exp-1 exp-2") with BASE (default:
#               main; BASE=origin/main without a local main): what changed, and is it more than
#               chance? review.html, review.md
# make bench    time the notebook and the pipeline, an hour; QUICK=1: on few images, three
#               minutes; SCALE=1: how time and memory grow, from few images to all of them;
#               CHANGES=1: what a change costs, with and without the record of fits, an hour
# make lock     write exact versions and hashes: requirements/*.in -> requirements/*.txt

PYTHON ?= python3
# With these, Python would find other packages than those of .venv, or none of this project.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH
# What some containers lack: a home, a name of the user, a place that anybody may write into.
HOME := $(or $(HOME),$(CURDIR)/.venv)
LOGNAME := $(or $(LOGNAME),$(shell id -un 2> /dev/null))
DVC_SITE_CACHE_DIR := $(or $(DVC_SITE_CACHE_DIR),$(shell test -w /var/tmp || echo "$$PWD/.dvc/tmp/site"))
export HOME LOGNAME DVC_SITE_CACHE_DIR
# Programs of the environment are called by their path: not every make searches a PATH of its own.
IN := .venv/bin/python
WITH := @$(PYTHON) -m tools.install

.PHONY: all help test lint proofs verify bench full demo plots report review lock

all:
	$(WITH) pipeline
	@$(IN) -m tools.demo.first_run

# The comment at the top of this file.
help:
	@sed -n -e '/^#/!q' -e 's/^# //p' $(firstword $(MAKEFILE_LIST))

test: lint
	@$(IN) -m pytest --numprocesses auto --dist loadfile

proofs:
	$(WITH) pipeline dev ssh
	@$(IN) -m pytest -m "proof or figure" \
	  $(if $(AGAIN),--last-failed,--numprocesses auto --dist loadgroup)

lint:
	$(WITH) pipeline dev
	@$(IN) -m ruff format --check
	@$(IN) -m ruff check
	@$(IN) -m mypy

verify:
	$(WITH) pipeline
	@$(IN) -m tools.verify $(if $(QUICK),--quick) $(REV)

full:
	$(WITH) pipeline
	@$(IN) -m tools.full

demo:
	$(WITH) pipeline
	@$(IN) -m tools.demo

plots:
	$(WITH) pipeline dev
	@$(IN) -m tools.plots

report:
	$(WITH) pipeline dev
	@$(IN) -m tools.report $(REV)

review:
	$(WITH) pipeline dev
	@$(IN) -m tools.review $(or $(BASE),main) $(HEAD)

bench:
	$(WITH) pipeline bench
	@$(IN) -m tools.bench $(if $(QUICK),--quick) $(if $(SCALE),--growth) $(if $(CHANGES),--changes)

lock:
	$(WITH) pipeline dev
	@cd requirements && for name in uv pipeline dask ssh dev bench; do \
	  ../$(IN) -m uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command "make lock" $$name.in --output-file $$name.txt || exit; \
	done
