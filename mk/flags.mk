# Compiler flags: one place for all of them. `make CC=clang` works the same.

CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
WERROR ?= 1

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
    -Wpointer-arith -Wformat=2 -Wvla -Wundef -Wimplicit-fallthrough -Wnull-dereference \
    -Wwrite-strings -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror)
HARDENING := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
LDHARDENING := -pie -Wl,-z,relro,-z,now -Wl,--as-needed -Wl,-z,noexecstack

ifeq ($(VARIANT),release)
  OPT := -O2 -g -D_FORTIFY_SOURCE=2
else ifeq ($(VARIANT),asan)
  OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
  WARNINGS += -Wno-null-dereference
else ifeq ($(VARIANT),tsan)
  OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
  WARNINGS += -Wno-null-dereference
else
  $(error VARIANT is release, asan or tsan, not "$(VARIANT)")
endif

CPPFLAGS := -D_GNU_SOURCE -I. -I$(GEN) -I$(GEN)/proto
CFLAGS := -std=gnu17 $(OPT) $(WARNINGS) $(HARDENING) -MMD -MP
LDFLAGS := $(OPT) $(LDHARDENING)
# Generated code is not ours to polish.
GEN_CFLAGS := -std=gnu17 $(OPT) $(HARDENING) -w -MMD -MP
