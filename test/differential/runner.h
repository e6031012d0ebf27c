// Runs groups of statements on the three copies and compares what they return.
#ifndef OMENDB_TEST_DIFFERENTIAL_RUNNER_H
#define OMENDB_TEST_DIFFERENTIAL_RUNNER_H

#include <libpq-fe.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "differential/coverage.h"
#include "differential/statement.h"

namespace omendb::differential {

struct Failure {
  enum Kind { kDifference, kCheck, kLost } kind;
  size_t group;           // which of those that were given to Run
  size_t position;        // of the statement in the group
  std::string statement;  // with its marks
  Copy copy;              // the one that is different from the plain one
  std::string message;
  std::string state;  // the SQLSTATE of kCheck
};

class Runner {
 public:
  explicit Runner(std::string conninfo) : conninfo_(std::move(conninfo)) {}
  ~Runner() { PQfinish(connection_); }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Connects; with a server that recovers from a crash, tries again for a while.  Dies if it does not succeed.
  void Connect();
  // Empty schemas o, b and s, and a session as new.
  void Reset();
  // One statement that must succeed; the first field of what it returns.
  std::string Must(const std::string& sql);

  // Stops at the first failure.  `coverage` may be null.
  std::optional<Failure> Run(const std::vector<Group>& groups, Coverage* coverage);

 private:
  void Send(const std::string& sql);
  PGresult* Receive();

  std::string conninfo_;
  PGconn* connection_ = nullptr;
};

}  // namespace omendb::differential

#endif  // OMENDB_TEST_DIFFERENTIAL_RUNNER_H
