# Two commands for a fresh machine: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
HOURS ?=
NAMES ?=
BENCH := .venv-bench
OLDEST := .venv-oldest
BENCHMARKS := limits train_classic train_lite0 fused_loss evaluate_2100 confusion two_processes busy scaling \
	infer_classic infer_lite0 cold_start large parity serve_load serve_fuzz

# For a machine with a GPU and without packages: the folder of wheels from `make gpu-wheels`.
WHEELS ?=
DEVICE ?= cuda
GPU_PYTHON ?= $(if $(WHEELS),python3,$(BIN)/python)

.PHONY: install demo check test test-avx2 test-slow test-install test-oldest torture docs bench gpu gpu-wheels accuracy what-helps own-data bundled-graph clean
install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[train,lite,tensorboard,dev]"
	touch $@

demo: install
	$(BIN)/sceneparse demo $(if $(DATA),--data "$(DATA)")

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/typos

# Processes with one thread each, because most tests are too small for more threads; one more than
# there are cores, because tests wait for other programs. One that dies ends the run: with a new one
# in its place, pytest-xdist waits forever.
WORKERS ?= $(shell expr $$(nproc) + 1)
PARALLEL = -n $(WORKERS) --dist loadfile --max-worker-restart 0
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) -m "not slow and not install and not torture"

# Compute like a processor that has AVX2 but no bf16, with other rounding errors.
test-avx2: export ATEN_CPU_CAPABILITY = avx2
test-avx2: export ONEDNN_MAX_CPU_ISA = AVX2
test-avx2: test

test-slow: install
	$(BIN)/python -m pytest -m slow --timeout 900

# Test with the oldest PyTorch that pyproject.toml allows.
test-oldest: $(OLDEST)/.installed
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest $(PARALLEL) -m "not slow and not install and not torture"

$(OLDEST)/.installed: pyproject.toml constraints.txt .ci/constraints_oldest.py
	test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python .ci/constraints_oldest.py > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -c $(OLDEST)/constraints.txt -e ".[train,lite,tensorboard,dev]"
	touch $@

# Damage and kill runs at every moment: takes an hour and more.
torture: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m torture -s

# Takes minutes, and temporarily 6 GB of disk space.
test-install: install
	$(BIN)/python -m pytest -m install

docs: install
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_augmentation.py
	$(BIN)/python docs/make_page.py

bench: $(BENCH)/.installed
	set -e; for name in $(BENCHMARKS); do $(BENCH)/bin/python benchmarks/$$name.py; done
	$(BENCH)/bin/python benchmarks/input.py $(if $(DATA),--data "$(DATA)")
	$(BENCH)/bin/python benchmarks/table.py

# Takes at most five minutes; $OUT is the folder of the results.
gpu: $(if $(WHEELS),,install)
	set -e; site=$$(mktemp -d); trap 'rm -rf "$$site"' EXIT; \
	$(if $(WHEELS),$(GPU_PYTHON) -m pip install --quiet --no-index --no-deps --no-compile --target "$$site" "$(WHEELS)"/*.whl;) \
	PYTHONPATH="$$site:$(CURDIR)/src$${PYTHONPATH:+:$$PYTHONPATH}" $(GPU_PYTHON) benchmarks/gpu.py --device $(DEVICE) $(if $(filter cpu,$(DEVICE)),--quick --seconds 1200)

gpu-wheels:
	@test -n "$(WHEELS)" || { echo "make gpu-wheels: found no folder to fill; set WHEELS=folder" >&2; exit 1; }
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
		--python-version 3.12 --implementation cp --platform manylinux_2_28_x86_64 \
		--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
		--dest "$(WHEELS)" -r benchmarks/gpu_wheels.txt

# Exit code 1 means that a run failed: its failure is recorded, and the tables are written anyway.
accuracy: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/time_to_accuracy.py $(if $(DATA),--data "$(DATA)") || test $$? = 1
	$(BENCH)/bin/python benchmarks/results_table.py

what-helps: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/what_helps.py $(if $(DATA),--data "$(DATA)") $(if $(HOURS),--hours $(HOURS)) $(NAMES) || test $$? = 1
	$(BENCH)/bin/python benchmarks/results_table.py

own-data: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/own_data.py $(if $(DATA),--data "$(DATA)") || test $$? = 1
	$(BENCH)/bin/python benchmarks/results_table.py

# After a change of the bundled weights or of the exported graphs.
bundled-graph: install
	$(BIN)/python benchmarks/bundled_graph.py

$(BENCH)/.installed: pyproject.toml constraints.txt benchmarks/requirements.txt
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[train,lite,onnx,openvino,serve]" -r benchmarks/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) $(OLDEST) .pytest_cache .ruff_cache
