# Tests. Each tests/unit/<room>/test_*.c is a program (cmocka); <room> is lib or a service.

SERVICE ?=
UNIT_SRC := $(sort $(wildcard tests/unit/$(if $(SERVICE),$(SERVICE),*)/test_*.c))
UNIT_BIN := $(UNIT_SRC:%.c=$(B)/%)
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

.PHONY: test-unit-bin
test-unit-bin: $(UNIT_BIN)
