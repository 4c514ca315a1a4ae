# A thin front for meson and ninja; see CONTRIBUTING.md. `./bootstrap TARGET` installs what a target needs first.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MESON_FLAGS ?=
ASAN_FLAGS = -Db_sanitize=address,undefined -Dstatic_link=false -Db_lundef=false

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup --prefix=$(PREFIX) $(MESON_FLAGS) $(BUILD)

$(BUILD)-asan/build.ninja:
	meson setup $(ASAN_FLAGS) $(BUILD)-asan

# A real program learned, confined, tampered with, refused: under two minutes.
demo: all
	SANDLOCK=$(abspath $(BUILD))/sandlock scripts/demo

# Everything: see scripts/check. STEPS="unit strata" runs only those.
check:
	scripts/check $(STEPS)

# Static analysis, strata and sizes, manual pages.
lint:
	scripts/check --group lint

# The sanitizers' build and its tests.
asan: $(BUILD)-asan/build.ninja
	ninja -C $(BUILD)-asan
	scripts/check --group asan

# Ratios against bare, strace and bubblewrap, taken in one run; kept in $(BUILD)/bench.json.
bench: all
	ninja -C $(BUILD) bench-programs
	bench/run --sandlock $(abspath $(BUILD))/sandlock --build $(abspath $(BUILD))/bench

install: all
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR='$(DESTDIR)' meson install --quiet -C $(BUILD)

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-clang $(BUILD)-aarch64

.PHONY: all demo check lint asan bench install clean
