# `make help` lists the verbs. Each installs what it needs, and costs about a second when there is nothing to do.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
BIN := .venv/bin
# Two workers, each with servers and a network namespace of its own: the live tests mostly wait. A file stays together.
PYTEST_ARGS ?= -n 2 --dist loadfile

# What a run of tests is about: T=path of a file or folder, K=part of a name. A whole `make test` has to cover the product.
T ?=
K ?=
SELECTED = $(if $(K),-k "$(K)")
UNIT_TESTS := tests/unit tests/contract tests/property
COVERED = $(if $(T)$(K),,--cov --cov-report=term)

PART ?= whole

.PHONY: help install testbed image image-test demo test unit ordinary check fmt gen mutate soak bench lock clean

help: ## list the verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## make .venv with the console script oidc-publisher

.venv/.installed: requirements.lock pyproject.toml hack/install
	@PYTHON="$(PYTHON)" hack/install

testbed: install ## build kube-apiserver, etcd, kubectl, an S3 server and helm into the user's cache (minutes, once)
	@$(BIN)/python hack/testbed/build.py
	@$(BIN)/python hack/testbed/nginx.py

image: ## build the image with docker, podman or buildah (IMAGE=name; BASE=local makes the bases of Debian packages)
	@hack/image/build

image-test: testbed ## run the image that `make image` built with buildah, as restricted as the chart's pod
	@OIDC_PUBLISHER_IMAGE="$$(hack/image/build --name)" $(BIN)/python -m pytest -q -rP tests/live/test_image.py

demo: install ## watch two API servers' keys become a working issuer, break, heal and rotate (KEEP=1 leaves it running)
	@$(BIN)/python hack/testbed/build.py --servers
	@$(BIN)/python hack/demo.py $(if $(KEEP),--keep)

# Three workers on two cores, since many of these tests wait for deadlines; none needs its file kept together.
unit: PYTEST_ARGS := -n 3 --dist worksteal
unit: install ## tests that need no server, no Go and no root, in a minute (T=path and K=name for a part)
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-fast} $(BIN)/python -m pytest $(PYTEST_ARGS) -m "not live and not slow" $(SELECTED) $(or $(T),$(UNIT_TESTS))

test: testbed ## run every test, the live ones against real servers (T=path and K=name for a part)
	@$(BIN)/python -m pytest $(PYTEST_ARGS) $(COVERED) $(SELECTED) $(T)

ordinary: testbed ## run demo and tests as an ordinary user under the system's Python, without IPv6 and with it (root sets it up)
	@hack/ordinary $(PART)

check: install ## format, lint, types, layers, prose, generated files fresh
	@test ! -e operator/__init__.py || { echo "operator/__init__.py shadows the standard library's operator: remove it"; exit 1; }
	@$(BIN)/ruff format --check --quiet . || { echo "run: make fmt"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python hack/gen.py --check
	@$(BIN)/python hack/check_lock.py
	@$(BIN)/python hack/draw_timeline.py --check
	@$(BIN)/python hack/prose.py --check
	@echo "check: all good"

fmt: install ## format code and prose, and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/python hack/prose.py

gen: install ## write what is made from the models and from the chart's values
	@$(BIN)/python hack/gen.py

mutate: install ## break each rule of rotation and the loop of a pass in turn: a named test must fail (minutes)
	@$(BIN)/python hack/mutate.py

soak: install ## rotate one simulated issuer from version 1 to 1001 with faults (minutes); prints rejected tokens
	@$(BIN)/python hack/soak.py

bench: testbed ## measure, and write docs/reference/performance.md
	@$(BIN)/python hack/bench.py

lock: install ## resolve requirements.lock anew, for every platform, with hashes
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --group dev --upgrade \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes -c requirements.lock \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.run.lock

clean: ## remove what the verbs made in the checkout; the testbed in the user's cache stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage dist
