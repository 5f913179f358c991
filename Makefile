# Roost. `make help` lists what there is; settings are variables of the environment, as in
# `ROOST_CLUSTER=lab WORKERS=3 make up`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.PHONY: help setup bundle bundle-export bundle-import bump up down clean status verify image test test-full test-stats test-rollout bench lint unit samples-test lock changelog docs docs-images docs-roles

help: ## what there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 16

up: ## set up this machine, start the cluster, install everything; ARGS='-e …' go to Ansible
	@trap '[ $$? = 0 ] || host/docker_engine stop' EXIT
	host/setup.sh
	python3 host/settings.py record
	host/docker_engine hold $(PYTHON) -m host.up $(ARGS)

setup: ## system packages, Docker Engine, .venv, the bundle and the node image
	@host/setup.sh
	python3 host/settings.py record
	host/docker_engine hold $(PYTHON) -m bundle fill
	host/docker_engine hold $(PYTHON) -m bundle docker-load node
	host/docker_engine hold $(PYTHON) -m bundle docker-load istio-proxy

bundle: ## fill the bundle: fetch what is missing, or build it; BUNDLE_SOURCE=fetch|build
	@host/setup.sh
	host/docker_engine hold $(PYTHON) -m bundle fill

bump: ## raise the bundle's versions to newer releases, and show the diff; ARGS=--check only looks
	@$(PYTHON) -m bundle bump $(ARGS)

verify: ## measure what the running cluster promises
	@ansible-playbook playbooks/verify.yml

status: ## the cluster's containers, and what the bundle holds
	@$(PYTHON) host/nodes.py status
	$(PYTHON) -m bundle status

image: ## add one's own image: IMAGE=registry.example/team/app:v1 FROM=docker|registry|archive [FILE=app.tar]
	@test -n "$(IMAGE)" -a -n "$(FROM)" || { echo 'make image: expected IMAGE=NAME:TAG FROM=docker or FROM=registry, or FROM=archive FILE=app.tar' >&2; exit 2; }
	$(PYTHON) -m bundle image '$(IMAGE)' --from '$(FROM)' $(if $(FILE),--file '$(FILE)')
	if $(PYTHON) host/nodes.py status --quiet; then ansible-playbook playbooks/registry.yml
	else echo 'container nodes get it by the next `make up`, other machines by `ansible-playbook playbooks/registry.yml`'; fi

bundle-export: ## write the bundle to a file, for a machine without internet: FILE=bundle.tar
	@test -n "$(FILE)" || { echo 'make bundle-export: expected FILE=bundle.tar' >&2; exit 2; }
	$(PYTHON) -m bundle export '$(FILE)'

bundle-import: ## take the bundle from such a file: FILE=bundle.tar
	@test -n "$(FILE)" || { echo 'make bundle-import: expected FILE=bundle.tar' >&2; exit 2; }
	host/setup.sh --import
	$(PYTHON) -m bundle import '$(FILE)'

down: remove-cluster ## remove the cluster; the bundle and the node image stay
	@host/docker_engine stop
	echo "\`make clean\` removes the bundle too"

remove-cluster:
	@eval "$$(python3 host/settings.py exports)"
	if command -v dockerd >/dev/null; then host/docker_engine start; fi
	if command -v vagrant >/dev/null && [ -d "$$VAGRANT_DOTFILE_PATH" ]; then vagrant destroy -f; fi
	# Vagrant may have stopped it by now, with nothing left in it.
	if host/docker_engine answers; then python3 host/nodes.py clean; fi
	rm -rf "$$VAGRANT_DOTFILE_PATH" "$$(python3 host/settings.py get kubeconfig)"
	echo "no cluster $$ROOST_CLUSTER is left"

clean: remove-cluster ## remove the cluster, what tests have left, the bundle, the images and .venv
	@if command -v docker >/dev/null; then tests/leftovers; fi
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m bundle clean; fi
	rm -rf .venv .venv-docs .venv-samples .cache .ansible ".roost/$${ROOST_CLUSTER:-roost}"
	host/docker_engine stop

test: ## everything that CI runs
	@tests/run

test-rollout: ## everything about rollouts, on a cluster with traffic
	@tests/run rollout

test-full: ## each role by itself, failure cases, kills, incidents: takes hours; ARGS='istio kills' names parts
	@tests/run full $(ARGS)

test-stats: ## simulated rollouts; writes the tables of docs/statistics.md
	@nice $(PYTHON) -m tests.simulations all

bench: ## time site.yml beside a shell script that does the same; ARGS='--pairs 5 --json FILE'
	@$(PYTHON) -m tests.bench $(ARGS)

lint: ## every linter
	@tests/lint

unit: ## the tests of pure code
	@$(PYTHON) -m pytest -q -n auto --dist worksteal tests/unit

sanity: ## ansible-test sanity over the built collection
	@tests/sanity/run

samples-test: ## the samples' own tests, in an environment of their own
	@tests/samples

docs: ## build the site of the documentation, with a page for each role and plugin
	@host/venv .venv-docs docs/requirements.txt
	$(PYTHON) -m docs.website

docs-images: ## draw docs/images from docs/diagrams again
	@python3 docs/draw.py

docs-roles: ## write the roles' READMEs and docs/options.md from the argument specs again
	@$(PYTHON) docs/roles.py

changelog: ## move the fragments in changelogs/fragments into CHANGELOG.md
	@host/venv .venv-docs docs/requirements.txt
	.venv-docs/bin/antsibull-changelog release --update-existing --reload-plugins --refresh-plugins

lock: ## write requirements.txt from requirements.in, with hashes
	@$(PYTHON) -m uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header \
	  --no-emit-index-url -o requirements.txt requirements.in
	$(PYTHON) -m uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header \
	  --no-emit-index-url -o docs/requirements.txt docs/requirements.in
