#include "cold/tail_check.h"

#include <string>
#include <string_view>

#include <rocksdb/compression_type.h>
#include <rocksdb/file_checksum.h>

namespace omendb::cold {
namespace {

constexpr uint64_t kMagicNumber = 0x88e241b785f4cff7;  // of RocksDB's block-based tables
constexpr size_t kHandlesBytes = 40;
constexpr size_t kFooterBytes = 1 + kHandlesBytes + sizeof(uint32_t) + sizeof(uint64_t);
constexpr size_t kTrailerBytes = 1 + sizeof(uint32_t);
constexpr std::string_view kPropertiesName = "rocksdb.properties";

// Takes numbers and strings from the beginning of some bytes, and fails where there are too few of them.
class Parser {
 public:
  explicit Parser(std::string_view bytes) : rest_(bytes) {}

  // In no more bytes than it takes.
  bool Varint(uint64_t* value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const uint64_t byte = static_cast<uint8_t>(rest_[0]);
      rest_.remove_prefix(1);
      *value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return byte != 0 || shift == 0;
    }
    return false;
  }

  bool Bytes(uint64_t size, std::string_view* bytes) {
    if (size > rest_.size()) return false;
    *bytes = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(static_cast<size_t>(size));
    return true;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

template <typename Number>
Number LittleEndian(std::string_view bytes) {
  Number number = 0;
  for (size_t i = 0; i < sizeof number; i++) number |= Number{static_cast<uint8_t>(bytes[i])} << 8 * i;
  return number;
}

struct Handle {
  uint64_t offset;
  uint64_t size;

  bool Parse(Parser* parser) { return parser->Varint(&offset) && parser->Varint(&size); }

  // Whether the block and its trailer lie before the footer.
  bool IsInside(uint64_t file_size) const {
    const uint64_t end = file_size - kFooterBytes;
    return size <= end && end - size >= kTrailerBytes && offset <= end - size - kTrailerBytes;
  }
};

// As it stands in a trailer.
uint32_t Checksum(std::string_view bytes) {
  const auto generator = rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({});
  generator->Update(bytes.data(), bytes.size());
  generator->Finalize();
  uint32_t crc = 0;
  for (const char byte : generator->GetChecksum()) crc = crc << 8 | static_cast<uint8_t>(byte);
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

// Reads a block that lies inside of the file, without its trailer.
const char* ReadBlock(InputFile* file, const Handle& handle, std::string* block) {
  const size_t size = static_cast<size_t>(handle.size);
  size_t got;
  block->resize(size + kTrailerBytes);
  if (!file->Read(handle.offset, block->size(), block->data(), &got)) return "cannot be read";
  const std::string_view bytes = *block;
  if (Checksum(bytes.substr(0, size + 1)) != LittleEndian<uint32_t>(bytes.substr(size + 1)))
    return "checksum does not match";
  if (bytes[size] != rocksdb::kNoCompression) return "compressed metadata";
  block->resize(size);
  return nullptr;
}

// Where the metaindex says that the properties are.
bool FindProperties(std::string_view metaindex, Handle* handle) {
  if (metaindex.size() < sizeof(uint32_t)) return false;
  const size_t entries_and_places = metaindex.size() - sizeof(uint32_t);
  const uint64_t places = LittleEndian<uint32_t>(metaindex.substr(entries_and_places)) * uint64_t{sizeof(uint32_t)};
  if (places > entries_and_places) return false;
  Parser parser(metaindex.substr(0, entries_and_places - static_cast<size_t>(places)));
  while (!parser.rest().empty()) {
    uint64_t shared, name_size, value_size;
    std::string_view name, value;
    if (!parser.Varint(&shared) || shared != 0 || !parser.Varint(&name_size) || !parser.Varint(&value_size) ||
        !parser.Bytes(name_size, &name) || !parser.Bytes(value_size, &value))
      return false;
    if (name != kPropertiesName) continue;
    Parser value_parser(value);
    return handle->Parse(&value_parser);
  }
  return false;
}

}  // namespace

const char* FaultInTail(InputFile* file) {
  char bytes[kFooterBytes];
  size_t got;
  if (file->size() < sizeof bytes) return "too short";
  if (!file->Read(file->size() - sizeof bytes, sizeof bytes, bytes, &got)) return "cannot be read";

  const std::string_view footer(bytes, sizeof bytes);
  const std::string_view version = footer.substr(1 + kHandlesBytes);
  if (LittleEndian<uint64_t>(version.substr(sizeof(uint32_t))) != kMagicNumber) return "no RocksDB table";
  if (LittleEndian<uint32_t>(version) != kFormatVersion) return "unknown format version";
  if (footer[0] != kChecksumType) return "unknown checksum type";
  Parser parser(footer.substr(1, kHandlesBytes));
  Handle metaindex, index, properties;
  if (!metaindex.Parse(&parser) || !index.Parse(&parser) || !metaindex.IsInside(file->size()) ||
      !index.IsInside(file->size()) || parser.rest().find_first_not_of('\0') != std::string_view::npos)
    return "damaged footer";

  std::string block;
  if (const char* fault = ReadBlock(file, metaindex, &block)) return fault;
  if (!FindProperties(block, &properties) || !properties.IsInside(file->size())) return "no properties";
  return ReadBlock(file, properties, &block);
}

}  // namespace omendb::cold
