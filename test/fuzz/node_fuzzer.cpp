// Any bytes as a node image: IsValid must refuse it, or every method must stay
// inside it.  Input: key columns (1), further value columns (1), which of them are
// bytes columns (1), the orders of those among the keys (1 each, for 4 of them),
// 1 unused, the seed of the searches (8), the image.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "unit/exercise_node.h"

using namespace omendb;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 16) return 0;
  const int key_columns = 1 + data[0] % 4;
  const int value_columns = key_columns + data[1] % 4;
  core::ByteOrder order[4];
  for (size_t c = 0; c < 4; c++) order[c] = test::kByteOrders[data[3 + c] % std::size(test::kByteOrders)];
  const core::Shape shape = {key_columns, value_columns, data[2] & ((uint64_t{1} << value_columns) - 1), order};
  uint64_t seed;
  std::memcpy(&seed, data + 8, sizeof seed);
  const test::Image image(data + 16, size - 16);
  if (!core::Node::IsValid(image.bytes(), image.size(), shape)) return 0;
  test::Random random(seed);
  test::ExerciseNode(core::Node(image.bytes(), order), random);
  return 0;
}
