# `make help` lists the verbs. Each installs what it needs, and costs about a second when there is nothing to do.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
BIN := .venv/bin
# Two workers, each with servers and a network namespace of its own: the live tests mostly wait. A file stays together,
# and the files keep their order: by number of tests the property machines, one long test each, would be left to one worker.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder

# What a run of tests is about: T=path of a file or folder, K=part of a name. A whole `make test` has to cover the product.
T ?=
K ?=
SELECTED = $(if $(K),-k "$(K)")
UNIT_TESTS := tests/unit tests/contract tests/property
COVERED = $(if $(T)$(K),,--cov --cov-report=term)
# In CI a whole `make test` has a node with pods too; elsewhere that is `make e2e`.
E2E = $(if $(T)$(K)$(filter command,$(origin PYTEST_ARGS)),,$(filter true,$(CI)))

PART ?= whole

# The live tests that depend on what an API server does: they say whether another version of Kubernetes will do.
CORE_TESTS := $(addprefix tests/live/test_,apiserver_source.py bad_input.py chart_dry_run.py chart_release.py check.py cluster.py \
  crd.py least_privilege.py main_path.py object_sources.py operator_lifecycle.py rights.py rotation.py several_apiservers.py \
  token_limits.py)

.PHONY: help install testbed image image-test release-check demo demo-managed test core e2e e2e-kubeadm e2e-kind unit ordinary check site fmt gen mutate soak bench gallery lock clean

help: ## list the verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## make .venv with the console script oidc-publisher

.venv/.installed: requirements.lock pyproject.toml hack/install
	@PYTHON="$(PYTHON)" hack/install

testbed: install ## build kube-apiserver, etcd, kubectl, an S3 server, helm and Prometheus into the user's cache (minutes, once)
	@$(BIN)/python hack/testbed/build.py
	@$(BIN)/python hack/testbed/nginx.py
	@$(BIN)/python hack/testbed/monitoring.py

image: ## build the image with docker, podman or buildah (IMAGE=name; BASE=local makes the bases of Debian packages)
	@hack/image/build

image-test: testbed ## run the image that `make image` built with buildah, as restricted as the chart's pod
	@OIDC_PUBLISHER_IMAGE="$$(hack/image/build --name)" $(BIN)/python -m pytest -q -rP tests/live/test_image.py

release-check: testbed ## make into dist/ and show what a release would publish, and what speaks against it; pushes nothing
	@$(BIN)/python hack/release_check.py

demo: install ## watch two API servers' keys become a working issuer, break, heal and rotate (KEEP=1 leaves it running)
	@$(BIN)/python hack/testbed/build.py --servers
	@$(BIN)/python hack/demo.py $(if $(KEEP),--keep)

demo-managed: install ## watch two API servers move from sa.key to managed keys, which rotate by themselves (KEEP=1)
	@$(BIN)/python hack/testbed/build.py --servers
	@$(BIN)/python hack/demo.py --managed $(if $(KEEP),--keep)

# Three workers on two cores, since many of these tests wait for deadlines; none needs its file kept together.
unit: PYTEST_ARGS := -n 3 --dist worksteal
unit: install ## tests that need no server, no Go and no root, in a minute (T=path and K=name for a part)
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-fast} $(BIN)/python -m pytest $(PYTEST_ARGS) -m "not live and not slow" $(SELECTED) $(or $(T),$(UNIT_TESTS))

test: testbed ## run every test, the live ones against real servers (T=path and K=name for a part)
	@$(if $(filter tests/e2e%,$(T)),hack/e2e node,$(BIN)/python -m pytest $(PYTEST_ARGS) $(COVERED)) $(SELECTED) $(T)
	@$(if $(E2E),hack/e2e node -q tests/e2e)

e2e: install ## install the chart on a node with real pods, and follow a release through its life (needs root)
	@$(BIN)/python hack/testbed/node.py --ask # not every K8S_VERSION has a node, and a testbed takes minutes
	@$(MAKE) --no-print-directory testbed
	@hack/e2e node $(SELECTED) $(or $(T),tests/e2e)

e2e-kubeadm: install ## move a cluster of kubeadm to managed keys on real kubelets: join, upgrade, out again (root, 15 minutes)
	@$(BIN)/python hack/testbed/node.py --ask
	@$(MAKE) --no-print-directory testbed
	@hack/e2e kubeadm -q -rP $(SELECTED) $(or $(T),tests/kubeadm)

e2e-kind: testbed ## the same on the cluster that KUBECONFIG names, such as one of kind (hack/kind.yaml says how)
	@hack/e2e existing $(SELECTED) $(or $(T),tests/e2e)

core: testbed ## run the live tests that depend on the API server (K8S_VERSION=1.34.4 or 1.33.13 for another Kubernetes)
	@$(BIN)/python -m pytest $(PYTEST_ARGS) $(SELECTED) $(or $(T),$(CORE_TESTS))

ordinary: testbed ## run demo and tests as an ordinary user under the system's Python, without IPv6 and with it (root sets it up)
	@hack/ordinary $(PART)

check: install ## format, lint, types, layers, prose, links of the docs, generated files fresh
	@test ! -e operator/__init__.py || { echo "operator/__init__.py shadows the standard library's operator: remove it"; exit 1; }
	@$(BIN)/ruff format --check --quiet . || { echo "run: make fmt"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python hack/gen.py --check
	@$(BIN)/python hack/check_lock.py
	@$(BIN)/python hack/draw_timeline.py --check
	@$(BIN)/python hack/draw_managed_timeline.py --check
	@$(BIN)/python hack/draw_fleet.py --check
	@$(BIN)/python hack/prose.py --check
	@$(MAKE) --no-print-directory site >/dev/null
	@echo "check: all good"

site: install ## build the site of the docs into build/site; a broken link or a page outside the menu fails
	@said=$$(NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build 2>&1) || { echo "$$said" >&2; exit 1; } # --quiet would let all pass
	@echo build/site/index.html

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

gallery: testbed ## ask independent relying parties about every broken issuer of the gallery (minutes; needs npm and Go)
	@$(BIN)/python hack/gallery.py
	@$(BIN)/python hack/gen.py

lock: install ## resolve requirements.lock anew, for every platform, with hashes
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --group dev --upgrade \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes -c requirements.lock \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.run.lock

clean: ## remove what the verbs made in the checkout; the testbed in the user's cache stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build dist
