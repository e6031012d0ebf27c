// What the core's inner loops cost, per distribution:
//
//   encode/<distribution>            FitColumn + PackColumn, per value
//   search/<distribution>/<set>      Column::LowerBoundSorted, per search
//   std_search/<distribution>/<set>  std::lower_bound on the plain array, per search
//   get/<distribution>               one value at a random place
//   decode/<distribution>/<kernels>  Column::Decode of a whole column, per value
//
// A column is a leaf's: 1,024 values.  <set> is `hot`, one column in the L1
// cache, or `cold`, 8,192 of them (64 MB as plain arrays), each search in a
// random one: what counts then is the cache lines touched.
//
//   cmake -S . -B /tmp/core-build -DOMENDB_BENCH=ON -DCMAKE_BUILD_TYPE=Release && cmake --build /tmp/core-build
//   /tmp/core-build/core_bench --benchmark_filter=search
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "core/column.h"
#include "core/kernels.h"
#include "unit/distributions.h"
#include "unit/encoded_column.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

constexpr size_t kColumnSize = 1024;
constexpr size_t kColdColumns = 8192;
constexpr size_t kQueries = 1 << 20;  // each used about once: repeated, they would be cached

// Time per value or per search, the unit of every number printed.
void SetPerItem(benchmark::State& state, size_t items_per_iteration) {
  state.counters["per_item"] =
      benchmark::Counter(static_cast<double>(items_per_iteration),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

std::vector<uint64_t> OneColumn(Distribution d, uint64_t seed = 1) {
  Random random(seed);
  return SortedOrdinals<int64_t>(d, kColumnSize, random);
}

void Encode(benchmark::State& state, Distribution d) {
  const std::vector<uint64_t> values = OneColumn(d);
  std::vector<uint64_t> words(PackedBytes(kColumnSize, 64) / sizeof(uint64_t));
  for (auto _ : state) {
    const ColumnHeader header = FitColumn(values.data(), kColumnSize, true);
    PackColumn(values.data(), kColumnSize, header, words.data());
    benchmark::DoNotOptimize(words.data());
    benchmark::ClobberMemory();
    state.counters["bits"] = header.width;
  }
  SetPerItem(state, kColumnSize);
}

// Columns one after the other in one block, as plain arrays and encoded, header
// and words together as in a node; and present keys to look for.
struct SearchSet {
  std::vector<uint64_t> plain;
  std::vector<uint64_t> encoded;
  std::vector<size_t> place;                           // of each column in `encoded`
  std::vector<std::pair<uint32_t, uint64_t>> queries;  // column, key

  Column ColumnAt(uint32_t c) const {
    const uint8_t* header = reinterpret_cast<const uint8_t*>(encoded.data() + place[c]);
    return Column(header, *reinterpret_cast<const ColumnHeader*>(header));
  }
};

SearchSet MakeSearchSet(Distribution d, size_t columns) {
  SearchSet set;
  Random random(2);
  for (size_t c = 0; c < columns; c++) {
    const std::vector<uint64_t> values = OneColumn(d, c);
    set.plain.insert(set.plain.end(), values.begin(), values.end());
    ColumnHeader header = FitColumn(values.data(), kColumnSize, true);
    header.data_offset = sizeof header;
    set.place.push_back(set.encoded.size());
    set.encoded.resize(set.encoded.size() +
                       (sizeof header + PackedBytes(kColumnSize, header.width)) / sizeof(uint64_t));
    uint64_t* at = set.encoded.data() + set.place[c];
    std::memcpy(at, &header, sizeof header);
    PackColumn(values.data(), kColumnSize, header, at + sizeof header / sizeof(uint64_t));
  }
  for (size_t q = 0; q < kQueries; q++) {
    const uint32_t c = static_cast<uint32_t>(random.Below(columns));
    set.queries.emplace_back(c, set.plain[c * kColumnSize + random.Below(kColumnSize)]);
  }
  return set;
}

// The set of the last call is kept: Google Benchmark calls each function several
// times, and two in a row use the same.
const SearchSet& CachedSearchSet(Distribution d, size_t columns) {
  static std::pair<Distribution, size_t> made_for{d, 0};
  static SearchSet set;
  if (made_for != std::make_pair(d, columns)) {
    set = SearchSet{};
    set = MakeSearchSet(d, columns);
    made_for = {d, columns};
  }
  return set;
}

void Search(benchmark::State& state, Distribution d, size_t columns) {
  const SearchSet& set = CachedSearchSet(d, columns);
  size_t q = 0;
  for (auto _ : state) {
    const auto& [column, key] = set.queries[q++ % kQueries];
    benchmark::DoNotOptimize(set.ColumnAt(column).LowerBoundSorted(key, kColumnSize));
  }
  SetPerItem(state, 1);
}

void StdSearch(benchmark::State& state, Distribution d, size_t columns) {
  const SearchSet& set = CachedSearchSet(d, columns);
  size_t q = 0;
  for (auto _ : state) {
    const auto& [column, key] = set.queries[q++ % kQueries];
    const uint64_t* values = set.plain.data() + column * kColumnSize;
    benchmark::DoNotOptimize(std::lower_bound(values, values + kColumnSize, key) - values);
  }
  SetPerItem(state, 1);
}

void Get(benchmark::State& state, Distribution d) {
  const EncodedColumn encoded(OneColumn(d), true);
  const Column column = encoded.column();
  uint32_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(column.Get(i));
    i = (i + 617) % kColumnSize;
  }
  SetPerItem(state, 1);
}

void Decode(benchmark::State& state, Distribution d, const Kernels* kernels) {
  const EncodedColumn encoded(OneColumn(d), true);
  const Column column = encoded.column();
  std::vector<uint64_t> out(kColumnSize);
  const Kernels& preferred = ActiveKernels();
  UseKernels(*kernels);
  for (auto _ : state) {
    column.Decode(0, kColumnSize, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  UseKernels(preferred);
  SetPerItem(state, kColumnSize);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kColumnSize * sizeof(uint64_t)));
}

void RegisterAll() {
  const Kernels* available[kMaxKernels];
  const int kernels = AvailableKernels(available);
  for (const Distribution d : AllDistributions()) {
    const std::string name = Name(d);
    benchmark::RegisterBenchmark(("encode/" + name).c_str(), Encode, d);
    benchmark::RegisterBenchmark(("search/" + name + "/hot").c_str(), Search, d, 1);
    benchmark::RegisterBenchmark(("std_search/" + name + "/hot").c_str(), StdSearch, d, 1);
    benchmark::RegisterBenchmark(("search/" + name + "/cold").c_str(), Search, d, kColdColumns);
    benchmark::RegisterBenchmark(("std_search/" + name + "/cold").c_str(), StdSearch, d, kColdColumns);
    benchmark::RegisterBenchmark(("get/" + name).c_str(), Get, d);
    for (int k = 0; k < kernels; k++)
      benchmark::RegisterBenchmark(("decode/" + name + "/" + available[k]->name).c_str(), Decode, d, available[k]);
  }
}

}  // namespace
}  // namespace omendb::test

int main(int argc, char** argv) {
  omendb::test::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
