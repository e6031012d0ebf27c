# shellcheck shell=bash
#
# Result rows of bench/run and bench/demo: medians, ratios, the printed table, results.json.
# A row is: workload, rows, unit, btree, omendb, ratio, equal, btree's plan, omendb's plan, and what omendb was compared
# with if that was not btree, and its figure. The ratio is always such that more than 1 means that omendb is better.
# What a row does not have is "-" in the table and null, or nothing, in results.json.
# shellcheck disable=SC2154 # from lib.sh

results=$scratch_dir/results
: >"$results"
wrong_answers=0
name_width=26 # of the printed table

median() {
  sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

result_header() {
  printf "%-${name_width}s %12s %-10s %11s %11s %7s  %s\n" workload rows unit btree omendb ratio equal
}

# result WORKLOAD ROWS UNIT BTREE OMENDB less|more EQUAL [BTREE_PLAN OMENDB_PLAN [OTHER OTHER_FIGURE]]
# less or more: which of two figures is the better one. EQUAL: t or f, as psql prints it. BTREE is "-" if btree has
# nothing of the kind; then there is no ratio, unless omendb is compared with something other.
result() {
  local equal=true
  if [[ $7 != t ]]; then
    equal=false
    wrong_answers=$((wrong_answers + 1))
  fi
  awk -v OFS='\t' -v name="$1" -v rows="$2" -v unit="$3" -v b="$4" -v o="$5" -v better="$6" -v equal="$equal" \
    -v b_plan="${8:-}" -v o_plan="${9:-}" -v other="${10:-}" -v other_figure="${11:-}" -v file="$results" \
    -v width="$name_width" '
    function show(x) {
      if (x == "-") return x
      return sprintf(x >= 1000 ? "%.0f" : x >= 100 ? "%.1f" : x >= 10 ? "%.2f" : x >= 0.1 ? "%.3f" : "%.3g", x)
    }
    function write(format, x) { return x == "-" ? x : sprintf(format, x) }
    BEGIN {
      compared = other != "" ? other_figure : b
      ratio = compared == "-" ? "-" : better == "less" ? compared / o : o / compared
      printf "%-" width "s %12d %-10s %11s %11s %7s  %s%s\n", name, rows, unit, show(b), show(o), write("%.2f", ratio),
        equal == "true" ? "yes" : "WRONG ANSWER", other == "" ? "" : "; against " show(other_figure) " with " other
      print name, rows, unit, write("%.9g", b), sprintf("%.9g", o), write("%.4g", ratio), equal, b_plan, o_plan, other,
        write("%.9g", other_figure) >>file
    }'
}

# Reads name=value lines and prints them as the members of a JSON object.
json_members() {
  awk '
    function value(s) {
      if (s ~ /^[0-9]+$/) return s
      gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); gsub(/[\t\r]/, " ", s)
      return "\"" s "\""
    }
    { at = index($0, "="); printf "%s    %s: %s", (NR > 1 ? ",\n" : ""), value(substr($0, 1, at - 1)), value(substr($0, at + 1)) }
    END { print "" }'
}

machine() {
  local model
  model=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
  [[ -n $model ]] || model=$(lscpu 2>/dev/null | awk -F': *' '/^Model name/ && !seen { print $2; seen = 1 }') || true
  echo "cpu=${model:-unknown}"
  echo "cores=$(nproc)"
  echo "memory_mb=$(memory_mb)"
  echo "kernel=$(uname -srm)"
  # shellcheck disable=SC1091
  echo "system=$(. /etc/os-release && echo "$PRETTY_NAME")"
  echo "postgresql=$(sql -c 'SHOW server_version')"
  echo "commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || true)"
  echo "omendb=$(sql -c "SELECT extversion FROM pg_extension WHERE extname = 'omendb'")"
}

# write_json FILE: the machine, the server's settings, all rows so far.
write_json() {
  {
    printf '{\n  "date": "%s",\n  "machine": {\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    machine | json_members
    printf '  },\n  "settings": {\n'
    sql -F= -c "SELECT name, current_setting(name) FROM pg_settings
      WHERE source = 'configuration file' AND setting <> boot_val
        AND name !~* 'socket|listen|port|lc_|zone|datestyle|text_search' ORDER BY name" | json_members
    printf '  },\n  "results": [\n'
    awk -F'\t' '
      function number(x) { return x == "-" ? "null" : x }
      {
      printf "%s    {\"workload\": \"%s\", \"rows\": %s, \"unit\": \"%s\", \"btree\": %s, \"omendb\": %s, \"ratio\": %s, \"equal\": %s",
        (NR > 1 ? ",\n" : ""), $1, $2, $3, number($4), $5, number($6), $7
      if ($8 != "") printf ", \"btree_plan\": \"%s\", \"omendb_plan\": \"%s\"", $8, $9
      if ($10 != "") printf ", \"other\": \"%s\", \"other_figure\": %s", $10, $11
      printf "}"
    } END { print "" }' "$results"
    printf '  ]\n}\n'
  } >"$1"
}
