#include "tree/options.h"

#include "am/am.h"

extern "C" {
#include "access/reloptions.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"
}

namespace omendb::am {

namespace {

relopt_kind option_kind;

relopt_enum_elt_def models[] = {
    {"auto", hot::kAutoModel},
    {"linear", static_cast<int>(core::FenceModelKind::kLinear)},
    {"rmi", static_cast<int>(core::FenceModelKind::kRmi)},
    {"pgm", static_cast<int>(core::FenceModelKind::kPgm)},
    {"splus", static_cast<int>(core::FenceModelKind::kSplus)},
    {nullptr, 0},
};

relopt_enum_elt_def codecs[] = {
    {"none", static_cast<int>(cold::Codec::kNone)},
    {"snappy", static_cast<int>(cold::Codec::kSnappy)},
    {"lz4", static_cast<int>(cold::Codec::kLz4)},
    {"zstd", static_cast<int>(cold::Codec::kZstd)},
    {nullptr, 0},
};

void ValidateInterval(const char* value) {
  // (Null when the option is not set.)
  if (value == nullptr || *value == '\0') return;
  DirectFunctionCall3(interval_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

}  // namespace

void RegisterOptions() {
  option_kind = add_reloption_kind();
  // Takes effect on later splits and on REINDEX: no scan or insert need wait.
  add_int_reloption(option_kind, "fillfactor", "Packs omendb index pages only to this percentage",
                    tree::kDefaultFillFactor, tree::kMinFillFactor, 100, ShareUpdateExclusiveLock);
  // Takes effect when the hot index's table is built again.
  add_enum_reloption(option_kind, "model", "What routes lookups to the leaves of an omendb index", models,
                     hot::kAutoModel, "Valid values are \"auto\", \"linear\", \"rmi\", \"pgm\" and \"splus\".",
                     ShareUpdateExclusiveLock);
  // Takes effect when the cold worker comes by.
  add_string_reloption(option_kind, "cold_after", "Age at which the cold worker offloads entries of an omendb index",
                       nullptr, ValidateInterval, ShareUpdateExclusiveLock);
  // Takes effect on what is offloaded from then on.
  add_enum_reloption(option_kind, "cold_compression", "How leaves that are offloaded are compressed", codecs,
                     static_cast<int>(tree::kDefaultCodec),
                     "Valid values are \"none\", \"snappy\", \"lz4\" and \"zstd\".", ShareUpdateExclusiveLock);
}

bytea* ParseOptions(Datum reloptions, bool validate) {
  static const relopt_parse_elt table[] = {
      {"fillfactor", RELOPT_TYPE_INT, static_cast<int>(offsetof(tree::Options, fillfactor))},
      {"model", RELOPT_TYPE_ENUM, static_cast<int>(offsetof(tree::Options, model))},
      {"cold_after", RELOPT_TYPE_STRING, static_cast<int>(offsetof(tree::Options, cold_after))},
      {"cold_compression", RELOPT_TYPE_ENUM, static_cast<int>(offsetof(tree::Options, cold_compression))},
  };
  return static_cast<bytea*>(build_reloptions(reloptions, validate, option_kind, sizeof(tree::Options), table,
                                              static_cast<int>(lengthof(table))));
}

}  // namespace omendb::am
