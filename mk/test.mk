# Tests. Each tests/unit/<room>/test_*.c is a program (cmocka); <room> is lib or a service. Programs
# of tests/integration/ run our binaries against a real PostgreSQL and NATS, those of tests/e2e/ a
# whole stack with LiveKit and Chromium. tools/run_tests.py runs them and counts.

SERVICE ?=
UNIT_SRC := $(sort $(wildcard tests/unit/$(if $(SERVICE),$(SERVICE),*)/test_*.c))
UNIT_BIN := $(UNIT_SRC:%.c=$(B)/%)
TOOL_TESTS := $(sort $(wildcard tests/tools/test_*.py))
INTEGRATION_TESTS := $(sort $(wildcard tests/integration/test_*.py))
E2E_TESTS := $(sort $(wildcard tests/e2e/test_*.py tests/e2e/*.test.mjs))
HARNESS_SRC := $(sort $(wildcard tests/harness/*.c))
HARNESS_OBJ := $(HARNESS_SRC:%.c=$(B)/%.o)
$(B)/libharness.a: $(HARNESS_OBJ)

define unit_rules
$$(B)/tests/unit/$(1)/%: $$(B)/tests/unit/$(1)/%.o $$(B)/libharness.a \
    $$(if $$(filter-out lib,$(1)),$$(B)/lib$(1).a) $$(B)/libtv.a $$(B)/libproto.a
	@mkdir -p $$(@D)
	@$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LIBS) $$(CMOCKA_LIBS)
endef
$(foreach room,lib $(SERVICES),$(eval $(call unit_rules,$(room))))

# The threads of the product meet in these; they run under ThreadSanitizer as well.
TSAN_TESTS := test_loop test_bus test_bus_tls test_bus_wire test_rpc
TSAN_BIN := $(foreach t,$(TSAN_TESTS),$(if $(wildcard tests/unit/lib/$(t).c),build/tsan/tests/unit/lib/$(t)))

JOBS ?= $(shell nproc)
SUB_MAKE = $(MAKE) --no-print-directory -j$(JOBS)
RUN_TESTS := $(PYTHON) tools/run_tests.py
export ASAN_OPTIONS := detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
export UBSAN_OPTIONS := print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS := halt_on_error=1:second_deadlock_stack=1

.PHONY: test-bin
test-bin: $(UNIT_BIN) $(BINARIES)

.PHONY: test-unit
test-unit: deps ## unit tests under ASan and UBSan, with a local NATS (SERVICE=tokens: one room)
	@$(SUB_MAKE) VARIANT=asan SERVICE=$(SERVICE) test-bin
	@$(RUN_TESTS) $(UNIT_SRC:%.c=build/asan/%)

.PHONY: test-integration
test-integration: deps livekit ## our programs with a real PostgreSQL, NATS and LiveKit
	@$(SUB_MAKE) VARIANT=asan all
	@$(RUN_TESTS) --jobs 1 --timeout 600 $(INTEGRATION_TESTS)

LIFECYCLE_TESTS := $(patsubst %,tests/integration/test_%.py,lifecycle rolling upgrade)
.PHONY: test-lifecycle
test-lifecycle: deps livekit ## rolling restarts under load, drains, servers away or frozen, upgrades
	@$(SUB_MAKE) VARIANT=asan all
	@$(RUN_TESTS) --jobs 1 --timeout 600 $(LIFECYCLE_TESTS)

# Fuzzing: tests/fuzz/fuzz_x.c with its seeds in tests/fuzz/corpus/x. The seeds are replayed by a
# unit test; here clang looks for more. What it finds goes into the corpus with its fix.
FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
.PHONY: fuzz
fuzz: deps ## look for inputs that break the parsers (FUZZ_SECONDS=60)
	@$(SUB_MAKE) CC=clang VARIANT=asan B=build/fuzz build/fuzz/libtv.a build/fuzz/libproto.a
	@for f in $(FUZZERS); do \
	    mkdir -p build/fuzz/corpus/$$f; \
	    clang $(CPPFLAGS) $(PKG_CFLAGS) -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined \
	        -o build/fuzz/fuzz_$$f tests/fuzz/fuzz_$$f.c build/fuzz/libtv.a build/fuzz/libproto.a \
	        $(LIBS); \
	    build/fuzz/fuzz_$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
	        build/fuzz/corpus/$$f tests/fuzz/corpus/$$f; \
	done

# Of these one runs at a time, beside the others: they load the machine (`web` is Vitest).
HEAVY := ^web$$|e2e/(calls|media|story|web_calls|web_faults)|test_(events|lifecycle|metrics|rolling|rotation|upgrade)
# These wait most of their time: they run beside the others.
WAITING := asan/tests/unit/(appointments/test_service|notifier/test_(notifier|watch))$$
# And these by themselves: they judge by the second what a page shows, or compare times.
ALONE := e2e/web_button|integration/test_sessions

.PHONY: test-programs
test-programs: # all that `make test` runs
	@$(SUB_MAKE) VARIANT=asan test-bin node-modules web
	@$(SUB_MAKE) VARIANT=tsan $(TSAN_BIN)
	@$(SUB_MAKE) VARIANT=release all

.PHONY: test
test: deps livekit test-programs ## everything: unit, threads, tools, web, integration, end to end
	@$(WITH_NODE); $(RUN_TESTS) --heavy '$(HEAVY)' --waiting '$(WAITING)' --alone '$(ALONE)' \
	    --timeout 600 $(UNIT_SRC:%.c=build/asan/%) \
	    $(TSAN_BIN) web $(TOOL_TESTS) $(INTEGRATION_TESTS) $(E2E_TESTS)
