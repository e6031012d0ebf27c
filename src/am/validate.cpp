// amvalidate: is an operator class, with the family it belongs to, complete and
// fit for omendb?
//
// Nothing else in PostgreSQL compares a family's members with what the access
// method expects of them, so a mistake shows up here or as a wrong plan.
// Findings are INFO messages; the caller gets one verdict at the end and all
// findings on the way.
//
// A family is checked as a whole, whichever of its classes was named: a class
// is only as good as the cross-type members it is planned with.
//
// The frames below may ereport: trivial destructors only, memory from palloc.

#include <cstdint>

#include "pg/postgres.h"

extern "C" {
#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
}

#include "am/am.h"

namespace omendb::am {
namespace {

// Numbered as btree's: PostgreSQL 18 looks for them under these numbers.
constexpr int kCompareProc = 1;
constexpr int kSortSupportProc = 2;

constexpr uint64_t MemberBit(int number) { return uint64_t{1} << number; }

constexpr uint64_t kAllStrategies = MemberBit(BTLessStrategyNumber) | MemberBit(BTLessEqualStrategyNumber) |
                                    MemberBit(BTEqualStrategyNumber) | MemberBit(BTGreaterEqualStrategyNumber) |
                                    MemberBit(BTGreaterStrategyNumber);

// A family under examination.  The lists are pinned catalog cache entries.
struct Family {
  const char* name;
  CatCList* operators;
  CatCList* functions;
};

// Support functions: known numbers, matching signatures, the type's own order.
bool ValidateFunctions(const Family& family) {
  bool valid = true;

  for (int i = 0; i < family.functions->n_members; i++) {
    auto* member = reinterpret_cast<Form_pg_amproc>(GETSTRUCT(&family.functions->members[i]->tuple));
    bool signature_matches;

    switch (member->amprocnum) {
      case kCompareProc:
        signature_matches = check_amproc_signature(member->amproc, INT4OID, true, 2, 2, member->amproclefttype,
                                                   member->amprocrighttype);
        break;
      case kSortSupportProc:
        signature_matches = check_amproc_signature(member->amproc, VOIDOID, true, 1, 1, INTERNALOID);
        break;
      default:
        ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                       errmsg("omendb operator family \"%s\": function %s has support number %d, which does not exist",
                              family.name, format_procedure(member->amproc), member->amprocnum)));
        valid = false;
        continue;
    }

    if (!signature_matches) {
      ereport(INFO,
              (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
               errmsg("omendb operator family \"%s\": function %s does not have the signature of support number %d",
                      family.name, format_procedure(member->amproc), member->amprocnum)));
      valid = false;
    } else if (member->amprocnum == kCompareProc &&
               !IsKnownOrder(member->amproclefttype, member->amprocrighttype, member->amproc)) {
      ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                     errmsg("omendb operator family \"%s\": function %s is not the default B-tree order of %s and %s",
                            family.name, format_procedure(member->amproc), format_type_be(member->amproclefttype),
                            format_type_be(member->amprocrighttype)),
                     errdetail("omendb always orders a type as its default B-tree operator class does.")));
      valid = false;
    }
  }
  return valid;
}

// Operators: known strategies, for search only, boolean results.
bool ValidateOperators(const Family& family) {
  bool valid = true;

  for (int i = 0; i < family.operators->n_members; i++) {
    auto* member = reinterpret_cast<Form_pg_amop>(GETSTRUCT(&family.operators->members[i]->tuple));

    if (member->amopstrategy < BTLessStrategyNumber || member->amopstrategy > BTMaxStrategyNumber) {
      ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                     errmsg("omendb operator family \"%s\": operator %s has strategy number %d, which does not exist",
                            family.name, format_operator(member->amopopr), member->amopstrategy)));
      valid = false;
    }

    // An index in key order needs no ordering operators (amcanorderbyop is false).
    if (member->amoppurpose != AMOP_SEARCH || OidIsValid(member->amopsortfamily)) {
      ereport(INFO,
              (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
               errmsg("omendb operator family \"%s\": operator %s is an ordering operator, which is not supported",
                      family.name, format_operator(member->amopopr))));
      valid = false;
    }

    if (!check_amop_signature(member->amopopr, BOOLOID, member->amoplefttype, member->amoprighttype)) {
      ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                     errmsg("omendb operator family \"%s\": operator %s does not take %s and %s and return boolean",
                            family.name, format_operator(member->amopopr), format_type_be(member->amoplefttype),
                            format_type_be(member->amoprighttype))));
      valid = false;
    }
  }
  return valid;
}

// The pairs of types: each with all five operators and a comparison, and a pair
// for every two types of the family.  `class_type` is the named class's type.
bool ValidateTypePairs(const Family& family, const char* class_name, Oid class_type) {
  bool valid = true;
  bool class_is_there = false;
  List* types = NIL;
  List* pairs = identify_opfamily_groups(family.operators, family.functions);
  ListCell* cell;

  foreach (cell, pairs) {
    const auto* pair = static_cast<const OpFamilyOpFuncGroup*>(lfirst(cell));

    types = list_append_unique_oid(types, pair->lefttype);
    types = list_append_unique_oid(types, pair->righttype);
    if (pair->lefttype == class_type && pair->righttype == class_type) class_is_there = true;

    // Unknown strategies have been reported one by one.
    if ((pair->operatorset & kAllStrategies) != kAllStrategies) {
      ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                     errmsg("omendb operator family \"%s\": not all five operators are there for types %s and %s",
                            family.name, format_type_be(pair->lefttype), format_type_be(pair->righttype))));
      valid = false;
    }
    if ((pair->functionset & MemberBit(kCompareProc)) == 0) {
      ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                     errmsg("omendb operator family \"%s\": no comparison function for types %s and %s", family.name,
                            format_type_be(pair->lefttype), format_type_be(pair->righttype))));
      valid = false;
    }
  }

  // A pair that is there has been checked above.
  if (!class_is_there) {
    ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                   errmsg("omendb operator class \"%s\": family \"%s\" has no members for type %s", class_name,
                          family.name, format_type_be(class_type))));
    valid = false;
  }

  // A hole costs no correctness, but transitivity: from a = b and b < 5 the
  // planner can conclude a < 5 only if the family has the operator for it.
  const int type_count = list_length(types);
  if (list_length(pairs) != type_count * type_count) {
    ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                   errmsg("omendb operator family \"%s\": cross-type members are there for %d of %d pairs of types",
                          family.name, list_length(pairs), type_count * type_count)));
    valid = false;
  }
  return valid;
}

}  // namespace

// omendb orders keys by their ordinals and does not call the comparison function
// to do so.  A family that compares otherwise than the left type's default B-tree
// family does would be answered in the wrong order.
//
// Two orders besides the default are known: those of the operator classes for patterns.
bool IsKnownOrder(Oid left_type, Oid right_type, Oid compare) {
  if (left_type == right_type && ((left_type == TEXTOID && compare == F_BTTEXT_PATTERN_CMP) ||
                                  (left_type == BPCHAROID && compare == F_BTBPCHAR_PATTERN_CMP)))
    return true;
  const Oid btree_class = GetDefaultOpClass(left_type, BTREE_AM_OID);
  if (!OidIsValid(btree_class)) return false;
  return compare == get_opfamily_proc(get_opclass_family(btree_class), left_type, right_type, kCompareProc);
}

bool Validate(Oid opclass_oid) {
  HeapTuple class_tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass_oid));
  if (!HeapTupleIsValid(class_tuple)) elog(ERROR, "cache lookup failed for operator class %u", opclass_oid);
  auto* opclass = reinterpret_cast<Form_pg_opclass>(GETSTRUCT(class_tuple));

  HeapTuple family_tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(opclass->opcfamily));
  if (!HeapTupleIsValid(family_tuple)) elog(ERROR, "cache lookup failed for operator family %u", opclass->opcfamily);
  auto* opfamily = reinterpret_cast<Form_pg_opfamily>(GETSTRUCT(family_tuple));

  const Family family = {
      NameStr(opfamily->opfname),
      SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(opclass->opcfamily)),
      SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(opclass->opcfamily)),
  };

  // Every check runs, so that one call reports everything.
  bool valid = ValidateFunctions(family);
  valid &= ValidateOperators(family);
  valid &= ValidateTypePairs(family, NameStr(opclass->opcname), opclass->opcintype);

  ReleaseCatCacheList(family.functions);
  ReleaseCatCacheList(family.operators);
  ReleaseSysCache(family_tuple);
  ReleaseSysCache(class_tuple);
  return valid;
}

}  // namespace omendb::am
