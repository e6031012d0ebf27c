#include "core/fence_model.h"

#include <chrono>
#include <cmath>
#include <cstring>

#include "core/fence_segment.h"
#include "core/kernels.h"

namespace omendb::core {

namespace {

// Half of a pgm's widest window, among the keys and in the levels above, so that a
// window is one count.
constexpr uint32_t kPgmEpsilon = 15;
constexpr uint32_t kPgmUpperEpsilon = 7;

// Keys for which an rmi has one segment: few enough that most windows are kFewKeys, and
// enough that the segments of a million keys stay in the L2 cache.
constexpr uint32_t kRmiKeysPerSegment = 128;

uint32_t RoundUp(uint32_t n, uint32_t to) { return (n + to - 1) / to * to; }

// Appends the parts of a model to its block.
class BlockWriter {
 public:
  BlockWriter(FenceModelKind kind, const uint64_t* keys, uint32_t count, void* memory)
      : block_(static_cast<FenceModelBlock*>(memory)), end_(sizeof(FenceModelBlock)) {
    std::memset(memory, 0, sizeof(FenceModelBlock));
    block_->model.kind = kind;
    block_->model.levels = 1;
    block_->model.count = count;
    block_->least_key = keys[0];
  }

  FenceModelBlock& block() { return *block_; }

  // Where the next part will be; Append makes it one.
  template <class T>
  T* Next() {
    return reinterpret_cast<T*>(reinterpret_cast<uint8_t*>(block_) + end_);
  }
  uint32_t Append(size_t bytes) {
    const uint32_t at = end_;
    end_ += RoundUp(static_cast<uint32_t>(bytes), kCacheLine);
    return at;
  }

  const FenceModel* Finish(uint32_t segments, uint32_t widest) {
    block_->model.segments = segments;
    block_->model.epsilon = (widest + 1) / 2;
    block_->model.bytes = end_;
    return &block_->model;
  }

 private:
  FenceModelBlock* block_;
  uint32_t end_;
};

// The end of the run of keys that are equal to the one at `begin`.
uint32_t RunEnd(const uint64_t* keys, uint32_t begin, uint32_t end) {
  uint32_t at = begin + 1;
  while (at < end && keys[at] == keys[begin]) at++;
  return at;
}

// `rate` keys per unit, in fixed point.
void SetSlope(FenceSegment* segment, double rate) {
  segment->slope = 0;
  segment->shift = 32;
  if (!(rate > 0)) return;
  if (rate > kMaxFences) rate = kMaxFences;
  int exponent;
  const double fraction = std::frexp(rate, &exponent);  // in [0.5, 1)
  const int shift = 32 - exponent;
  if (shift > 95) return;  // over all of the numbers, it would not be one key
  segment->slope = static_cast<uint32_t>(fraction * 0x1p32);
  segment->shift = static_cast<uint8_t>(shift);
}

// The segment with a slope of `rate` that is responsible for the keys [begin, end).  Its
// queries have at least `base` keys at or below; see fence_segment.h.
FenceSegment FitSegment(const uint64_t* keys, uint32_t begin, uint32_t end, uint32_t base, double rate) {
  FenceSegment segment;
  std::memset(&segment, 0, sizeof segment);
  segment.first_key = keys[begin];
  segment.base = base;
  SetSlope(&segment, rate);
  const int64_t most = end - base;
  const auto capped = [most](u128 steps) {
    return steps < static_cast<u128>(most) ? static_cast<int64_t>(steps) : most;
  };
  int64_t lag = 0, lead = INT64_MIN, known = 0;  // known: U(previous key) - base
  for (uint32_t i = begin; i < end;) {
    const u128 product = static_cast<u128>(keys[i] - segment.first_key) * segment.slope;
    if (i > begin) {
      const int64_t just_before = capped((product - segment.slope) >> segment.shift) - known;
      if (just_before > lag) lag = just_before;
    }
    i = RunEnd(keys, i, end);
    known = static_cast<int64_t>(i) - base;
    const int64_t behind = known - capped(product >> segment.shift);
    if (behind > lead) lead = behind;
  }
  int64_t width = lag + lead;
  if (width < 0) width = 0;
  if (width > most) width = most;
  segment.lag = static_cast<uint32_t>(lag);
  segment.width = static_cast<uint32_t>(width);
  segment.reach = static_cast<uint32_t>(lag + most - width);
  return segment;
}

// Rises from the first key, where U is `base`, to the last.
double EndpointsRate(const uint64_t* keys, uint32_t begin, uint32_t end, uint32_t base) {
  const uint64_t span = keys[end - 1] - keys[begin];
  return span == 0 ? 0 : static_cast<double>(end - base) / static_cast<double>(span);
}

// Of the least-squares line through (key, position), of so many of them that the others
// hardly change it; any rate is right.
double LeastSquaresRate(const uint64_t* keys, uint32_t count) {
  constexpr uint32_t kPoints = 4096;
  const uint32_t stride = (count - 1) / kPoints + 1, points = (count - 1) / stride + 1;
  const double mean_i = (points - 1) / 2.0;
  double mean_x = 0;
  for (uint32_t i = 0; i < points; i++) mean_x += static_cast<double>(keys[i * stride] - keys[0]);
  mean_x /= points;
  double covariance = 0, variance = 0;
  for (uint32_t i = 0; i < points; i++) {
    const double x = static_cast<double>(keys[i * stride] - keys[0]) - mean_x;
    covariance += x * (i - mean_i);
    variance += x * x;
  }
  return variance > 0 ? covariance / variance * stride : 0;
}

const FenceModel* BuildLinear(const uint64_t* keys, uint32_t count, void* memory) {
  BlockWriter writer(FenceModelKind::kLinear, keys, count, memory);
  const uint32_t base = RunEnd(keys, 0, count);
  FenceSegment best = FitSegment(keys, 0, count, base, EndpointsRate(keys, 0, count, base));
  if (best.width > kCountedKeys) {
    const FenceSegment other = FitSegment(keys, 0, count, base, LeastSquaresRate(keys, count));
    if (other.width < best.width) best = other;
  }
  writer.block().root = best;
  return writer.Finish(1, best.width);
}

uint32_t RmiSegments(uint32_t count) { return (count - 1) / kRmiKeysPerSegment + 1; }

const FenceModel* BuildRmi(const uint64_t* keys, uint32_t count, void* memory) {
  BlockWriter writer(FenceModelKind::kRmi, keys, count, memory);
  const uint32_t segments = RmiSegments(count);
  FenceSegment& root = writer.block().root;
  root.first_key = keys[0];
  SetSlope(&root, segments / (static_cast<double>(keys[count - 1] - keys[0]) + 1));
  const auto segment_of = [&](uint64_t key) {
    const uint64_t steps = SegmentSteps(root, key);
    return steps < segments ? static_cast<uint32_t>(steps) : segments - 1;
  };

  FenceSegment* out = writer.Next<FenceSegment>();
  uint32_t at = 0, widest = 0;
  for (uint32_t s = 0; s < segments; s++) {
    const uint32_t begin = at;
    while (at < count && segment_of(keys[at]) == s) at++;
    if (at == begin) {  // no key, but queries: all of them between the same two keys
      std::memset(&out[s], 0, sizeof out[s]);
      out[s].base = begin;
      SetSlope(&out[s], 0);
      continue;
    }
    // Its queries may be below its first key.
    out[s] = FitSegment(keys, begin, at, begin, EndpointsRate(keys, begin, at, begin));
    if (out[s].width > widest) widest = out[s].width;
  }
  writer.block().level[0] = {writer.Append(segments * sizeof(FenceSegment)), 0, segments};
  writer.block().model.levels = 2;
  return writer.Finish(segments, widest);
}

// At most this many: each segment but the last ends where U is more than epsilon above
// what it was at its beginning.
constexpr uint32_t MostPgmSegments(uint32_t count, uint32_t epsilon) { return (count - 1) / (epsilon + 1) + 1; }

constexpr int MostPgmLevels(uint32_t count) {
  int levels = 0;
  for (uint32_t n = MostPgmSegments(count, kPgmEpsilon); n > 1; n = MostPgmSegments(n, kPgmUpperEpsilon)) levels++;
  return levels;
}
static_assert(MostPgmLevels(kMaxFences) <= kMaxFenceLevels);
static_assert(kSplusFanout >= kPgmUpperEpsilon, "then a splus has fewer levels");

// Segments over all keys, as long as a line from the first point can be within epsilon
// of all others: a cone of slopes that shrinks from point to point.  The cone is of
// floating-point numbers and may be a little wrong, which FitSegment finds out.
uint32_t WritePgmSegments(const uint64_t* keys, uint32_t count, uint32_t epsilon, FenceSegment* out, uint32_t* widest) {
  uint32_t segments = 0;
  for (uint32_t begin = 0; begin < count;) {
    const uint64_t first_key = keys[begin];
    const uint32_t base = RunEnd(keys, begin, count);
    double least = 0, most = HUGE_VAL;
    uint32_t end = base;
    double rate = 0;
    while (end < count) {
      const double distance = static_cast<double>(keys[end] - first_key);
      const double just_before = static_cast<double>(keys[end] - first_key - 1);
      const uint32_t run_end = RunEnd(keys, end, count);
      const double below = static_cast<double>(end - base), at = static_cast<double>(run_end - base);
      double next_least = least, next_most = most;
      if (most * just_before > below + epsilon) next_most = (below + epsilon) / just_before;
      if (least * distance < at - epsilon) next_least = (at - epsilon) / distance;
      if (next_least > next_most) break;
      least = next_least;
      most = next_most;
      rate = at / distance;
      end = run_end;
    }
    if (rate < least) rate = least;
    if (rate > most) rate = most;
    out[segments] = FitSegment(keys, begin, end, base, rate);
    if (out[segments].width > *widest) *widest = out[segments].width;
    segments++;
    begin = end;
  }
  return segments;
}

const FenceModel* BuildPgm(const uint64_t* keys, uint32_t count, void* memory) {
  BlockWriter writer(FenceModelKind::kPgm, keys, count, memory);
  FenceModelBlock& block = writer.block();
  uint32_t widest = 0, last_level = 1;
  for (int l = 0;; l++) {
    FenceSegment* segments = writer.Next<FenceSegment>();
    uint32_t width = 0;
    const uint32_t n = WritePgmSegments(keys, count, l == 0 ? kPgmEpsilon : kPgmUpperEpsilon, segments, &width);
    if (l == 0) {
      widest = width;
      last_level = n;
    }
    if (n == 1) {
      block.root = segments[0];
      block.model.levels = static_cast<uint8_t>(l + 1);
      return writer.Finish(last_level, widest);
    }
    FenceLevel& level = block.level[l];
    level.segments_at = writer.Append(n * sizeof(FenceSegment));
    level.count = n;
    uint64_t* first_keys = writer.Next<uint64_t>();
    const uint32_t padded = RoundUp(n, kFirstKeysPadding);
    for (uint32_t s = 0; s < padded; s++) first_keys[s] = s < n ? segments[s].first_key : UINT64_MAX;
    level.keys_at = writer.Append(padded * sizeof(uint64_t));
    keys = first_keys;
    count = n;
  }
}

const FenceModel* BuildSplus(const uint64_t* keys, uint32_t count, void* memory) {
  BlockWriter writer(FenceModelKind::kSplus, keys, count, memory);
  FenceModelBlock& block = writer.block();
  const uint32_t nodes = (count - 1) / kSplusFanout + 1;
  int l = 0;
  while (count > kSplusFanout) {
    const uint32_t n = (count - 1) / kSplusFanout + 1, padded = RoundUp(n, kFirstKeysPadding);
    uint64_t* first_keys = writer.Next<uint64_t>();
    for (uint32_t i = 0; i < padded; i++) first_keys[i] = i < n ? keys[i * kSplusFanout] : UINT64_MAX;
    block.level[l++] = {0, writer.Append(padded * sizeof(uint64_t)), n};
    keys = first_keys;
    count = n;
  }
  block.model.levels = static_cast<uint8_t>(l + 1);
  return writer.Finish(nodes, 0);
}

}  // namespace

const char* FenceModelName(FenceModelKind kind) {
  switch (kind) {
    case FenceModelKind::kLinear:
      return "linear";
    case FenceModelKind::kRmi:
      return "rmi";
    case FenceModelKind::kPgm:
      return "pgm";
    case FenceModelKind::kSplus:
      break;
  }
  return "splus";
}

size_t FenceModelBytes(FenceModelKind kind, uint32_t count) {
  size_t bytes = sizeof(FenceModelBlock);
  const auto add = [&bytes](size_t part) { bytes += (part + kCacheLine - 1) / kCacheLine * kCacheLine; };
  switch (kind) {
    case FenceModelKind::kLinear:
      break;
    case FenceModelKind::kRmi:
      add(RmiSegments(count) * sizeof(FenceSegment));
      break;
    case FenceModelKind::kPgm:
      // The last level's one segment is built there, too, before it becomes the root.
      for (uint32_t segments = MostPgmSegments(count, kPgmEpsilon);;
           segments = MostPgmSegments(segments, kPgmUpperEpsilon)) {
        add(segments * sizeof(FenceSegment));
        if (segments == 1) break;
        add(RoundUp(segments, kFirstKeysPadding) * sizeof(uint64_t));
      }
      break;
    case FenceModelKind::kSplus:
      for (uint32_t n = count; n > kSplusFanout;) {
        n = (n - 1) / kSplusFanout + 1;
        add(RoundUp(n, kFirstKeysPadding) * sizeof(uint64_t));
      }
      break;
  }
  return bytes;
}

const FenceModel* BuildFenceModel(FenceModelKind kind, const uint64_t* keys, uint32_t count, void* memory) {
  switch (kind) {
    case FenceModelKind::kLinear:
      return BuildLinear(keys, count, memory);
    case FenceModelKind::kRmi:
      return BuildRmi(keys, count, memory);
    case FenceModelKind::kPgm:
      return BuildPgm(keys, count, memory);
    case FenceModelKind::kSplus:
      break;
  }
  return BuildSplus(keys, count, memory);
}

uint32_t FindFence(const FenceModel& model, const uint64_t* keys, uint64_t key) {
  return ActiveKernels().find_fence(model, keys, key);
}

size_t AnyFenceModelBytes(uint32_t count) {
  size_t most = 0;
  for (int k = 0; k < kFenceModelKinds; k++) {
    const size_t bytes = FenceModelBytes(static_cast<FenceModelKind>(k), count);
    if (bytes > most) most = bytes;
  }
  return most;
}

namespace {

constexpr uint32_t kRoundKeys = 512;

// More rounds where the caches take longer to fill.
uint32_t Rounds(uint32_t count) {
  const uint32_t rounds = 4 + count / 65536;
  return rounds < 32 ? rounds : 32;
}

// Nanoseconds for one search of each key, one after the other.
int64_t TimeSearches(const FenceModel& model, const uint64_t* keys, const uint64_t* round_keys) {
  using Clock = std::chrono::steady_clock;
  const Kernels& kernels = ActiveKernels();
  uint32_t found = 0;
  const Clock::time_point start = Clock::now();
  // A position is always below the count, but only the search knows that: so each
  // waits for the one before, as it does in a query.
  for (uint32_t i = 0; i < kRoundKeys; i++)
    found = kernels.find_fence(model, keys, round_keys[i] + (found >= model.count ? 1 : 0));
  const Clock::time_point end = Clock::now();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count() + (found >= model.count ? 1 : 0);
}

// A key near a fence that is drawn at random; another one for each number.  To have read
// the very fences that the search will end at would have put them into the cache, so it
// is anywhere between two that are further away.
uint64_t DrawKey(const uint64_t* keys, uint32_t count, uint64_t number) {
  const auto random = [](uint64_t state) {  // SplitMix64 (Steele, Lea, Flood, 2014)
    uint64_t z = state * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  };
  const uint32_t away = 1 + (count / 64 < 512 ? count / 64 : 512);
  const uint32_t at = static_cast<uint32_t>((random(2 * number + 1) >> 32) * count >> 32);
  const uint64_t low = keys[at > away ? at - away : 0];
  const uint64_t high = keys[at + away < count ? at + away : count - 1];
  return low + static_cast<uint64_t>(static_cast<u128>(random(2 * number + 2)) * (high - low) >> 64);
}

}  // namespace

const FenceModel* ChooseFenceModel(const uint64_t* keys, uint32_t count, void* memory, void* scratch) {
  const FenceModel* best = nullptr;
  int64_t best_time = 0;
  uint64_t drawn = 0;
  for (int k = 0; k < kFenceModelKinds; k++) {
    const FenceModel* model =
        BuildFenceModel(static_cast<FenceModelKind>(k), keys, count, best == nullptr ? memory : scratch);
    int64_t time = INT64_MAX;
    for (uint32_t round = 0; round < Rounds(count); round++) {
      // Other keys each time: a second search of the same would find them cached.
      uint64_t round_keys[kRoundKeys];
      for (uint64_t& key : round_keys) key = DrawKey(keys, count, drawn++);
      const int64_t took = TimeSearches(*model, keys, round_keys);
      if (took < time) time = took;
      if (best != nullptr && time > 2 * best_time) break;
    }
    // Of two that are as fast, the smaller one leaves the cache to others.
    const bool better =
        best == nullptr || (model->bytes < best->bytes ? time * 20 < best_time * 21 : time * 21 < best_time * 20);
    if (!better) continue;
    if (best != nullptr) std::memcpy(memory, model, model->bytes);
    best = static_cast<const FenceModel*>(memory);
    best_time = time;
  }
  return best;
}

}  // namespace omendb::core
