// A column encoded on its own, in a buffer of exactly its size, so that
// AddressSanitizer sees a read past the packed words.
#ifndef OMENDB_TEST_UNIT_ENCODED_COLUMN_H
#define OMENDB_TEST_UNIT_ENCODED_COLUMN_H

#include <memory>
#include <vector>

#include "core/column.h"

namespace omendb::test {

class EncodedColumn {
 public:
  EncodedColumn(const std::vector<uint64_t>& values, bool sorted)
      : EncodedColumn(values, core::FitColumn(values.data(), static_cast<uint32_t>(values.size()), sorted)) {}

  EncodedColumn(const std::vector<uint64_t>& values, const core::ColumnHeader& header)
      : count_(static_cast<uint32_t>(values.size())),
        header_(header),
        bytes_(core::PackedBytes(count_, header.width)),
        words_(new uint64_t[bytes_ / sizeof(uint64_t)]) {
    core::PackColumn(values.data(), count_, header_, words_.get());
  }

  // Reads the same words at another scale: any residuals, wrapping as they like.
  void set_scale(uint64_t scale) { header_.scale = scale; }

  core::Column column() const { return core::Column(reinterpret_cast<const uint8_t*>(words_.get()), header_); }
  const core::ColumnHeader& header() const { return header_; }
  uint32_t count() const { return count_; }
  size_t bytes() const { return bytes_; }

 private:
  uint32_t count_;
  core::ColumnHeader header_;
  size_t bytes_;
  std::unique_ptr<uint64_t[]> words_;
};

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_ENCODED_COLUMN_H
