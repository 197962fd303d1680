# The two commands of the README, and what developers need. Everything installs itself first.
#   make demo                              watch a whole warehouse work
#   make demo ARGS="--headless --seconds 20"
#   make test                              the test suite
#   make test-rig                          scanners on real kernel devices, in QEMU (docs/rig.md)
ARGS ?=
PY := .venv/bin/python
STAMP := .venv/.installed

.PHONY: demo test setup check bench test-soak test-rig lock clean

demo: $(STAMP)
	@.venv/bin/docktally demo $(ARGS)

test: $(STAMP)
	@deploy/need-packages mosquitto tmux
	@$(PY) -m pytest -n 3 --dist worksteal $(ARGS)

setup: $(STAMP)

# What CI checks besides the tests.
check: $(STAMP)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: $(STAMP)
	@deploy/need-packages mosquitto
	$(PY) -m pytest -m bench -s $(ARGS) tests/bench

test-soak: $(STAMP)
	@deploy/need-packages mosquitto tmux
	$(PY) -m pytest -m soak -s $(ARGS)

# QEMU and a kernel go into a cache folder, never on this machine.
test-rig: $(STAMP)
	@PYTHONPATH=tests $(PY) -m rig
	$(PY) -m pytest -m rig $(ARGS) tests/rig

lock:
	.venv/bin/uv lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(STAMP): pyproject.toml uv.lock deploy/set-up
	@deploy/set-up
	@touch $@
