// Keys and a model over them in buffers of exactly their sizes, so that
// AddressSanitizer sees a read past either.
#ifndef OMENDB_TEST_UNIT_FENCE_TABLE_H
#define OMENDB_TEST_UNIT_FENCE_TABLE_H

#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "core/fence_model.h"
#include "core/limits.h"

namespace omendb::test {

struct CacheLinesDeleter {
  void operator()(uint8_t* bytes) const { ::operator delete (bytes, std::align_val_t{core::kCacheLine}); }
};
using CacheLines = std::unique_ptr<uint8_t, CacheLinesDeleter>;

inline CacheLines NewCacheLines(size_t bytes) {
  return CacheLines(static_cast<uint8_t*>(::operator new (bytes, std::align_val_t{core::kCacheLine})));
}

// `build` gets the keys, their number and memory for the model.
class FenceTable {
 public:
  template <typename Build>
  FenceTable(const std::vector<uint64_t>& keys, size_t model_bytes, Build build)
      : count_(static_cast<uint32_t>(keys.size())),
        keys_(NewCacheLines(keys.size() * sizeof(uint64_t))),
        memory_(NewCacheLines(model_bytes)) {
    std::memcpy(keys_.get(), keys.data(), keys.size() * sizeof(uint64_t));
    model_ = build(this->keys(), count_, memory_.get());
  }

  FenceTable(core::FenceModelKind kind, const std::vector<uint64_t>& keys)
      : FenceTable(keys, core::FenceModelBytes(kind, static_cast<uint32_t>(keys.size())),
                   [kind](const uint64_t* k, uint32_t n, void* m) { return core::BuildFenceModel(kind, k, n, m); }) {}

  // The model that is chosen for the keys.
  explicit FenceTable(const std::vector<uint64_t>& keys)
      : FenceTable(keys, core::AnyFenceModelBytes(static_cast<uint32_t>(keys.size())),
                   [](const uint64_t* k, uint32_t n, void* m) {
                     const CacheLines scratch = NewCacheLines(core::AnyFenceModelBytes(n));
                     return core::ChooseFenceModel(k, n, m, scratch.get());
                   }) {}

  const uint64_t* keys() const { return reinterpret_cast<const uint64_t*>(keys_.get()); }
  uint32_t count() const { return count_; }
  const core::FenceModel& model() const { return *model_; }
  const void* memory() const { return memory_.get(); }
  uint32_t Find(uint64_t key) const { return core::FindFence(*model_, keys(), key); }

 private:
  uint32_t count_;
  CacheLines keys_, memory_;
  const core::FenceModel* model_;
};

inline std::vector<core::FenceModelKind> AllFenceModelKinds() {
  std::vector<core::FenceModelKind> kinds;
  for (int k = 0; k < core::kFenceModelKinds; k++) kinds.push_back(static_cast<core::FenceModelKind>(k));
  return kinds;
}

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_FENCE_TABLE_H
