# Libraries, by pkg-config, with the oldest version that is known to work (Debian 12's).

PKG_CONFIG ?= pkg-config
#            pkg-config name, minimum, Debian package
LIBRARIES := libuv:1.44:libuv1-dev libnats:3.4.1:libnats-dev libprotobuf-c:1.4.1:libprotobuf-c-dev \
    libmicrohttpd:0.9.75:libmicrohttpd-dev libpq:15:libpq-dev libjwt:1.10.2:libjwt-dev \
    libcurl:7.88:libcurl4-openssl-dev jansson:2.14:libjansson-dev libsodium:1.0.18:libsodium-dev \
    cmocka:1.1.5:libcmocka-dev

lib_name = $(word 1,$(subst :, ,$(1)))
lib_min = $(word 2,$(subst :, ,$(1)))
lib_deb = $(word 3,$(subst :, ,$(1)))

# $(call need_library,row): an error with the package to install, unless the library is there.
need_library = $(if $(shell $(PKG_CONFIG) --atleast-version=$(call lib_min,$(1)) \
    $(call lib_name,$(1)) && echo yes),,$(error $(call lib_name,$(1)) >= $(call lib_min,$(1)) is \
    missing: install the package $(call lib_deb,$(1)), or run `make deps`))

# Goals that compile need the libraries; `make help` or `make deps` do not.
COMPILING := $(if $(MAKECMDGOALS),$(filter all test-unit bin gen,$(MAKECMDGOALS)),all)
ifneq ($(COMPILING),)
  ifeq ($(shell command -v $(PKG_CONFIG)),)
    $(error pkg-config is missing: install it, or run `make deps`)
  endif
  $(foreach row,$(LIBRARIES),$(call need_library,$(row)))
endif

PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(foreach r,$(LIBRARIES),$(call lib_name,$(r))) 2>/dev/null)
PKG_CFLAGS := $(PKG_CFLAGS)
# --as-needed drops what a program does not use.
LIBS := $(shell $(PKG_CONFIG) --libs $(foreach r,$(filter-out cmocka%,$(LIBRARIES)),$(call lib_name,$(r))) 2>/dev/null) -lm -lpthread
CMOCKA_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)

# The generator needs Debian's Python with python3-protobuf, whatever else is in PATH.
PYTHON ?= /usr/bin/python3
PROTOC ?= protoc
