#include "tree/options.h"

#include "am/am.h"

extern "C" {
#include "access/reloptions.h"
}

namespace omendb::am {

namespace {

relopt_kind option_kind;

}  // namespace

void RegisterOptions() {
  option_kind = add_reloption_kind();
  // Takes effect on later splits and on REINDEX: no scan or insert need wait.
  add_int_reloption(option_kind, "fillfactor", "Packs omendb index pages only to this percentage",
                    tree::kDefaultFillFactor, tree::kMinFillFactor, 100, ShareUpdateExclusiveLock);
}

bytea* ParseOptions(Datum reloptions, bool validate) {
  static const relopt_parse_elt table[] = {
      {"fillfactor", RELOPT_TYPE_INT, static_cast<int>(offsetof(tree::Options, fillfactor))},
  };
  return static_cast<bytea*>(build_reloptions(reloptions, validate, option_kind, sizeof(tree::Options), table,
                                              static_cast<int>(lengthof(table))));
}

}  // namespace omendb::am
