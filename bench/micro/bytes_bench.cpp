// What bytes columns cost, on a page full of strings, per kind of strings:
//
//   plan/<strings>            PlanNode, per entry
//   plan_shuffled/<strings>   the same of an INCLUDE column in no order
//   write/<strings>           WriteNode, per entry
//   search/<strings>/<order>  Node::LowerBound of a present key; `bytewise`, or by a `function`
//   find/<strings>/<order>    Dictionary::Find of a present value
//   get/<strings>             Node::KeyAt of a random entry
//   decode/<strings>          Node::Decode of the whole page, per entry
//   validate/<strings>        Node::IsValid, per entry
//
// The strings are neighbours among 100,000 of URLs, e-mail addresses, or words.
//
//   cmake -S . -B /tmp/core-build -DOMENDB_BENCH=ON -DCMAKE_BUILD_TYPE=Release && cmake --build /tmp/core-build
//   /tmp/core-build/bytes_bench --benchmark_filter=search
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/node_writer.h"
#include "unit/random_node.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

constexpr size_t kStrings = 100000;
constexpr size_t kQueries = 4096;

void SetPerItem(benchmark::State& state, size_t items_per_iteration) {
  state.counters["per_item"] =
      benchmark::Counter(static_cast<double>(items_per_iteration),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

std::string Word(Random& random) {
  constexpr const char* kSyllables[] = {"an", "ber", "co",  "del", "en", "fi", "gra", "hu",   "in", "jo", "ka",  "lum",
                                        "mi", "nor", "ost", "pra", "qu", "re", "sta", "tion", "ur", "ve", "win", "za"};
  std::string word;
  for (uint64_t n = random.Between(2, 4); n > 0; n--) word += kSyllables[random.Below(std::size(kSyllables))];
  return word;
}

enum class Kind { kUrls, kAddresses, kWords };
constexpr Kind kKinds[] = {Kind::kUrls, Kind::kAddresses, Kind::kWords};
constexpr const char* kKindNames[] = {"urls", "addresses", "words"};

std::string MakeString(Kind kind, Random& random) {
  switch (kind) {
    case Kind::kUrls:
      return "https://www." + Word(random).substr(0, 3) + "example.com/" + std::to_string(random.Between(2001, 2024)) +
             "/" + std::to_string(random.Between(1, 12)) + "/" + Word(random) + "-" + Word(random) + "-" +
             Word(random) + ".html";
    case Kind::kAddresses:
      return Word(random) + "." + Word(random) + (random.OneIn(2) ? std::to_string(random.Below(100)) : "") + "@" +
             Word(random).substr(0, 4) + "mail.com";
    case Kind::kWords:
      return Word(random);
  }
  return {};
}

int CompareByFunction(const void*, ByteView a, ByteView b) { return CompareBytes(a, b); }

constexpr ByteOrder kBytewise = {nullptr, nullptr, 0, false};
constexpr ByteOrder kByFunction = {CompareByFunction, nullptr, 0, false};

// A page of one key column, and as an INCLUDE column the same values in no order.
struct Page {
  Page(Kind kind, const ByteOrder& order, bool shuffled) {
    schema.bytes_columns = shuffled ? 2 : 1;
    schema.value_columns = shuffled ? 2 : 1;
    schema.order->assign(8, order);
    Random random(1);
    std::vector<std::string> strings(kStrings);
    for (std::string& s : strings) s = MakeString(kind, random);
    std::sort(strings.begin(), strings.end());
    strings.erase(std::unique(strings.begin(), strings.end()), strings.end());
    const size_t first = strings.size() / 2;
    const uint32_t most = static_cast<uint32_t>(std::min<size_t>(strings.size() - first, 2000));
    entries = new OwnedEntries(most, schema);
    Entries& all = **entries;
    for (uint32_t i = 0; i < most; i++) {
      words.push_back(schema.values->Add(strings[first + i]));
      all.value[0][i] = shuffled ? i : words[i];
      all.cls[0][i] = kValue;
      all.tid[i] = (random.Below(100000) << kTidOffsetBits) + random.Between(1, 60);
    }
    if (shuffled) {
      std::copy(words.begin(), words.end(), all.value[1]);
      std::fill_n(all.cls[1], most, uint64_t{kValue});
      Shuffle(all.value[1], 300, random);  // about a page's
    }
    all.count = most;
    SetMinusInfinity(&low, 1);
    count = PlanPrefix(all, kMaxNodeBytes - 200, most / 4, &plan, &low);
    all.count = count;
    PlanNode(all, nullptr, &plan, kMaxEntryBytes);
    image.resize(plan.size / 8 + 1);
    WriteNode(all, plan, 0, low, nullptr, bytes());
    for (size_t q = 0; q < kQueries; q++) queries.push_back(static_cast<uint32_t>(random.Below(count)));
  }
  static void Shuffle(uint64_t* values, uint32_t n, Random& random) {
    for (uint32_t i = n - 1; i > 0; i--) std::swap(values[i], values[random.Below(i + 1)]);
  }
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(image.data()); }
  Node node() { return Node(bytes(), schema.order->data()); }

  Schema schema;
  std::vector<uint64_t> words, image;
  OwnedEntries* entries;  // as long as the program runs
  NodePlan plan;
  Key low;
  uint32_t count;
  std::vector<uint32_t> queries;
};

void Plan(benchmark::State& state, Kind kind, bool shuffled) {
  Page page(kind, kBytewise, shuffled);
  for (auto _ : state) {
    PlanNode(**page.entries, nullptr, &page.plan, kMaxEntryBytes);
    benchmark::DoNotOptimize(page.plan.size);
  }
  state.counters["entries"] = page.count;
  SetPerItem(state, page.count);
}

void Write(benchmark::State& state, Kind kind) {
  Page page(kind, kBytewise, false);
  for (auto _ : state) {
    WriteNode(**page.entries, page.plan, 0, page.low, nullptr, page.bytes());
    benchmark::ClobberMemory();
  }
  SetPerItem(state, page.count);
}

void Search(benchmark::State& state, Kind kind, const ByteOrder& order) {
  Page page(kind, order, false);
  const Node node = page.node();
  Bound bound{};
  bound.columns = 1;
  bound.key.cls[0] = kValue;
  size_t q = 0;
  for (auto _ : state) {
    bound.key.ordinal[0] = page.words[page.queries[q++ % kQueries]];
    benchmark::DoNotOptimize(node.LowerBound(bound));
  }
  SetPerItem(state, 1);
}

void Find(benchmark::State& state, Kind kind, const ByteOrder& order) {
  Page page(kind, order, false);
  const Dictionary dictionary = page.node().dictionary(0);
  size_t q = 0;
  for (auto _ : state) {
    uint32_t begin, end;
    dictionary.Find(ViewOf(page.words[page.queries[q++ % kQueries]]), &begin, &end);
    benchmark::DoNotOptimize(begin);
    benchmark::DoNotOptimize(end);
  }
  SetPerItem(state, 1);
}

void Get(benchmark::State& state, Kind kind) {
  Page page(kind, kBytewise, false);
  const Node node = page.node();
  size_t q = 0;
  for (auto _ : state) {
    Key key;
    KeyBytes memory;
    node.KeyAt(page.queries[q++ % kQueries], &memory, &key);
    benchmark::DoNotOptimize(key.ordinal[0]);
    benchmark::ClobberMemory();
  }
  SetPerItem(state, 1);
}

void Decode(benchmark::State& state, Kind kind) {
  Page page(kind, kBytewise, false);
  const Node node = page.node();
  OwnedEntries out(page.count, page.schema);
  std::vector<uint8_t> memory(node.DecodedBytes(kEveryColumn));
  for (auto _ : state) {
    out->bytes = memory.data();
    node.Decode(0, page.count, kEveryColumn, &*out, 0);
    benchmark::ClobberMemory();
  }
  SetPerItem(state, page.count);
}

void Validate(benchmark::State& state, Kind kind) {
  Page page(kind, kBytewise, false);
  for (auto _ : state)
    benchmark::DoNotOptimize(Node::IsValid(page.bytes(), page.image.size() * 8, page.schema.shape()));
  SetPerItem(state, page.count);
}

void RegisterAll() {
  for (size_t k = 0; k < std::size(kKinds); k++) {
    const Kind kind = kKinds[k];
    const std::string name = kKindNames[k];
    benchmark::RegisterBenchmark(("plan/" + name).c_str(), Plan, kind, false);
    benchmark::RegisterBenchmark(("plan_shuffled/" + name).c_str(), Plan, kind, true);
    benchmark::RegisterBenchmark(("write/" + name).c_str(), Write, kind);
    benchmark::RegisterBenchmark(("search/" + name + "/bytewise").c_str(), Search, kind, kBytewise);
    benchmark::RegisterBenchmark(("search/" + name + "/function").c_str(), Search, kind, kByFunction);
    benchmark::RegisterBenchmark(("find/" + name + "/bytewise").c_str(), Find, kind, kBytewise);
    benchmark::RegisterBenchmark(("find/" + name + "/function").c_str(), Find, kind, kByFunction);
    benchmark::RegisterBenchmark(("get/" + name).c_str(), Get, kind);
    benchmark::RegisterBenchmark(("decode/" + name).c_str(), Decode, kind);
    benchmark::RegisterBenchmark(("validate/" + name).c_str(), Validate, kind);
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
