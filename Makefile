# The commands of this repository. `make demo` and `make test` need a Debian machine with Swift 6.3 and nothing else.

SWIFT ?= swift
RELEASE = $(SWIFT) build -c release

.PHONY: help demo test bench bench-tracing bench-gate soak fuzz mutants format lint docs api clean install

help:
	@echo "make demo     run the bank app on the embedded log, kill it, check every balance"
	@echo "make test     run all tests; TRIBUTARY_SEED and TRIBUTARY_CASES repeat its random cases"
	@echo "make bench    measure (Benchmarks/), ratios in one run"
	@echo "make bench-tracing  what lineage costs in a state store, layer by layer"
	@echo "make bench-gate     instructions and allocations per record against their thresholds"
	@echo "make soak     crash tests, flipped bits and random lineage topologies, for long"
	@echo "make fuzz     fuzz the parsers of outside bytes"
	@echo "make mutants  break the sources in one place after another, and see whether the tests notice"
	@echo "make format   format the sources        make lint   check them"
	@echo "make docs     build the documentation            make api    check the public API against its list"
	@echo "make clean    remove what was built"

install:
	@.ci/install

demo: install
	@$(RELEASE) --product tributary
	@"$$($(RELEASE) --show-bin-path)/tributary" demo

# Tests that talk to servers wait where others need the thread, so each kind runs by itself.
SERVERS = TributaryKafkaTests|TelemetryIntegrationTests

test: install
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --skip "$(SERVERS)"
	for suite in TributaryKafkaTests.Mock TributaryKafkaTests.RealBroker TelemetryIntegrationTests; do \
	    $(SWIFT) test --skip-build --filter "$$suite" || exit 1; done

bench: install
	cd Benchmarks && $(RELEASE) && "$$($(RELEASE) --show-bin-path)/tributary-bench" all

bench-tracing: install
	cd Benchmarks && $(RELEASE) --product tributary-bench && "$$($(RELEASE) --show-bin-path)/tributary-bench" tracing

bench-gate: install
	@.ci/install valgrind
	Benchmarks/gate

soak: install
	TRIBUTARY_SOAK=1 $(SWIFT) test -c release -Xswiftc -enable-testing --filter "CrashTests|LineageTruth|BitFlipTests|StateFlipTests"

fuzz: install
	@.ci/fuzz

mutants: install
	@.ci/install python3
	@.ci/mutants

format:
	$(SWIFT) format -i -r -p Sources Tests Examples Snippets Package.swift

lint:
	$(SWIFT) format lint --strict -r -p Sources Tests Examples Snippets Package.swift

docs:
	@.ci/docs

api: docs
	@.ci/api

clean:
	rm -rf .build Examples/.build Examples/*/.build Benchmarks/.build
