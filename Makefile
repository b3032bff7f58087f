# SPDX-License-Identifier: MIT
#
# The front door: each target sets up what it needs, then hands over to CMake. `make help` lists them.

BUILD   := build/release
JOBS    := $(shell nproc 2>/dev/null || echo 2)
FANIN   := $(BUILD)/bin/fanin
PYTHON  ?= python3
CLANG_FORMAT ?= clang-format
CLANG_TIDY   ?= clang-tidy

.PHONY: help build demo test battery bench lint install clean

help:
	@echo "make demo      build, then make GPT-2 small (124 M parameters, 0.5 GB) from its config.json and verify it"
	@echo "make test      build and run every test"
	@echo "make battery   no finding about healthy models under SEEDS=10000 seeds (an hour or so of one processor)"
	@echo "make bench     measure it, with torch beside it where PYTHON=... can import it; BENCH='--quick' and others: bench/README.md"
	@echo "make build     build the library and the command: $(FANIN)"
	@echo "make install   install to PREFIX (default /usr/local)"
	@echo "make lint      clang-format and clang-tidy over src and cli"
	@echo "make clean     remove build/"
	@echo
	@echo "Other builds: cmake --preset dev|asan|ubsan|tsan|valgrind|coverage|fuzz|core, then cmake --build --preset ..."

build:
	@tools/setup.sh build
	@cmake --preset release -DFANIN_PYTHON=$(PYTHON) -DBUILD_TESTING=OFF --log-level=WARNING >/dev/null
	@env -u MAKEFLAGS -u MAKELEVEL cmake --build --preset release -j $(JOBS)

demo: build
	@mkdir -p build/demo
	$(FANIN) init examples/gpt2/config.json --seed 42 -o build/demo/gpt2 --force
	$(FANIN) verify build/demo/gpt2
	@echo
	@echo "build/demo/gpt2 holds config.json and model.safetensors: GPT-2 small as it is before the first step of training."
	@echo "  open it          python: transformers.AutoModelForCausalLM.from_pretrained('build/demo/gpt2')"
	@echo "  see the plan     $(FANIN) plan examples/gpt2/config.json"
	@echo "  ask for reasons  $(FANIN) explain kaiming_uniform"
	@echo "  one weight       $(FANIN) fill 'kaiming_uniform(a=sqrt(5))' --shape 512,256 --seed 42"
	@echo "  run the tests    make test"

test:
	@tools/setup.sh test
	@cmake --preset release -DFANIN_PYTHON=$(PYTHON) -DBUILD_TESTING=ON --log-level=WARNING >/dev/null
	@env -u MAKEFLAGS -u MAKELEVEL cmake --build --preset release -j $(JOBS)
	@env -u MAKEFLAGS -u MAKELEVEL ctest --preset release -j $(JOBS)

# Each process takes 50 seeds; the first finding about a healthy model ends it.
SEEDS ?= 10000
battery:
	@tools/setup.sh test
	@cmake --preset release -DBUILD_TESTING=ON --log-level=WARNING >/dev/null
	@env -u MAKEFLAGS -u MAKELEVEL cmake --build --preset release -j $(JOBS) --target test_healthy
	@mkdir -p build/battery
	@seq 0 50 $$(($(SEEDS) - 1)) | FANIN_SOURCE_DIR=$(CURDIR) xargs -P $(JOBS) -I FIRST sh -c \
		'$(CURDIR)/$(BUILD)/tests/test_healthy FIRST $$((FIRST + 49)) >build/battery/FIRST.log 2>&1 || { cat build/battery/FIRST.log; exit 255; }'
	@echo "battery: nothing was found under $(SEEDS) seeds"

# A release build of its own, then fanin, torch and fanin again for each section; the results lie in build/bench/results.
bench:
	@tools/setup.sh build
	@cmake -S . -B build/bench -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DFANIN_BENCH=ON --log-level=WARNING >/dev/null
	@cmake --build build/bench -j $(JOBS) --target fanin_bench
	@FANIN_PYTHON=$(PYTHON) bench/run_bench.sh build/bench/bin/bench --out build/bench/results/ $(BENCH)

install: build
	cmake --install $(BUILD) $(if $(PREFIX),--prefix $(PREFIX))

lint:
	@tools/setup.sh lint
	@cmake --preset dev -DBUILD_TESTING=OFF --log-level=WARNING >/dev/null
	@find include src cli tests examples bench -name '*.[ch]' ! -name '*_tables.inc.h' -print0 | xargs -0 $(CLANG_FORMAT) --dry-run -Werror
	@find src cli -name '*.c' -print0 | xargs -0 -n 4 -P $(JOBS) $(CLANG_TIDY) -p build/dev --quiet --warnings-as-errors='*'
	@echo "lint: clean"

clean:
	rm -rf build
