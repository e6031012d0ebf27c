# The extension, built with PGXS:  make && make install && make installcheck
#
# `make demo` and `make test` do everything else on a fresh Debian 12; see README.md.

EXTENSION = omendb
MODULE_big = omendb
OMENDB_VERSION = 0.1.0
DATA = sql/omendb--$(OMENDB_VERSION).sql
DOCS = README.md

# Downward: each folder depends on the ones after it only.
OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/*.cpp src/exec/*.cpp src/am/*.cpp src/tree/*.cpp src/hot/*.cpp src/pg/*.cpp src/core/*.cpp)))

REGRESS = integer datetime timezone float other_types nulls multicolumn include options unsupported opclass opfamily \
  build check dml deep wide bounds cursor partial rebuild transaction properties merge parallel hot scan unique \
  on_conflict wide_types variable_width bytes_paths planner ddl lookup_join aggregate cold
REGRESS_OPTS = --inputdir=. --outputdir=.

# They pause at points that only the test build has.
ifdef OMENDB_TEST
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=omendb
endif

# The cold tier's library, which alone is linked with RocksDB; see below.
COLD_OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/cold/*.cpp)))
EXTRA_CLEAN = omendb_cold.so $(COLD_OBJS)

PG_CONFIG ?= pg_config
# JIT has no use for an access method's bitcode, and clang is not needed without it.
override with_llvm = no

# -isystem: PostgreSQL's headers are not written for -Wextra.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) -DOMENDB_VERSION='"$(OMENDB_VERSION)"'
# OMENDB_TEST=1: the test build, see src/pg/test_build.h.
PG_CPPFLAGS += $(if $(OMENDB_TEST),-DOMENDB_TEST_BUILD)
PG_CXXFLAGS = -std=c++17 -Wall -Wextra -Wno-register -fno-math-errno -fno-semantic-interposition
# clang does not know all of the warning flags that PostgreSQL was built with.
PG_CXXFLAGS += $(if $(findstring clang,$(CXX)),-Wno-unknown-warning-option)
SHLIB_LINK = -lstdc++ -Wl,-Bsymbolic

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# One file of kernels per instruction set; src/core/kernel_dispatch.cpp chooses.
# -O3: some of them are loops that the compiler is to vectorize.
src/core/kernel_%.o: override CXXFLAGS += -O3
ifneq (,$(filter x86_64 amd64,$(shell uname -m)))
src/core/kernel_sse2.o: override CXXFLAGS += -msse2 -DOMENDB_KERNEL_SSE2
src/core/kernel_avx2.o: override CXXFLAGS += -mavx2 -DOMENDB_KERNEL_AVX2
# -Wno-maybe-uninitialized: GCC's own AVX-512 header trips over it (GCC bug 105593).
src/core/kernel_avx512.o: override CXXFLAGS += -mavx512f -mavx512dq -DOMENDB_KERNEL_AVX512 $(if $(findstring clang,$(CXX)),,-Wno-maybe-uninitialized)
src/core/kernel_dispatch.o: override CXXFLAGS += -DOMENDB_KERNEL_SSE2 -DOMENDB_KERNEL_AVX2 -DOMENDB_KERNEL_AVX512
endif

# omendb_cold.so is built where RocksDB's headers are.  OMENDB_COLD=no leaves it out all the same.
ifneq (no,$(OMENDB_COLD))
ifeq (yes,$(shell $(CXX) $(CPPFLAGS) -E -include rocksdb/version.h -x c++ /dev/null >/dev/null 2>&1 && echo yes))
all: omendb_cold.so
omendb_cold.so: $(COLD_OBJS) src/cold/exports.map
	$(LINK.shared) -o $@ $(COLD_OBJS) $(LDFLAGS) $(LDFLAGS_SL) -Wl,--version-script=src/cold/exports.map -lrocksdb -lstdc++

install: install-cold
install-cold: omendb_cold.so installdirs
	$(INSTALL_SHLIB) $< '$(DESTDIR)$(pkglibdir)/'
else
all: without-cold
without-cold:
	@echo 'The cold tier (omendb_cold.so) is left out: it needs RocksDB (Debian: librocksdb-dev).'
endif
endif
uninstall: uninstall-cold
uninstall-cold:
	rm -f '$(DESTDIR)$(pkglibdir)/omendb_cold.so'

# Headers are few and everywhere: any change to one rebuilds all.
$(OBJS) $(COLD_OBJS): $(wildcard src/*/*.h) Makefile

.PHONY: demo test bench install-cold uninstall-cold without-cold
demo:
	bench/demo
test:
	test/run
bench:
	bench/run --quick
