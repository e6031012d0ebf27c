#include "am/text_order.h"

extern "C" {
#include "catalog/pg_type_d.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"
#include "utils/varlena.h"
}

namespace omendb::am {

using core::ByteView;

namespace {

// Bytes of a tail, where there is one: how many blanks a bpchar has at the end.
constexpr uint16_t kTail = sizeof(uint32);

// A text that PostgreSQL's functions can read, made of bytes.
struct TextBuffer {
  struct varlena* text;
  Size capacity;
};

// What a backend knows of a collation: as PostgreSQL's own, which it is made of, never
// forgotten.  SortSupport has the locale at hand, which bttextcmp looks up at every call.
struct Collation {
  Oid oid;  // hash key
  bool deterministic;
  TextBuffer a, b;
  SortSupportData compare;
  SortSupportData abbreviate;  // without a converter where PostgreSQL does not trust the library with it
};

HTAB* collations;

Datum TextOf(ByteView value, TextBuffer* buffer) {
  const Size bytes = value.size + VARHDRSZ;
  if (unlikely(bytes > buffer->capacity)) {
    const Size capacity = Max(2 * buffer->capacity, Max(bytes, static_cast<Size>(256)));
    buffer->text = static_cast<struct varlena*>(
        buffer->text == nullptr ? MemoryContextAlloc(CacheMemoryContext, capacity) : repalloc(buffer->text, capacity));
    buffer->capacity = capacity;
  }
  SET_VARSIZE(buffer->text, bytes);
  memcpy(VARDATA(buffer->text), value.data, value.size);
  return PointerGetDatum(buffer->text);
}

Collation* CollationOf(const void* state) { return static_cast<Collation*>(const_cast<void*>(state)); }

int Compare(const void* state, ByteView a, ByteView b) {
  // (It is the same in all collations, deterministic or not.)
  if (a.size == b.size && memcmp(a.data, b.data, a.size) == 0) return 0;
  Collation* collation = CollationOf(state);
  return collation->compare.comparator(TextOf(a, &collation->a), TextOf(b, &collation->b), &collation->compare);
}

// (Values of a damaged page may be too short to have a tail.)
ByteView WithoutTail(ByteView value) { return core::ByteOrder{nullptr, nullptr, kTail, false}.KeyOf(value); }

int CompareWithoutTail(const void* state, ByteView a, ByteView b) {
  return Compare(state, WithoutTail(a), WithoutTail(b));
}

uint64_t Head(const void* state, ByteView value) {
  Collation* collation = CollationOf(state);
  SortSupport support = &collation->abbreviate;
  return DatumGetUInt64(support->abbrev_converter(TextOf(value, &collation->a), support));
}

uint64_t HeadWithoutTail(const void* state, ByteView value) { return Head(state, WithoutTail(value)); }

void Prepare(SortSupport support, Oid collation, bool abbreviate) {
  memset(support, 0, sizeof *support);
  support->ssup_cxt = CacheMemoryContext;
  support->ssup_collation = collation;
  support->abbreviate = abbreviate;
  const MemoryContext old_context = MemoryContextSwitchTo(CacheMemoryContext);
  varstr_sortsupport(support, TEXTOID, collation);
  MemoryContextSwitchTo(old_context);
}

Collation* FindCollation(Oid oid) {
  if (collations == nullptr) {
    HASHCTL control = {};
    control.keysize = sizeof(Oid);
    control.entrysize = sizeof(Collation);
    control.hcxt = CacheMemoryContext;
    collations = hash_create("omendb collations", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
  }
  if (void* known = hash_search(collations, &oid, HASH_FIND, nullptr)) return static_cast<Collation*>(known);
  // An unknown collation is an error, and must leave nothing half made.
  Collation made = {};
  made.oid = oid;
  made.deterministic = get_collation_isdeterministic(oid);
  Prepare(&made.compare, oid, false);
  Prepare(&made.abbreviate, oid, true);
  Collation* collation = static_cast<Collation*>(hash_search(collations, &oid, HASH_ENTER, nullptr));
  *collation = made;
  return collation;
}

}  // namespace

core::ByteOrder CollatedOrder(Oid oid, uint16_t tail, bool descending) {
  Assert(tail == 0 || tail == kTail);
  const Collation* collation = FindCollation(oid);
  core::ByteOrder order = {};
  order.function = tail == 0 ? Compare : CompareWithoutTail;
  if (collation->abbreviate.abbrev_converter != nullptr) order.head = tail == 0 ? Head : HeadWithoutTail;
  order.function_is_exact = tail == 0 && collation->deterministic;
  order.state = collation;
  order.tail = tail;
  order.descending = descending;
  return order;
}

}  // namespace omendb::am
