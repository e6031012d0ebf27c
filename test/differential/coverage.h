// What a run has met: statements by kind, plan nodes that omendb's indexes answered by, errors.
#ifndef OMENDB_TEST_DIFFERENTIAL_COVERAGE_H
#define OMENDB_TEST_DIFFERENTIAL_COVERAGE_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace omendb::differential {

struct Coverage {
  uint64_t statements = 0;
  uint64_t with_rows = 0;  // of those that return rows at all
  uint64_t queries = 0;
  uint64_t plans = 0;
  std::map<std::string, uint64_t> kinds, nodes, errors;

  // The lines of an EXPLAIN (COSTS OFF).
  void AddPlan(const std::vector<std::string>& lines);
  void Add(const Coverage& other);
  void Print() const;
  // The kinds of scan that a long run must have met, and has not.
  std::vector<std::string> Missing() const;
};

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_COVERAGE_H
