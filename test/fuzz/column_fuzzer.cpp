// Any values as a column: what goes in comes out, with every kernel, and where
// they are sorted every search finds what std::lower_bound finds.  Input:
// options (1: bit 0 sorted, bit 1 scaled), the length of the first part (1),
// where scaled a scale and an origin (8 each), then instructions of one byte plus
// operands that make values.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/column.h"
#include "unit/encoded_column.h"
#include "unit/exercise_node.h"

using namespace omendb;

namespace {

// Small inputs make long columns: repeats, arithmetic runs, small and large jumps.
std::vector<uint64_t> ReadValues(const uint8_t* data, const uint8_t* end) {
  std::vector<uint64_t> values;
  uint64_t value = 0, step = 1;
  while (data < end && values.size() < core::kMaxEntries) {
    const uint8_t instruction = *data++;
    const size_t operand_bytes = std::min<size_t>(1 + (instruction >> 2 & 7), static_cast<size_t>(end - data));
    uint64_t operand = 0;
    std::memcpy(&operand, data, operand_bytes);
    data += operand_bytes;
    switch (instruction & 3) {
      case 0:
        values.push_back(value = operand);
        break;
      case 1:
        values.push_back(value += operand);
        break;
      case 2:
        step = operand;
        break;
      case 3:
        for (uint64_t n = std::min<uint64_t>(operand % 1024 + 1, core::kMaxEntries - values.size()); n > 0; n--)
          values.push_back(value += step);
        break;
    }
  }
  return values;
}

void CheckRoundTrip(const std::vector<uint64_t>& values, const test::EncodedColumn& encoded) {
  const core::Column column = encoded.column();
  test::Require(core::ColumnHeaderIsValid(encoded.header(), encoded.count(), encoded.bytes()), "valid header");
  for (uint32_t i = 0; i < encoded.count(); i++) test::Require(column.Get(i) == values[i], "Get");
  const core::Kernels* available[core::kMaxKernels];
  const int n = core::AvailableKernels(available);
  for (int k = 0; k < n; k++) {
    core::UseKernels(*available[k]);
    std::vector<uint64_t> out(values.size());
    column.Decode(0, encoded.count(), out.data());
    test::Require(out == values, "Decode");
  }
}

// origin + scale * step, the steps reduced to what stays below 2^64.
void Scale(uint64_t scale, uint64_t origin, std::vector<uint64_t>* steps) {
  if (scale <= 1) return;
  const uint64_t most = (UINT64_MAX - origin) / scale;
  for (uint64_t& step : *steps) step = origin + scale * (step > most ? step % (most + 1) : step);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 18) return 0;
  const bool sorted = (data[0] & 1) != 0, scaled = (data[0] & 2) != 0;
  std::vector<uint64_t> values = ReadValues(data + (scaled ? 18 : 2), data + size);
  if (values.empty()) return 0;
  uint64_t scale = 1, origin = 0;
  if (scaled) {
    std::memcpy(&scale, data + 2, sizeof scale);
    std::memcpy(&origin, data + 10, sizeof origin);
    Scale(scale, origin, &values);
  }
  if (sorted) std::sort(values.begin(), values.end());

  const test::EncodedColumn encoded(values, sorted);
  CheckRoundTrip(values, encoded);

  const std::vector<uint64_t> first(values.begin(), values.begin() + 1 + data[1] * (values.size() - 1) / 255);
  const test::EncodedColumn part(
      first, core::FitColumn(first.data(), static_cast<uint32_t>(first.size()), sorted, &encoded.header()));
  test::Require(part.header().width <= encoded.header().width, "a part is no wider than the whole");
  CheckRoundTrip(first, part);

  if (!sorted) return 0;
  test::Random random(size);
  for (const test::EncodedColumn* c : {&encoded, &part}) {
    const std::vector<uint64_t>& in = c == &part ? first : values;
    for (int k = 0; k < 32; k++) {
      const uint64_t present = in[random.Below(in.size())];
      for (const uint64_t key : {present, present - 1, present + 1, present + scale / 2, random.Skewed()}) {
        const auto expected = static_cast<uint32_t>(std::lower_bound(in.begin(), in.end(), key) - in.begin());
        uint32_t begin, end;
        c->column().Window(key, c->count(), &begin, &end);
        test::Require(begin <= expected && expected <= end && end <= c->count(), "Window");
        test::Require(c->column().LowerBoundSorted(key, c->count()) == expected, "LowerBoundSorted");
      }
      const auto run = static_cast<uint32_t>(std::upper_bound(in.begin(), in.end(), present) - in.begin());
      const auto start = static_cast<uint32_t>(std::lower_bound(in.begin(), in.end(), present) - in.begin());
      test::Require(c->column().RunEnd(present, start, c->count()) == run, "RunEnd");
    }
  }
  return 0;
}
