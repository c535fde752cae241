# Every command a developer needs; CI runs the same ones. `make test` is all it takes on a machine with Python 3.11 or
# newer, Rust and a C linker: it makes its own virtual environment in .venv.

# The interpreter to build .venv from and to test with, e.g. `make test PYTHON=python3.13`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# More arguments for pytest, e.g. `make python-test ARGS="-k claim -x"`.
ARGS ?=
# The seconds that `make torture` gives its tests; what is around them takes another minute or two.
TORTURE_S ?= 780
# The folder that `make demo` hashes; without one it finds one that every machine has.
DIR ?=

# Named after the interpreter's version, so that another PYTHON makes a new environment. An interpreter that is missing
# or too old leaves the version empty or old, and the recipe says so.
PYTHON_VERSION := $(shell $(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null)
INSTALLED := $(VENV)/installed-$(PYTHON_VERSION)

# The package looks for the library in ./target; with another target directory it has to be told.
ifdef CARGO_TARGET_DIR
export HONKER_EXTENSION_PATH ?= $(abspath $(CARGO_TARGET_DIR))/release/libhonker_ext.$(if $(filter Darwin,$(shell uname)),dylib,so)
endif
# Apart from the library that is shipped, so that no build can take one for the other.
FAULTS_DIR := $(or $(CARGO_TARGET_DIR),target)/faults

.DEFAULT_GOAL := help
.PHONY: help setup build build-faults test lint format rust-test python-test torture fuzz demo bench bench-full wheel clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Make .venv with the package (editable) and the developers' tools

# Made anew only when what is installed may have changed; the sources are used in place.
$(INSTALLED): pyproject.toml hatch_build.py Cargo.toml Cargo.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "honker needs Python 3.11 or newer, and $(PYTHON) is not: name another, as in make PYTHON=python3.13" >&2; exit 1; }
	$(MAKE) build  # pip would build it as well, but without showing cargo's messages
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev,demo,bench]'
	touch $@

build: ## Build the SQLite extension
	cargo build --release --locked -p honker-extension

# What the crash tests load: the extension with its failpoints, and the disk that fails. Not optimised and without debug
# information, which builds fastest.
build-faults:
	CARGO_PROFILE_DEV_DEBUG=0 cargo build --locked --target-dir $(FAULTS_DIR) \
		-p honker-extension -p honker-faults --features honker-extension/failpoints

test: lint rust-test python-test ## Everything CI checks: lint, types, layers, Rust tests, Python tests

lint: setup ## Check format, lints, types, layers and the place of SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_sql_placement.py
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets --all-features --locked -- -D warnings
	cargo clippy -p honker-extension -p honker-faults --all-features --locked -- -D warnings

format: setup ## Format all code and apply the safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cargo fmt --all

# Without the cdylibs, which need a host's SQLite; these tests link one statically.
rust-test: ## Test the Rust crates
	cargo test --locked
	cargo test --manifest-path fuzz/Cargo.toml --locked

# Cargo knows whether there is something to build, so it is always asked.
python-test: setup build build-faults ## Test everything else, through the built extension
	$(BIN)/python -m pytest $(ARGS)

torture: setup build build-faults ## Kill, starve and cut the power for a quarter of an hour; the figures go to docs/torture.json
	HONKER_TORTURE=$(TORTURE_S) $(BIN)/python -m pytest -m torture $(ARGS)

fuzz: setup ## Invent inputs for schedules, arguments and SQL calls, for a minute (needs a C++ compiler)
	$(BIN)/python fuzz/run.py $(ARGS)

demo: setup build ## Hash the files of DIR with two workers, one of which is killed
	$(BIN)/python examples/hash_files.py $(if $(DIR),"$(DIR)")

# ARGS for these two, e.g. ARGS=--resume after an interruption, ARGS="--only enqueue claim_ack", ARGS="-- --rounds 3".
bench: setup build build-faults ## Measure against plain SQLite and other queues (some minutes); writes the README's table
	$(BIN)/python bench/install_peers.py
	$(BIN)/python bench/suite.py $(ARGS)

bench-full: setup build build-faults ## The same in full (an hour and a half): curves to 1,000,000 rows, a million commits, memory over an hour
	$(BIN)/python bench/install_peers.py
	$(BIN)/python bench/suite.py --full $(ARGS)

wheel: setup ## Build the source distribution, and the wheel from it, into dist/
	$(BIN)/python -m build

clean: ## Delete everything that was built or installed here
	rm -rf $(VENV) target fuzz/target dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
