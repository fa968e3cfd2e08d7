# What is made from proto/ and services/*/sql/: never committed.

PROTOS := $(sort $(wildcard proto/televisit/*.proto proto/televisit/v1/*.proto proto/livekit/*.proto))
WELL_KNOWN := google/protobuf/timestamp google/protobuf/empty google/protobuf/descriptor
PROTO_NAMES := $(PROTOS:proto/%.proto=%) $(WELL_KNOWN)
PROTO_C := $(PROTO_NAMES:%=$(GEN)/proto/%.pb-c.c)
PROTO_H := $(PROTO_C:.c=.h)
GEN_STAMP := $(GEN)/stamp

# protoc writes .c and .h of all files at once, so one stamp stands for them.
PROTO_STAMP := $(GEN)/proto.stamp
$(PROTO_STAMP): $(PROTOS)
	@mkdir -p $(GEN)/proto
	@$(PROTOC) -Iproto -I/usr/include --c_out=$(GEN)/proto $(PROTOS) $(WELL_KNOWN:%=%.proto)
	@$(PROTOC) -Iproto -I/usr/include --include_imports --include_source_info \
	    --descriptor_set_out=$(GEN)/api.binpb $(PROTOS)
	@touch $@
$(PROTO_C) $(PROTO_H): $(PROTO_STAMP) ;

# Routes, OpenAPI, NATS allow-lists, API reference.
API_OUT := $(GEN)/routes.c $(GEN)/routes.h $(GEN)/openapi.json $(GEN)/openapi.c $(GEN)/nats.json \
    $(GEN)/nats-accounts.conf $(GEN)/API.md
API_STAMP := $(GEN)/api.stamp
$(API_STAMP): $(PROTO_STAMP) tools/gen_api.py $(wildcard tools/api/*.py) lib/err.h
	@$(PYTHON) tools/gen_api.py --descriptors $(GEN)/api.binpb --errors lib/err.h --out $(GEN) \
	    --version $(VERSION)
	@touch $@
$(API_OUT): $(API_STAMP) ;

# SQL statements and migrations as C.
SQL_FILES := $(sort $(wildcard services/appointments/sql/*.sql services/appointments/sql/*/*.sql))
MIGRATIONS := $(sort $(wildcard services/appointments/migrations/*.sql))
SQL_OUT := $(GEN)/appointments_sql.c $(GEN)/appointments_sql.h $(GEN)/appointments_migrations.c
SQL_STAMP := $(GEN)/sql.stamp
$(SQL_STAMP): $(SQL_FILES) $(MIGRATIONS) tools/gen_sql.py
	@mkdir -p $(GEN)
	@$(PYTHON) tools/gen_sql.py --sql services/appointments/sql \
	    --migrations services/appointments/migrations --out $(GEN)
	@touch $@
$(SQL_OUT): $(SQL_STAMP) ;

.PHONY: gen
gen: $(PROTO_STAMP) $(API_STAMP) $(SQL_STAMP) ## generate code, openapi.json, allow-lists, API.md

.PHONY: docs
docs: all $(API_STAMP) ## API.md and CONFIG.md in build/docs, from the protos and the services
	@mkdir -p build/docs
	@cp $(GEN)/API.md build/docs/API.md
	@{ echo '# Configuration'; echo; echo 'Environment variables of each service.'; \
	    for s in $(SERVICES); do printf '\n## %s\n\n```\n' $$s; $(B)/bin/$$s --help-config; \
	    printf '```\n'; done; } > build/docs/CONFIG.md
	@echo "written: build/docs/API.md build/docs/CONFIG.md"
