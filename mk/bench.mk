# What is measured. Figures live here and never decide a test.

BENCH_BIN := build/bench/bin
BENCH_SECONDS ?= 8
BENCH_PROGRAMS := load floor_http floor_bus floor_pg floor_jwt
BENCH_CFLAGS := -std=gnu17 -O2 -g -Wall -Wextra -D_GNU_SOURCE
floor_http_PKG := libmicrohttpd
floor_bus_PKG := libnats
floor_pg_PKG := libpq
floor_jwt_PKG := libjwt

$(BENCH_BIN)/%: bench/%.c
	@mkdir -p $(@D)
	@$(CC) $(BENCH_CFLAGS) -o $@ $< $(if $($*_PKG),$$($(PKG_CONFIG) --cflags --libs $($*_PKG)))

.PHONY: bench bench-join bench-calls
bench: bench-join bench-calls ## all measurements, as JSON in build/bench and as tables
bench-join: deps livekit $(BENCH_PROGRAMS:%=$(BENCH_BIN)/%) ## joins beside the floors of their parts
	@$(MAKE) --no-print-directory VARIANT=release all
	@$(PYTHON) bench/join.py --seconds $(BENCH_SECONDS)
bench-calls: deps livekit $(BENCH_BIN)/load ## webhooks recorded, and the first join of a room
	@$(MAKE) --no-print-directory VARIANT=release all
	@$(PYTHON) bench/calls.py
