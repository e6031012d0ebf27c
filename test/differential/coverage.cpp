#include "differential/coverage.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace omendb::differential {

namespace {

// The kinds of scan, and what stands above them.
constexpr const char* kExpected[] = {
    "Index Scan",
    "Index Scan Backward",
    "Index Only Scan",
    "Index Only Scan Backward",
    "Bitmap Index Scan",
    "BitmapAnd",
    "BitmapOr",
    "Merge Join over an index",
    "Merge Join, an index its inner side",
    "Nested Loop, an index its inner side",
    "Hash Join over an index",
    "Incremental Sort over an index",
    "Unique over an index",
    "GroupAggregate over an index",
    "WindowAgg over an index",
    "Merge Append over an index",
    "Limit over an index",
    "Parallel Bitmap Heap Scan",
    "Parallel Index Scan",
    "Parallel Index Only Scan",
    "Parallel Custom Scan (Omendb Aggregate)",
    "Index Cond with ANY",
    "Index Cond with a parameter",
    "Custom Scan (Omendb Scan)",
    "Custom Scan (Omendb Lookup Join)",
    "Custom Scan (Omendb Aggregate)",
};

bool Contains(const std::string& text, const char* what) { return text.find(what) != std::string::npos; }

uint64_t Count(const std::map<std::string, uint64_t>& counts, const char* name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

struct Node {
  size_t indent;
  std::string name;
  int children;
  bool is_cold;  // an index is, its own or that of a node below it
};

// The name of the index in a line: of a node, or of a property of one of ours.
std::string IndexOf(const std::string& line) {
  for (const char* before :
       {" using ", "Bitmap Index Scan on ", "Index Name: ", "Index Lookup: ", "Index Only Lookup: "}) {
    const size_t at = line.find(before);
    if (at == std::string::npos) continue;
    const size_t begin = at + std::strlen(before);
    return line.substr(begin, line.find(' ', begin) - begin);
  }
  return "";
}

}  // namespace

void Coverage::AddPlan(const std::vector<std::string>& lines, const std::vector<std::string>& cold_indexes) {
  plans++;
  bool any = false;
  std::vector<Node> path;  // from the root to the current node
  for (const std::string& line : lines) {
    const size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos) continue;
    const bool arrow = line.compare(indent, 2, "->") == 0;
    const bool property = !arrow && indent > 0;
    const std::string index_name = IndexOf(line);
    const bool is_cold =
        !index_name.empty() && std::find(cold_indexes.begin(), cold_indexes.end(), index_name) != cold_indexes.end();
    any |= !index_name.empty();
    const auto count = [&](const std::string& name, bool over_cold) {
      nodes[name]++;
      cold[name] += over_cold;
    };
    if (!property) {
      std::string name = line.substr(indent + (arrow ? 4 : 0));
      for (const char* end : {" using ", " on "}) name = name.substr(0, name.find(end));
      // The children of one node are indented alike.
      while (!path.empty() && path.back().indent >= indent) path.pop_back();
      if (!path.empty()) path.back().children++;
      nodes[name]++;
      if ((Contains(name, "Index Scan") || Contains(name, "Index Only Scan")) && !path.empty()) {
        const Node& parent = path.back();
        if (parent.name == "Merge Join" && parent.children == 2) count("Merge Join, an index its inner side", is_cold);
        bool inner_of_loop = false;
        for (const Node& ancestor : path)
          inner_of_loop |= ancestor.name.compare(0, 11, "Nested Loop") == 0 && ancestor.children == 2;
        if (inner_of_loop) count("Nested Loop, an index its inner side", is_cold);
        for (const Node& ancestor : path) {
          const std::string above = ancestor.name.substr(0, ancestor.name.find(" Join") + 5);
          count((Contains(ancestor.name, " Join") ? above : ancestor.name) + " over an index", is_cold);
        }
      }
      path.push_back({indent, name, 0, false});
    }
    if (is_cold)
      for (Node& node : path) {
        cold[node.name] += !node.is_cold;
        node.is_cold = true;
      }
    if (property && Contains(line, "Index Cond:")) {
      const bool over_cold = !path.empty() && path.back().is_cold;
      if (Contains(line, "ANY (")) count("Index Cond with ANY", over_cold);
      if (Contains(line, "$") || Contains(line, " = a.") || Contains(line, " = b."))
        count("Index Cond with a parameter", over_cold);
    }
  }
  index_plans += any;
  cold_plans += !path.empty() && path.front().is_cold;
}

void Coverage::AddMoved(const std::vector<std::string>& rows) {
  for (const std::string& row : rows) {
    const size_t bar = row.find('|');
    moved[row.substr(0, bar)] += std::strtoull(row.c_str() + bar + 1, nullptr, 10);
  }
}

void Coverage::Add(const Coverage& other) {
  statements += other.statements;
  with_rows += other.with_rows;
  queries += other.queries;
  plans += other.plans;
  index_plans += other.index_plans;
  cold_plans += other.cold_plans;
  for (const auto& [name, count] : other.kinds) kinds[name] += count;
  for (const auto& [name, count] : other.nodes) nodes[name] += count;
  for (const auto& [name, count] : other.errors) errors[name] += count;
  for (const auto& [name, count] : other.cold) cold[name] += count;
  for (const auto& [name, count] : other.moved) moved[name] += count;
}

void Coverage::Print() const {
  std::printf("statements by kind:");
  for (const auto& [name, count] : kinds)
    std::printf("  %s %llu", name.c_str(), static_cast<unsigned long long>(count));
  std::printf("\nqueries: %llu, %llu of them with rows\nerrors, the same on all copies:",
              static_cast<unsigned long long>(queries), static_cast<unsigned long long>(with_rows));
  for (const auto& [name, count] : errors)
    std::printf("  %s %llu", name.c_str(), static_cast<unsigned long long>(count));
  for (const auto& [name, count] : moved)
    std::printf("\nleaves %s: %llu", name.c_str(), static_cast<unsigned long long>(count));
  std::printf("\nomendb in %llu sampled plans, %llu of them read an index, %llu one that is mostly cold:\n",
              static_cast<unsigned long long>(plans), static_cast<unsigned long long>(index_plans),
              static_cast<unsigned long long>(cold_plans));
  for (const char* node : kExpected) {
    const uint64_t count = Count(nodes, node), over_cold = Count(cold, node);
    std::printf("  %-38s %8llu %8llu%s\n", node, static_cast<unsigned long long>(count),
                static_cast<unsigned long long>(over_cold),
                count == 0       ? "  MISSING"
                : over_cold == 0 ? "  NEVER COLD"
                                 : "");
  }
}

std::vector<std::string> Coverage::Missing(bool test_build) const {
  std::vector<std::string> missing;
  for (const char* node : kExpected) {
    if (Count(nodes, node) == 0) missing.emplace_back(node);
    // (Of those that are rarely met there may be none.)
    if (test_build && Count(nodes, node) >= 30 && Count(cold, node) == 0)
      missing.emplace_back(std::string(node) + ", of cold leaves");
  }
  if (!test_build) return missing;
  for (const char* how : {"offloaded", "recalled"})
    if (Count(moved, how) == 0) missing.emplace_back(std::string("leaves ") + how);
  if (cold_plans < index_plans / 5) missing.emplace_back("mostly cold leaves in a fifth of the plans");
  return missing;
}

}  // namespace omendb::differential
