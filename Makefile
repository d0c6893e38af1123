# make run    the main job from nothing: a collector and fourteen offices on this machine
# make test   everything, as CI runs it; sets itself up on a fresh Debian or Ubuntu
# make check  format, lint, types, imports and the tests that need no peer
# make bench  benchmarks beside their peers; prints JSON
# make compiled, make pure   the path of a report by mypyc for a large fleet, and back (docs/adr/0014)

.PHONY: run test check bench setup lock mend compiled pure
VENV := .venv
STAMP := $(VENV)/.installed

run: $(STAMP)
	$(VENV)/bin/tabuah demo

test: peers $(STAMP)
	$(MAKE) --no-print-directory lint
	sh deploy/test.sh $(VENV)

check: $(STAMP) lint
	$(VENV)/bin/pytest -m "not peer and not lab"

.PHONY: lint peers
lint: $(STAMP)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	sh docs/mib/lint.sh

mend: $(STAMP)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: peers $(STAMP)
	$(VENV)/bin/python -m bench

setup: $(STAMP)

$(STAMP): pyproject.toml requirements/all.txt deploy/setup.sh
	sh deploy/setup.sh python $(VENV)
	touch $@

peers:
	sh deploy/setup.sh peers

compiled: $(STAMP)
	$(VENV)/bin/python deploy/compile.py

pure:
	$(VENV)/bin/python deploy/compile.py --pure

lock: # after changing dependencies in pyproject.toml
	$(VENV)/bin/python -m pip install --quiet uv
	$(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra dev pyproject.toml -o requirements/all.txt
