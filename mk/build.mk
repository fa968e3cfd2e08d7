# Libraries and services. Every .c of lib/ goes into libtv.a; every .c of a service but main.c into
# lib<service>.a, so that unit tests link the same objects as the program.

SERVICES := gateway appointments tokens notifier

LIB_SRC := $(sort $(wildcard lib/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
PROTO_OBJ := $(PROTO_C:$(GEN)/%.c=$(B)/gen/%.o)

$(B)/libtv.a: $(LIB_OBJ) $(B)/gen/version.o
$(B)/libproto.a: $(PROTO_OBJ)
$(B)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/gen/version.o: Makefile
	@mkdir -p $(@D)
	@echo 'extern const char tv_version[]; const char tv_version[] = "$(VERSION)";' | \
	    $(CC) $(GEN_CFLAGS) -x c -c -o $@ -

# Nothing of ours compiles before the headers that it may include are generated.
$(B)/lib/%.o: lib/%.c | $(PROTO_STAMP)
	@mkdir -p $(@D)
	@echo "  cc $<"
	@$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -c -o $@ $<
$(B)/%.o: %.c | $(PROTO_STAMP) $(API_STAMP) $(SQL_STAMP)
	@mkdir -p $(@D)
	@echo "  cc $<"
	@$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -c -o $@ $<
$(B)/gen/proto/%.o: $(GEN)/proto/%.c | $(PROTO_STAMP)
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(GEN_CFLAGS) -c -o $@ $<
$(B)/gen/%.o: $(GEN)/%.c | $(PROTO_STAMP) $(API_STAMP) $(SQL_STAMP)
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(GEN_CFLAGS) -c -o $@ $<

gateway_GEN := $(B)/gen/routes.o $(B)/gen/openapi.o
appointments_GEN := $(B)/gen/appointments_sql.o $(B)/gen/appointments_migrations.o

define service_rules
$(1)_SRC := $$(sort $$(filter-out services/$(1)/main.c,$$(wildcard services/$(1)/*.c services/$(1)/*/*.c)))
$(1)_OBJ := $$($(1)_SRC:%.c=$$(B)/%.o) $$($(1)_GEN)
$$(B)/lib$(1).a: $$($(1)_OBJ)
$$(B)/bin/$(1): $$(B)/services/$(1)/main.o $$(B)/lib$(1).a $$(B)/libtv.a $$(B)/libproto.a
	@mkdir -p $$(@D)
	@echo "  ld $$@"
	@$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LIBS)
endef
$(foreach s,$(SERVICES),$(eval $(call service_rules,$(s))))

BINARIES := $(SERVICES:%=$(B)/bin/%)
.PHONY: all
all: $(BINARIES) ## build the four services (VARIANT=release|asan|tsan, CC=gcc|clang)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
.SECONDARY:
