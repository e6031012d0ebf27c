// A statement of the generator: one text for the three copies of the tables.
//
// Placeholders in the text:
//
//   @  the copy's schema, as in  SELECT k1 FROM @t     o.t (omendb), b.t (btree), s.t (no index)
//   #  the copy's letter, for names that are not in a schema: cursors, prepared statements
//   ~  the copy's access method, as in  CREATE INDEX i ON @t USING ~ (k1)
//   ^  the prefix of the columns of an operand, "a." in a join (replaced before it is a statement)
//
// Marks, which never reach the server:
//
//   Optional(x)  x may be left out; the minimiser tries to.  What is left need not make sense: a statement that fails
//                on all copies alike is no difference.
//   kSortKey     one more of the first columns is a sort key: the sequence of the sort keys is compared
//   kLimited     which of the rows with equal sort keys there are is undefined: only the sort keys are compared
//   kLoose       0 and -0 may stand for each other, and equal intervals (grouping, min, max)
//   OnlyOmendb(x)  x is for omendb's copy only: what btree does not know
#ifndef OMENDB_TEST_DIFFERENTIAL_STATEMENT_H
#define OMENDB_TEST_DIFFERENTIAL_STATEMENT_H

#include <string>
#include <vector>

namespace omendb::differential {

constexpr char kOptionalBegin = '\x01', kOptionalEnd = '\x02';
constexpr char kSortKey = '\x03', kLimited = '\x04', kLoose = '\x05';
constexpr char kOmendbBegin = '\x06', kOmendbEnd = '\x07';

inline std::string Optional(const std::string& text) { return kOptionalBegin + text + kOptionalEnd; }
inline std::string OnlyOmendb(const std::string& text) { return kOmendbBegin + text + kOmendbEnd; }

enum class Copy { kOmendb, kBtree, kPlain };
constexpr Copy kCopies[] = {Copy::kOmendb, Copy::kBtree, Copy::kPlain};
inline char Letter(Copy copy) { return copy == Copy::kOmendb ? 'o' : copy == Copy::kBtree ? 'b' : 's'; }

enum class Target {
  kAll,           // the three copies; results must be equal
  kIndexed,       // those with indexes; results must be equal
  kOnce,          // no table in it: settings
  kCheck,         // only omendb's copy; must not fail
  kMayBeTooLong,  // only omendb's copy; must not fail otherwise than by a value that is too long
  kMove,          // only omendb's copy; must not fail but in a transaction that has: leaves, offloaded or recalled
  kExplain,       // only omendb's copy, for the count of plan nodes
  kColdIndexes,   // after it: the names of the indexes most of whose leaves are cold now
};

struct Statement {
  std::string text;
  Target target = Target::kAll;
};

// What is run for one copy as a whole before the next copy's turn, so that a transaction that fails or is rolled back
// is one of that copy alone.
struct Group {
  const char* kind;
  std::vector<Statement> statements;
  enum { kNoTransaction, kCommit, kRollback } transaction = kNoTransaction;
};

inline bool RunsOn(const Statement& statement, Copy copy) {
  switch (statement.target) {
    case Target::kAll:
      return true;
    case Target::kIndexed:
      return copy != Copy::kPlain;
    default:
      return copy == Copy::kOmendb;
  }
}

// How results of a statement are compared, by its marks.
struct Comparison {
  int sort_keys = 0;
  bool limited = false;
  bool loose = false;
};

inline Comparison ComparisonOf(const std::string& text) {
  Comparison comparison;
  for (char c : text) {
    comparison.sort_keys += c == kSortKey;
    comparison.limited |= c == kLimited;
    comparison.loose |= c == kLoose;
  }
  return comparison;
}

// The SQL for one of the copies.
inline std::string Render(const std::string& text, Copy copy) {
  std::string out;
  out.reserve(text.size() + 64);
  bool skip = false;
  for (char c : text) {
    if (c == kOmendbBegin || c == kOmendbEnd) skip = c == kOmendbBegin && copy != Copy::kOmendb;
    if (skip) continue;
    switch (c) {
      case '@':
        out += Letter(copy);
        out += '.';
        break;
      case '#':
        out += Letter(copy);
        break;
      case '~':
        out += copy == Copy::kOmendb ? "omendb" : "btree";
        break;
      case kOptionalBegin:
      case kOptionalEnd:
      case kSortKey:
      case kLimited:
      case kLoose:
      case kOmendbBegin:
      case kOmendbEnd:
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_STATEMENT_H
