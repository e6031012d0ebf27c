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

REGRESS = integer datetime timezone float other_types nulls multicolumn include options unsupported opclass \
  opfamily build check dml deep wide bounds cursor partial rebuild transaction properties merge parallel hot scan \
  lookup_join aggregate
REGRESS_OPTS = --inputdir=. --outputdir=.

# They pause at points that only the test build has.
ifdef OMENDB_TEST
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=omendb
endif

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

# Headers are few and everywhere: any change to one rebuilds all.
$(OBJS): $(wildcard src/*/*.h) Makefile

.PHONY: demo test bench
demo:
	bench/demo
test:
	test/run
bench:
	bench/run --quick
