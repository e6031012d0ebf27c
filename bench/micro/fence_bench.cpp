// What a lookup among fences costs, per distribution and number of fences:
//
//   fences/<distribution>/<fences>/std/<mode>                      std::lower_bound
//   fences/<distribution>/<fences>/{linear,rmi,pgm,splus}/<mode>   FindFence with such a model
//   fences/<distribution>/<fences>/auto/<mode>                     with the one that is chosen
//
// The fences are that many keys of the distribution themselves.  Those of an index are
// some hundred keys apart, hence smoother, so a model has it harder here.
//
// A query is a key anywhere between two neighbouring fences that are drawn at random, and
// each is asked about once: repeated, they would be cached.  In mode `independent` they
// are known beforehand, so the processor works ahead on the next ones, as it does
// for a list of keys; in mode `dependent` each search waits for the result of the one
// before, so that the time is that of one search alone.
//
// bytes is the model's size a fence, build_ns the time to build it (for auto: all of
// them, and to choose), epsilon half of the widest window.
//
// Options of this program, before those of Google Benchmark:
//
//   --fences N  only that number (default: 10000, 1000000 and 100000000; the last takes minutes and 3 GB)
//
// bench/micro/fences builds this, runs it and prints tables.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/fence_model.h"
#include "unit/distributions.h"
#include "unit/fence_table.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

constexpr size_t kQueries = 1 << 22;
constexpr size_t kVerified = 1 << 14;

// Sorted, one after the other, so that 100 million need no memory but their own.

// What n numbers of [0, 1) are when they are sorted: sums of exponential gaps, over the
// sum of all.  (Devroye, "Non-Uniform Random Variate Generation", section V.2.)
template <typename FromUnit>
std::vector<uint64_t> SortedUnits(size_t n, FromUnit from_unit) {
  constexpr uint64_t kSeed = 3;
  const auto gap = [](Random& random) { return -std::log1p(-random.Unit()); };
  Random sum_of(kSeed);
  double total = 0;
  for (size_t i = 0; i <= n; i++) total += gap(sum_of);
  std::vector<uint64_t> out(n);
  Random random(kSeed);
  double at = 0;
  for (uint64_t& key : out) {
    at += gap(random);
    key = from_unit(std::min(at / total, 1 - 0x1p-53));
  }
  return out;
}

// The ten series of Distances() end at different keys; merged.
std::vector<uint64_t> Interleaved(size_t n) {
  Random random(3);
  uint64_t step[10], next[10];
  size_t left[10];
  for (int s = 0; s < 10; s++) next[s] = step[s] = random.Between(1, 9);
  for (int s = 0; s < 10; s++) left[s] = n / 10 + (static_cast<size_t>(s) < n % 10);
  std::vector<uint64_t> out(n);
  for (uint64_t& key : out) {
    int least = 0;
    for (int s = 1; s < 10; s++)
      if (left[s] > 0 && (left[least] == 0 || next[s] < next[least])) least = s;
    key = next[least];
    next[least] += step[least];
    left[least]--;
  }
  return out;
}

std::vector<uint64_t> Fences(Distribution d, size_t n) {
  const double count = static_cast<double>(n);
  switch (d) {
    case Distribution::kInterleaved:
      return Interleaved(n);
    case Distribution::kZipf:
      return SortedUnits(n, [=](double u) { return static_cast<uint64_t>(count * std::pow(u, 7.213)); });
    case Distribution::kUniform:
      return SortedUnits(n, [=](double u) { return static_cast<uint64_t>(10 * count * u); });
    case Distribution::kFullRange:
      return SortedUnits(n, [](double u) { return static_cast<uint64_t>(u * 0x1p64); });
    case Distribution::kExponential: {
      std::vector<uint64_t> out(n);
      double at = 0;
      for (size_t i = 0; i < n; i++) {
        out[i] = static_cast<uint64_t>(at);
        at += std::exp2(36 * static_cast<double>(i) / count);  // 36: below 2^64 for 100 million
      }
      return out;
    }
    default: {
      Random random(3);
      return Distances(d, n, random);
    }
  }
}

struct Workload {
  Distribution distribution = Distribution::kAllEqual;
  std::vector<uint64_t> fences;
  std::vector<uint64_t> queries;
};

// That of the last call is kept: the benchmarks of one follow one another.
const Workload& CachedWorkload(Distribution d, size_t n) {
  static Workload workload;
  if (workload.distribution == d && workload.fences.size() == n) return workload;
  workload = Workload{};
  workload.distribution = d;
  workload.fences = Fences(d, n);
  Random random(4);
  for (size_t q = 0; q < kQueries; q++) {
    const size_t at = random.Below(n);
    const uint64_t gap = at + 1 < n ? workload.fences[at + 1] - workload.fences[at] : 1;
    workload.queries.push_back(workload.fences[at] + (gap == 0 ? 0 : random.Below(gap)));
  }
  return workload;
}

template <bool dependent, typename Find>
void Measure(benchmark::State& state, const Workload& workload, Find find) {
  const size_t n = workload.fences.size();
  size_t q = 0, found = 0;
  for (auto _ : state) {
    // No position is that large, but only the search knows.
    found = find(workload.queries[q] + (dependent ? found > n : 0));
    q = (q + 1) % kQueries;
    benchmark::DoNotOptimize(found);
  }
}

void SetCounters(benchmark::State& state, double bytes, double segments, double epsilon, double build_ns) {
  state.counters["bytes"] = bytes;
  state.counters["segments"] = segments;
  state.counters["epsilon"] = epsilon;
  state.counters["build_ns"] = build_ns;
}

template <bool dependent>
void StdLowerBound(benchmark::State& state, Distribution d, size_t n) {
  const Workload& workload = CachedWorkload(d, n);
  const uint64_t* begin = workload.fences.data();
  Measure<dependent>(state, workload, [=](uint64_t key) {
    return static_cast<size_t>(std::lower_bound(begin, begin + n, key) - begin);
  });
  SetCounters(state, 0, 0, 0, 0);
}

template <bool dependent>
void MeasureTable(benchmark::State& state, const Workload& workload, const FenceTable& table, double build_seconds) {
  const double n = static_cast<double>(table.count());
  for (size_t q = 0; q < kVerified; q++) {
    const auto above = std::upper_bound(workload.fences.begin(), workload.fences.end(), workload.queries[q]);
    if (table.Find(workload.queries[q]) + 1 != static_cast<size_t>(above - workload.fences.begin())) {
      state.SkipWithError("a wrong answer");
      return;
    }
  }
  Measure<dependent>(state, workload, [&](uint64_t key) { return static_cast<size_t>(table.Find(key)); });
  state.SetLabel(FenceModelName(table.model().kind));
  SetCounters(state, static_cast<double>(table.model().bytes) / n, table.model().segments, table.model().epsilon,
              build_seconds * 1e9 / n);
}

// The table of the last call is kept: Google Benchmark calls each function several times.
std::unique_ptr<FenceTable> table;
Distribution made_for;
int made_model = -1;
double seconds;

// `model` is a FenceModelKind, or kFenceModelKinds for the one that is chosen.
template <bool dependent>
void Search(benchmark::State& state, Distribution d, size_t n, int model) {
  const Workload& workload = CachedWorkload(d, n);
  if (table == nullptr || made_for != d || made_model != model || table->count() != n) {
    table.reset();
    const auto build = [&](const uint64_t* keys, uint32_t count, void* memory) {
      const CacheLines scratch = NewCacheLines(AnyFenceModelBytes(count));
      std::memset(memory, 1, AnyFenceModelBytes(count));  // not the page faults
      std::memset(scratch.get(), 1, AnyFenceModelBytes(count));
      const auto start = std::chrono::steady_clock::now();
      const FenceModel* built = model == kFenceModelKinds
                                    ? ChooseFenceModel(keys, count, memory, scratch.get())
                                    : BuildFenceModel(static_cast<FenceModelKind>(model), keys, count, memory);
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      return built;
    };
    table = std::make_unique<FenceTable>(workload.fences, AnyFenceModelBytes(static_cast<uint32_t>(n)), build);
    made_for = d;
    made_model = model;
  }
  MeasureTable<dependent>(state, workload, *table, seconds);
}

void RegisterAll(const std::vector<size_t>& sizes) {
  for (const size_t n : sizes) {
    for (const Distribution d : AllDistributions()) {
      if (d == Distribution::kAllEqual || d == Distribution::kExtremes) continue;
      if (d == Distribution::kFlightsFile && FlightsFile().size() < n) continue;
      const auto add = [&, d, n](const std::string& method, auto* independent, auto* dependent, auto... arguments) {
        const std::string name = std::string("fences/") + Name(d) + "/" + std::to_string(n) + "/" + method;
        benchmark::RegisterBenchmark((name + "/independent").c_str(), independent, d, n, arguments...);
        benchmark::RegisterBenchmark((name + "/dependent").c_str(), dependent, d, n, arguments...);
      };
      add("std", StdLowerBound<false>, StdLowerBound<true>);
      for (const FenceModelKind kind : AllFenceModelKinds())
        add(FenceModelName(kind), Search<false>, Search<true>, static_cast<int>(kind));
      add("auto", Search<false>, Search<true>, kFenceModelKinds);
    }
  }
}

}  // namespace
}  // namespace omendb::test

int main(int argc, char** argv) {
  std::vector<size_t> sizes = {10000, 1000000, 100000000};
  if (argc > 2 && std::strcmp(argv[1], "--fences") == 0) {
    sizes = {std::strtoull(argv[2], nullptr, 10)};
    if (sizes[0] < 1 || sizes[0] > omendb::core::kMaxFences) {
      std::fprintf(stderr, "--fences needs a number from 1 to %u\n", omendb::core::kMaxFences);
      return 1;
    }
    argv[2] = argv[0];
    argv += 2;
    argc -= 2;
  }
  omendb::test::RegisterAll(sizes);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
