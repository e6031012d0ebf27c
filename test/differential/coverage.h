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
  uint64_t index_plans = 0;  // those that read an index
  uint64_t cold_plans = 0;   // and those of them that read one that is cold, most of its leaves being so
  std::map<std::string, uint64_t> kinds, nodes, errors;
  std::map<std::string, uint64_t> cold;   // of the nodes: whose index is
  std::map<std::string, uint64_t> moved;  // leaves: offloaded, recalled, looked for in segments

  // The lines of an EXPLAIN (COSTS OFF), and which indexes were cold.
  void AddPlan(const std::vector<std::string>& lines, const std::vector<std::string>& cold_indexes);
  // "offloaded|17": what was done with how many leaves of an index.
  void AddMoved(const std::vector<std::string>& rows);
  void Add(const Coverage& other);
  void Print() const;
  // What a long run must have met, and has not: the kinds of scan; in a test build, whose pages are small, each of them
  // over cold indexes, too.
  std::vector<std::string> Missing(bool test_build) const;
};

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_COVERAGE_H
