// Storage parameters of an index, as amoptions parses them.
#ifndef OMENDB_TREE_OPTIONS_H
#define OMENDB_TREE_OPTIONS_H

#include "cold/api.h"
#include "hot/table.h"

#include "pg/postgres.h"

extern "C" {
#include "utils/rel.h"
}

namespace omendb::tree {

struct Options {
  int32 varlena_header;  // reloptions are a varlena; do not touch
  int fillfactor;        // percent
  int model;             // core::FenceModelKind, or hot::kAutoModel
  int cold_compression;  // cold::Codec
  int cold_after;        // offset of a string, which the cold worker reads from the catalog
};

inline constexpr int kMinFillFactor = 10;
inline constexpr int kDefaultFillFactor = 90;

inline int FillFactor(Relation rel) {
  const Options* options = reinterpret_cast<const Options*>(rel->rd_options);
  return options != nullptr ? options->fillfactor : kDefaultFillFactor;
}

// The model of the hot index's fences.
inline int FenceModelOf(Relation rel) {
  const Options* options = reinterpret_cast<const Options*>(rel->rd_options);
  return options != nullptr ? options->model : hot::kAutoModel;
}

inline constexpr cold::Codec kDefaultCodec = cold::Codec::kZstd;

// How segments are compressed.
inline cold::Codec ColdCompressionOf(Relation rel) {
  const Options* options = reinterpret_cast<const Options*>(rel->rd_options);
  return options != nullptr ? static_cast<cold::Codec>(options->cold_compression) : kDefaultCodec;
}

// Bytes of node image that a page is filled with when its entries come in order:
// the fill factor's share of `capacity`, but at most `most`.
inline size_t FillBytes(Relation rel, size_t capacity, size_t most) {
  const size_t fill = capacity * static_cast<size_t>(FillFactor(rel)) / 100;
  return fill < most ? fill : most;
}

}  // namespace omendb::tree

#endif  // OMENDB_TREE_OPTIONS_H
