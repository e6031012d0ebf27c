// From a history of statements that ends with a failure to a short script that ends with it.
#ifndef OMENDB_TEST_DIFFERENTIAL_MINIMISE_H
#define OMENDB_TEST_DIFFERENTIAL_MINIMISE_H

#include <optional>
#include <string>
#include <vector>

#include "differential/runner.h"

namespace omendb::differential {

struct Reproduction {
  std::vector<Group> groups;
  Failure failure;
};

// Replays the groups; nothing if they do not fail in the way of `failure`.  Otherwise leaves out groups, statements,
// rows and clauses as long as it still does, for at most `seconds`.
std::optional<Reproduction> Minimise(Runner* runner, std::vector<Group> groups, const Failure& failure, int seconds);

// A script for psql.
std::string Script(const std::vector<Group>& groups, const Failure& failure);

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_MINIMISE_H
