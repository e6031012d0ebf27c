#include "differential/minimise.h"

#include <chrono>
#include <functional>
#include <utility>

#include "differential/schema.h"

namespace omendb::differential {

namespace {

using Clock = std::chrono::steady_clock;

class Minimiser {
 public:
  Minimiser(Runner* runner, const Failure& failure, int seconds)
      : runner_(runner),
        kind_(failure.kind),
        copy_(failure.copy),
        state_(failure.state),
        end_(Clock::now() + std::chrono::seconds(seconds)) {}

  // Whether the groups still fail.  If so, what follows the failure is cut off.
  bool Fails(std::vector<Group>* groups) {
    runner_->Reset();
    const std::optional<Failure> failure = runner_->Run(*groups, nullptr);
    if (!failure || failure->kind != kind_ || failure->copy != copy_ || failure->state != state_) return false;
    groups->resize(failure->group + 1);
    std::vector<Statement>& last = groups->back().statements;
    if (failure->position < last.size()) last.resize(failure->position + 1);
    failure_ = *failure;
    return true;
  }

  const Failure& failure() const { return failure_; }
  bool in_time() const { return Clock::now() < end_; }

  // Delta debugging: leaves out as many of n parts as possible, large runs of them first.  `without` makes the groups
  // that the parts marked true are missing from.
  void Reduce(size_t n, std::vector<Group>* groups,
              const std::function<std::vector<Group>(const std::vector<Group>&, const std::vector<bool>&)>& without) {
    const std::vector<Group> original = *groups;
    std::vector<bool> gone(n, false);
    for (size_t size = n; size > 0; size = size == 1 ? 0 : (size + 1) / 2) {
      // The last first: what is near the failure decides what is needed before it.
      for (size_t end = n; end > 0 && in_time(); end -= std::min(end, size)) {
        std::vector<bool> candidate = gone;
        bool any = false;
        for (size_t i = end - std::min(end, size); i < end; i++) {
          any |= !candidate[i];
          candidate[i] = true;
        }
        if (!any) continue;
        std::vector<Group> reduced = without(original, candidate);
        if (!Fails(&reduced)) continue;
        gone = std::move(candidate);
        *groups = std::move(reduced);
      }
    }
  }

 private:
  Runner* runner_;
  Failure::Kind kind_;
  Copy copy_;
  std::string state_;
  Clock::time_point end_;
  Failure failure_{};
};

size_t CountOptional(const std::string& text) {
  size_t count = 0;
  for (char c : text) count += c == kOptionalBegin;
  return count;
}

// The text without the optional parts that are marked, the nested ones counted in order of their beginnings.
std::string WithoutOptional(const std::string& text, const std::vector<bool>& gone) {
  std::string out;
  size_t next = 0;
  std::vector<bool> nesting;
  size_t skipping = 0;
  for (char c : text) {
    if (c == kOptionalBegin) {
      nesting.push_back(gone[next++]);
      skipping += nesting.back();
    }
    if (skipping == 0) out += c;
    if (c == kOptionalEnd) {
      skipping -= nesting.back();
      nesting.pop_back();
    }
  }
  return out;
}

}  // namespace

std::optional<Reproduction> Minimise(Runner* runner, std::vector<Group> groups, const Failure& failure, int seconds) {
  Minimiser minimiser(runner, failure, seconds);
  for (Group& group : groups)
    for (size_t i = group.statements.size(); i > 0; i--)
      if (group.statements[i - 1].target == Target::kExplain || group.statements[i - 1].target == Target::kColdIndexes)
        group.statements.erase(group.statements.begin() + static_cast<ptrdiff_t>(i - 1));
  if (!minimiser.Fails(&groups)) return std::nullopt;
  for (size_t before = SIZE_MAX; minimiser.in_time();) {
    minimiser.Reduce(groups.size(), &groups, [](const std::vector<Group>& from, const std::vector<bool>& gone) {
      std::vector<Group> out;
      for (size_t i = 0; i < from.size(); i++)
        if (!gone[i]) out.push_back(from[i]);
      return out;
    });
    for (size_t g = 0; g < groups.size(); g++) {
      if (groups[g].transaction != Group::kNoTransaction) {
        std::vector<Group> plain = groups;
        plain[g].transaction = Group::kNoTransaction;
        if (minimiser.Fails(&plain)) groups = plain;
      }
      if (g >= groups.size()) break;
      minimiser.Reduce(groups[g].statements.size(), &groups,
                       [g](std::vector<Group> from, const std::vector<bool>& gone) {
                         std::vector<Statement> statements;
                         for (size_t i = 0; i < from[g].statements.size(); i++)
                           if (!gone[i]) statements.push_back(from[g].statements[i]);
                         from[g].statements = statements;
                         return from;
                       });
      for (size_t s = 0; g < groups.size() && s < groups[g].statements.size(); s++)
        minimiser.Reduce(CountOptional(groups[g].statements[s].text), &groups,
                         [g, s](std::vector<Group> from, const std::vector<bool>& gone) {
                           std::string& text = from[g].statements[s].text;
                           text = WithoutOptional(text, gone);
                           return from;
                         });
    }
    size_t size = 0;
    for (const Group& group : groups)
      for (const Statement& statement : group.statements) size += statement.text.size();
    if (size >= before) break;
    before = size;
  }
  // The last run may have been one that did not fail.
  minimiser.Fails(&groups);
  return Reproduction{groups, minimiser.failure()};
}

std::string Script(const std::vector<Group>& groups, const Failure& failure) {
  const bool indexed = failure.copy == Copy::kBtree;
  const Copy copies[] = {indexed ? Copy::kBtree : Copy::kOmendb, Copy::kPlain};
  std::string out = "CREATE EXTENSION IF NOT EXISTS omendb;\n";
  for (const std::string& definition : TypeDefinitions()) out += definition + ";\n";
  const auto is_named = [&](const std::string& name) {
    for (const Group& group : groups)
      if (!group.statements.empty() && group.statements[0].text.find(' ' + name) != std::string::npos) return true;
    return false;
  };
  // "CREATE DOMAIN d_... AS ..."
  for (const std::string& definition : Domains())
    if (is_named(definition.substr(14, definition.find(' ', 14) - 14))) out += definition + ";\n";
  out += "CREATE SCHEMA o; CREATE SCHEMA b; CREATE SCHEMA s;\n";
  out += "SET extra_float_digits = 3;\nSET intervalstyle = iso_8601;\n";
  for (const Group& group : groups)
    for (Copy copy : copies) {
      if (failure.kind != Failure::kDifference && copy == Copy::kPlain) continue;
      const char* const end = group.transaction == Group::kCommit ? "COMMIT;\n" : "ROLLBACK;\n";
      const bool transaction = group.transaction != Group::kNoTransaction;
      if (transaction) out += "BEGIN;\n";
      for (const Statement& statement : group.statements) {
        const bool plain = copy == Copy::kPlain;
        if (plain ? statement.target == Target::kAll : statement.target != Target::kExplain)
          out += Render(statement.text, copy) + ";\n";
      }
      if (transaction) out += end;
    }
  return out;
}

}  // namespace omendb::differential
