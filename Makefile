#: make demo    etcd over three clusters before your eyes; make down takes the clusters away
#: make test    everything that CI runs; its parts: lint unit sanity build lab-tests mesh module-tests molecule e2e
#: make longer  the days of failover that CI has no time for; make e2e has them too
#: make cold    make test in a fresh clone with empty caches
#: make killed  a fresh lab for each place where site is killed;   make soak  ten labs, thirty databases
#: make bench bench-preflight bench-endpoints bench-lab bench-failover bench-mesh bench-mesh-dead    figures, on an idle machine
#: make faults  the fault matrix: adds the rows that are missing (MORE="--only FAULT --rows N --minutes M --list")
#: make clean   the virtual environment and what the checkout caches
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c

ROOT := $(CURDIR)
VENV := $(ROOT)/.venv
BIN := $(VENV)/bin
PYTHON ?= python3
# Ansible finds a collection only below ansible_collections/NAMESPACE/NAME.
TREE := $(ROOT)/.cache/tree
COLLECTION := $(TREE)/ansible_collections/kubeblocks/multicluster
# A figure is taken with what the tests look at, and how they run playbooks.
BENCH = PYTHONPATH=$(TREE):$(ROOT)/tests:$(ROOT)/tests/e2e $(BIN)/python
# Empty until the environment is made; the targets that need it come after that.
SITE_PACKAGES = $(shell $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' 2>/dev/null)

export PATH := $(BIN):$(PATH)
export ANSIBLE_COLLECTIONS_PATH = $(TREE):$(SITE_PACKAGES)
export ANSIBLE_CONFIG := $(ROOT)/ansible.cfg

.DEFAULT_GOAL := help

.PHONY: help setup demo test longer lint unit build lab-tests mesh module-tests sanity molecule e2e killed soak bench bench-lab bench-preflight bench-endpoints bench-failover bench-mesh bench-mesh-dead faults down cold clean

help:
	@sed -n 's/^#: //p' Makefile

setup: $(VENV)/.complete $(COLLECTION)

$(VENV)/.complete: requirements-dev.txt pyproject.toml
	@bash lab/setup.sh "$(PYTHON)" "$(VENV)"

$(COLLECTION):
	@mkdir -p $(dir $@)
	ln -sfn $(ROOT) $@

demo: setup
	@bash lab/demo.sh

test: setup
	@bash tests/run.sh

longer lint unit lab-tests mesh module-tests sanity molecule e2e: setup
	@bash tests/run.sh $@

build: setup
	@lab build

killed: setup
	@bash tests/run.sh killed

soak: setup
	@bash tests/run.sh soak

bench: setup
	@$(BENCH) bench/second_run.py

bench-preflight: setup
	@$(BENCH) bench/preflight.py

bench-endpoints: setup
	@$(BENCH) bench/endpoints.py

bench-lab: setup
	@$(BENCH) bench/lab_up.py

bench-failover: setup
	@$(BENCH) bench/failover.py

bench-mesh-dead: setup
	@$(BENCH) bench/mesh_dead.py

bench-mesh: setup
	@$(BENCH) bench/mesh.py

faults: setup
	@$(BENCH) bench/faults.py $(MORE)

down:
	@lab down

cold:
	@bash tests/cold.sh

clean:
	rm -rf $(VENV) $(ROOT)/.cache $(ROOT)/*.egg-info
