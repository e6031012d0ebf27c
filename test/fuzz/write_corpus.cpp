// Writes valid node images as seeds for node_fuzzer:  write_corpus <directory>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "unit/random_node.h"

using namespace omendb;

namespace {

// Its place in kByteOrders.
uint8_t OrderIndex(const core::ByteOrder& order) {
  uint8_t i = 0;
  for (const core::ByteOrder& known : test::kByteOrders) {
    if (known.function == order.function && known.tail == order.tail && known.descending == order.descending) break;
    i++;
  }
  return i;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s <directory>\n", argv[0]);
    return 2;
  }
  std::filesystem::create_directories(argv[1]);
  test::Random random(1);
  for (int i = 0; i < 200; i++) {
    const test::Schema schema = test::RandomSchema(random);
    const test::RandomNode node =
        test::MakeRandomNode(schema, static_cast<uint32_t>(random.Below(i < 150 ? 40 : 1000)), random);
    uint8_t prefix[16] = {};
    prefix[0] = static_cast<uint8_t>(schema.key_columns - 1);
    prefix[1] = static_cast<uint8_t>(schema.value_columns - schema.key_columns);
    prefix[2] = static_cast<uint8_t>(schema.shape().bytes_columns);
    for (int c = 0; c < schema.key_columns; c++) prefix[3 + c] = OrderIndex(schema.OrderOf(c));
    const uint64_t seed = random.Next();
    std::memcpy(prefix + 8, &seed, sizeof seed);
    std::FILE* file = std::fopen((std::string(argv[1]) + "/node" + std::to_string(i)).c_str(), "wb");
    if (file == nullptr) {
      std::perror(argv[1]);
      return 1;
    }
    std::fwrite(prefix, 1, sizeof prefix, file);
    std::fwrite(node.image.bytes(), 1, node.image.size(), file);
    std::fclose(file);
  }
  return 0;
}
