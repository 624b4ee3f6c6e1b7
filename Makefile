# provisionerd: `make help` lists the targets. V=1 shows the commands.
#
#   make                               build/provisionerd, build/provisionerctl,
#                                      build/provisionerd-sim, build/sigv4
#   make CC=clang BUILD=build/clang    another compiler, beside the first
#   make SANITIZE=address,undefined BUILD=build/asan
#   make COVERAGE=1 BUILD=build/coverage

VERSION := 0.1.0

PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
DOCDIR ?= $(PREFIX)/share/doc/provisionerd
MANDIR ?= $(PREFIX)/share/man
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
DBUSDIR ?= $(PREFIX)/share/dbus-1/system.d
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/vendor-completions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d

CC ?= cc
AR ?= ar
INSTALL ?= install
PKG_CONFIG ?= pkg-config
BUILD ?= build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' '$(1)' '$(2)')

# inih's limits are fixed when it is built, except on Debian; elsewhere INIH_SOURCE names a folder with
# its ini.c and ini.h, which are built in with the daemon's limit (config_reader.c).
INIH_SOURCE ?=
INIH_LINE_MAX := 8195

DAEMON_PACKAGES := libcurl libcrypto json-c libsystemd $(if $(INIH_SOURCE),,inih)
SIM_PACKAGES := json-c libcrypto libmicrohttpd
TEST_PACKAGES := cmocka

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings -Wformat=2 -Wundef
# Flags of a distribution's may ask for more of _FORTIFY_SOURCE.
HARDENING := $(if $(SANITIZE)$(COVERAGE)$(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),,-D_FORTIFY_SOURCE=2) \
	-fstack-protector-strong -fPIE
OPTIMISE := $(if $(SANITIZE)$(COVERAGE),-O1,-O2)

CFLAGS ?= -g
override CFLAGS += -std=gnu11 $(OPTIMISE) $(WARNINGS) $(HARDENING) \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
	$(if $(COVERAGE),--coverage)
# Debug information must not depend on where the tree lies, so that builds are reproducible.
override CFLAGS += '-ffile-prefix-map=$(CURDIR)=.'
override CPPFLAGS += -D_GNU_SOURCE -DPROVISIONERD_VERSION='"$(VERSION)"' -Isrc -I. \
	$(if $(INIH_SOURCE),-isystem $(INIH_SOURCE) -DINI_MAX_LINE=$(INIH_LINE_MAX))
override LDFLAGS += -pie -Wl,-z,relro,-z,now -Wl,--as-needed \
	$(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(if $(COVERAGE),--coverage)

DAEMON_LIBS = $(shell $(PKG_CONFIG) --libs $(DAEMON_PACKAGES)) -lm
SIM_LIBS = $(shell $(PKG_CONFIG) --libs $(SIM_PACKAGES))
TEST_LIBS = $(shell $(PKG_CONFIG) --libs $(TEST_PACKAGES))

# Everything but main.c is a library, so that tests link the same objects as the daemon. A test that
# brings its own implementation of a header (loop.h, http.h) is linked before the library, and wins.
MODULES ?= $(filter-out main,$(patsubst src/%.c,%,$(wildcard src/*.c src/*/*.c)))
CTL_MODULES ?= $(filter-out main,$(patsubst ctl/%.c,%,$(wildcard ctl/*.c)))
SIM_MODULES ?= $(filter-out main,$(patsubst sim/%.c,%,$(wildcard sim/*.c)))
# Seams under test: another implementation of a header, or a helper shared by tests.
SUPPORT_MODULES ?= $(patsubst tests/support/%.c,%,$(wildcard tests/support/*.c))

SRC_OBJECTS := $(MODULES:%=$(BUILD)/src/%.o) $(if $(INIH_SOURCE),$(BUILD)/inih/ini.o)
CTL_OBJECTS := $(CTL_MODULES:%=$(BUILD)/ctl/%.o)
SIM_OBJECTS := $(SIM_MODULES:%=$(BUILD)/sim/%.o)
SUPPORT_OBJECTS := $(SUPPORT_MODULES:%=$(BUILD)/tests/support/%.o)
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))

PROGRAMS := $(BUILD)/provisionerd $(BUILD)/provisionerctl $(BUILD)/provisionerd-sim $(BUILD)/sigv4

.SECONDARY:

.PHONY: all
all: $(PROGRAMS) ## build the daemon, its control program, the simulated AWS and the sigv4 program

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/inih/ini.o: $(INIH_SOURCE)/ini.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out $(WARNINGS),$(CFLAGS)) -c -o $@ $<

$(BUILD)/libprovisionerd.a: $(SRC_OBJECTS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/libctl.a: $(CTL_OBJECTS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/libsim.a: $(SIM_OBJECTS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/libsupport.a: $(SUPPORT_OBJECTS)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/provisionerd: $(BUILD)/src/main.o $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/provisionerctl: $(BUILD)/ctl/main.o $(BUILD)/libctl.a $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(BUILD)/provisionerd-sim: $(BUILD)/sim/main.o $(BUILD)/libsim.a $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(SIM_LIBS) $(DAEMON_LIBS)

$(BUILD)/sigv4: $(BUILD)/tools/sigv4.o $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcrypto

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libctl.a $(BUILD)/libsupport.a $(BUILD)/libsim.a $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(SIM_LIBS) $(DAEMON_LIBS)

# The judge of the simulation, without its world: the test is one.
JUDGE_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/simulation/judge*.c))
$(BUILD)/unit/test_judge: $(BUILD)/tests/unit/test_judge.o $(JUDGE_OBJECTS) $(BUILD)/libsupport.a $(BUILD)/libsim.a $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(SIM_LIBS) $(DAEMON_LIBS)

# The daemon in simulated worlds (tests/simulation/): virtual time, the simulated AWS, a disk in memory.
SIMULATION_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/simulation/*.c))

$(BUILD)/simulate: $(SIMULATION_OBJECTS) $(BUILD)/libsupport.a $(BUILD)/libsim.a $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(SIM_LIBS) $(DAEMON_LIBS)

# Tests of the real loop and transport: without the virtual ones.
$(BUILD)/unit/test_real_%: $(BUILD)/tests/unit/test_real_%.o $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(DAEMON_LIBS) -lssl

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS:%=$(BUILD)/unit/%) ## build the unit tests

.PHONY: check-unit
check-unit: unit-tests ## run the unit tests
	$(Q)for test in $(UNIT_TESTS); do $(BUILD)/unit/$$test || exit 1; done

# Fuzz targets (tests/fuzz/README.md). In any build, build/fuzz/NAME replays inputs; in those of
# `make fuzzers` and `make fuzzers-afl` it is a fuzzer, with its objects in a folder of their own.
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SUPPORT := $(filter-out $(FUZZ_TARGETS) replay,$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
FUZZ_MAIN ?= $(BUILD)/tests/fuzz/replay.o

$(BUILD)/libfuzz.a: $(FUZZ_SUPPORT:%=$(BUILD)/tests/fuzz/%.o) $(BUILD)/tests/simulation/memory_storage.o
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(filter %.o,$(FUZZ_MAIN)) $(BUILD)/libfuzz.a $(BUILD)/libctl.a \
		$(BUILD)/libsupport.a $(BUILD)/libsim.a $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out %.o,$(FUZZ_MAIN)) $^ $(TEST_LIBS) $(SIM_LIBS) $(DAEMON_LIBS)

.PHONY: fuzz-targets fuzzers fuzzers-afl
fuzz-targets: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%) ## build the fuzz targets, to replay inputs

fuzzers: ## build the fuzz targets for libFuzzer, in $(BUILD)/libfuzzer
	$(Q)$(MAKE) BUILD=$(BUILD)/libfuzzer CC=clang SANITIZE=address,undefined,fuzzer-no-link \
		FUZZ_MAIN=-fsanitize=fuzzer fuzz-targets

fuzzers-afl: ## build them for AFL++, in $(BUILD)/afl
	$(Q)AFL_QUIET=1 $(MAKE) BUILD=$(BUILD)/afl CC=afl-clang-fast SANITIZE=address,undefined \
		FUZZ_MAIN=-fsanitize=fuzzer fuzz-targets

include tests/torture/rules.mk

.PHONY: format
format: ## format the sources in place
	clang-format -i $(wildcard src/*.[ch] src/*/*.[ch] ctl/*.[ch] sim/*.[ch] tools/*.[ch] tests/*/*.[ch])

.PHONY: check-format
check-format: ## fail if a source is not formatted
	clang-format --dry-run -Werror $(wildcard src/*.[ch] src/*/*.[ch] ctl/*.[ch] sim/*.[ch] tools/*.[ch] tests/*/*.[ch])

# A stamp a file, so that -j and make's own memory help.
TIDY_STAMPS := $(patsubst %.c,$(BUILD)/tidy/%.ok,$(wildcard src/*.c src/*/*.c ctl/*.c sim/*.c tools/*.c \
	tests/torture/*.c))
$(BUILD)/tidy/%.ok: %.c .clang-tidy
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(CPPFLAGS) -std=gnu11 2>/dev/null
	$(Q)touch $@

.PHONY: tidy
tidy: $(TIDY_STAMPS) ## clang-tidy over the sources

# DESTDIR may have spaces in it; the folders below it may not.
.PHONY: install
install: $(BUILD)/provisionerd $(BUILD)/provisionerctl $(BUILD)/provisionerd-sim ## install into DESTDIR, below PREFIX
	$(INSTALL) -D -m 755 $(BUILD)/provisionerd "$(DESTDIR)$(SBINDIR)/provisionerd"
	$(INSTALL) -D -m 755 $(BUILD)/provisionerctl "$(DESTDIR)$(BINDIR)/provisionerctl"
	$(INSTALL) -D -m 755 $(BUILD)/provisionerd-sim "$(DESTDIR)$(BINDIR)/provisionerd-sim"
	$(INSTALL) -d "$(DESTDIR)$(UNITDIR)"
	sed 's|@SBINDIR@|$(SBINDIR)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' systemd/provisionerd.service \
		> "$(DESTDIR)$(UNITDIR)/provisionerd.service"
	chmod 644 "$(DESTDIR)$(UNITDIR)/provisionerd.service"
	$(INSTALL) -D -m 644 systemd/provisionerd.catalog "$(DESTDIR)$(CATALOGDIR)/provisionerd.catalog"
	$(INSTALL) -D -m 644 systemd/provisionerd.sysusers "$(DESTDIR)$(SYSUSERSDIR)/provisionerd.conf"
	$(INSTALL) -D -m 644 dbus/org.provisionerd.conf "$(DESTDIR)$(DBUSDIR)/org.provisionerd.conf"
	for name in provisionerd provisionerctl provisionerd-sim; do \
		$(INSTALL) -D -m 644 completions/$$name.bash "$(DESTDIR)$(BASHCOMPDIR)/$$name" && \
		$(INSTALL) -D -m 644 completions/_$$name "$(DESTDIR)$(ZSHCOMPDIR)/_$$name" && \
		$(INSTALL) -D -m 644 completions/$$name.fish "$(DESTDIR)$(FISHCOMPDIR)/$$name.fish" || exit; \
	done
	$(INSTALL) -D -m 644 man/provisionerctl.1 "$(DESTDIR)$(MANDIR)/man1/provisionerctl.1"
	$(INSTALL) -D -m 644 man/provisionerd-sim.1 "$(DESTDIR)$(MANDIR)/man1/provisionerd-sim.1"
	$(INSTALL) -D -m 644 man/org.provisionerd.5 "$(DESTDIR)$(MANDIR)/man5/org.provisionerd.5"
	$(INSTALL) -D -m 644 man/provisionerd.ini.5 "$(DESTDIR)$(MANDIR)/man5/provisionerd.ini.5"
	$(INSTALL) -D -m 644 man/provisionerd.8 "$(DESTDIR)$(MANDIR)/man8/provisionerd.8"
	$(INSTALL) -D -m 644 README.md "$(DESTDIR)$(DOCDIR)/README.md"
	$(INSTALL) -D -m 644 sim/README.md "$(DESTDIR)$(DOCDIR)/sim.md"
	$(INSTALL) -D -m 644 etc/provisionerd.ini "$(DESTDIR)$(DOCDIR)/provisionerd.ini.example"
	test -e "$(DESTDIR)$(SYSCONFDIR)/provisionerd.ini" || \
		$(INSTALL) -D -m 644 etc/provisionerd.ini "$(DESTDIR)$(SYSCONFDIR)/provisionerd.ini"

.PHONY: uninstall
uninstall: ## remove what install put there, except the configuration
	rm -f "$(DESTDIR)$(SBINDIR)/provisionerd" "$(DESTDIR)$(BINDIR)/provisionerctl" \
		"$(DESTDIR)$(BINDIR)/provisionerd-sim" \
		"$(DESTDIR)$(UNITDIR)/provisionerd.service" \
		"$(DESTDIR)$(CATALOGDIR)/provisionerd.catalog" \
		"$(DESTDIR)$(SYSUSERSDIR)/provisionerd.conf" \
		"$(DESTDIR)$(DBUSDIR)/org.provisionerd.conf" "$(DESTDIR)$(MANDIR)/man5/org.provisionerd.5" \
		"$(DESTDIR)$(MANDIR)/man1/provisionerctl.1" "$(DESTDIR)$(MANDIR)/man1/provisionerd-sim.1" \
		"$(DESTDIR)$(MANDIR)/man5/provisionerd.ini.5" \
		"$(DESTDIR)$(MANDIR)/man8/provisionerd.8"
	for name in provisionerd provisionerctl provisionerd-sim; do \
		rm -f "$(DESTDIR)$(BASHCOMPDIR)/$$name" "$(DESTDIR)$(ZSHCOMPDIR)/_$$name" \
			"$(DESTDIR)$(FISHCOMPDIR)/$$name.fish" || exit; \
	done
	rm -rf "$(DESTDIR)$(DOCDIR)"

.PHONY: clean
clean: ## remove the build folder
	rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(filter Makefile %.mk,$(MAKEFILE_LIST))
	@echo; sed -n 's/^#   //p' Makefile

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
