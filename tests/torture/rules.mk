# The programs of the torture (tests/torture/README.md). Part of the Makefile, which has PROGRAMS.
TORTURE := $(addprefix $(BUILD)/torture/,allocations tracer preload.so)

.PHONY: torture
torture: $(PROGRAMS) $(TORTURE) ## build the programs of the torture

# Its own malloc() is linked before any other.
$(BUILD)/torture/allocations: $(BUILD)/tests/torture/allocations.o $(BUILD)/tests/torture/stories.o \
		$(BUILD)/tests/torture/allocator.o \
		$(BUILD)/libsupport.a $(BUILD)/libsim.a $(BUILD)/libprovisionerd.a
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -rdynamic -Wl,--wrap=sim_handle -o $@ $^ $(SIM_LIBS) $(DAEMON_LIBS)

$(BUILD)/torture/tracer: $(BUILD)/tests/torture/tracer.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(BUILD)/torture/preload.so: tests/torture/preload.c
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fPIE,$(CFLAGS)) -fPIC -shared -Wl,-z,relro,-z,now -o $@ $<
