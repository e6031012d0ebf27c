# shellcheck shell=bash
#
# Result rows of bench/run and bench/demo: medians, ratios, the printed table, results.json.
# A row is: workload, rows, unit, btree, omendb, ratio, equal, btree's plan, omendb's plan, what omendb was compared
# with if that was not btree, and its figure, and other figures, as "name figure name figure ...". The ratio is always
# such that more than 1 means that omendb is better.
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

# result WORKLOAD ROWS UNIT BTREE OMENDB less|more EQUAL [BTREE_PLAN OMENDB_PLAN [OTHER OTHER_FIGURE [FIGURES]]]
# less or more: which of two figures is the better one. EQUAL: t or f, as psql prints it. BTREE is "-" if btree has
# nothing of the kind; then there is no ratio, unless omendb is compared with something other.
result() {
  local equal=true
  if [[ $7 != t ]]; then
    equal=false
    wrong_answers=$((wrong_answers + 1))
  fi
  awk -v OFS='\t' -v name="$1" -v rows="$2" -v unit="$3" -v b="$4" -v o="$5" -v better="$6" -v equal="$equal" \
    -v b_plan="${8:-}" -v o_plan="${9:-}" -v other="${10:-}" -v other_figure="${11:-}" -v figures="${12:-}" \
    -v file="$results" -v width="$name_width" '
    function show(x) {
      if (x == "-") return x
      return sprintf(x >= 1000 ? "%.0f" : x >= 100 ? "%.1f" : x >= 10 ? "%.2f" : x >= 0.1 ? "%.3f" : "%.3g", x)
    }
    function write(format, x) { return x == "-" ? x : sprintf(format, x) }
    BEGIN {
      compared = other != "" ? other_figure : b
      ratio = compared == "-" ? "-" : better == "less" ? compared / o : o / compared
      count = split(figures, figure, " ")
      for (i = 1; i < count; i += 2) shown = shown (i > 1 ? ", " : "; ") figure[i] " " show(figure[i + 1])
      printf "%-" width "s %12d %-10s %11s %11s %7s  %s%s%s\n", name, rows, unit, show(b), show(o), write("%.2f", ratio),
        equal == "true" ? "yes" : "WRONG ANSWER", other == "" ? "" : "; against " show(other_figure) " with " other, shown
      print name, rows, unit, write("%.9g", b), sprintf("%.9g", o), write("%.4g", ratio), equal, b_plan, o_plan, other,
        write("%.9g", other_figure), figures >>file
    }'
}

# type_table TYPE ...: the results of the workloads on these types of keys, if there are any, as a table for README.md:
# btree's figure, omendb's and the ratio.
type_table() {
  awk -F'\t' -v types="$*" -v kinds='size size_after point join join_index_only insert' '
    function show(x) { return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : x >= 1 ? "%.2f" : "%.3f", x) }
    {
      at = match($1, /_[^_]*$/)
      type = substr($1, at + 1)
      if (index(" " types " ", " " type " ") && index(" " kinds " ", " " substr($1, 1, at - 1) " ")) {
        cell[type, substr($1, 1, at - 1)] = sprintf("%s, %s: **%.2f**", show($4), show($5), $6)
        found[type] = 1
      }
    }
    END {
      rows = split(types, row, " ")
      columns = split(kinds, column, " ")
      for (i = 1; i <= rows; i++) {
        if (!(row[i] in found)) continue
        if (!header++) {
          printf "\n| type |"
          for (j = 1; j <= columns; j++) printf " `%s_*` |", column[j]
          printf "\n|---|"
          for (j = 1; j <= columns; j++) printf "--:|"
          print ""
        }
        printf "| `%s` |", row[i]
        for (j = 1; j <= columns; j++) printf " %s |", (row[i], column[j]) in cell ? cell[row[i], column[j]] : ""
        print ""
      }
    }' "$results"
}

# cold_tables TYPE ...: the results of the cold tier on these types of keys, if there are any, as tables for README.md: of
# sizes by codec, and the ratio of btree's; and of the rest btree's figure, that of the index kept hot, that of the
# offloaded one, and the ratio of the first to the last.
cold_tables() {
  awk -F'\t' -v types="$*" -v codecs="${codecs[*]}" '
    function show(x) { return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : x >= 1 ? "%.2f" : "%.3g", x) }
    # One of the other figures of a row.
    function other(name, n, i, word) {
      n = split($12, word, " ")
      for (i = 1; i < n; i += 2) if (word[i] == name) return word[i + 1]
    }
    $1 ~ /^(wal_)?cold_/ {
      at = match($1, /_[^_]*$/)
      type = substr($1, at + 1)
      kind = substr($1, 1, at - 1)
      if (!index(" " types " ", " " type " ")) next
      if (kind ~ /^cold_size_/ && kind != "cold_size_written") {
        sized[type]
        btree[type] = $4
        before[type] = other("before")
        cell[type, substr(kind, 11)] = sprintf("%s: **%.2f**", show($5), $6)
        offload[type, substr(kind, 11)] = sprintf("%s s, %s", show(other("offload_s")), show(other("wal")))
        file[type, substr(kind, 11)] = show(other("file"))
      } else {
        if (!(kind in order)) {
          order[kind] = ++kind_count
          kind_of[kind_count] = kind
          unit[kind] = $3
        }
        queried[type]
        cell[type, kind] = sprintf("%s, %s, %s: **%.2f**", show($4), show(other("kept_hot")), show($5), $6)
      }
    }
    END {
      type_count = split(types, type_of, " ")
      codec_count = split(codecs, codec, " ")
      for (t = 1; t <= type_count; t++) {
        type = type_of[t]
        if (!(type in sized)) continue
        if (!sizes++) {
          printf "\n| type | btree | before |"
          for (c = 1; c <= codec_count; c++) printf " `%s` |", codec[c]
          printf " offload, WAL | file |\n|---|"
          for (c = -1; c <= codec_count + 2; c++) printf "--:|"
          print ""
        }
        printf "| `%s` | %s | %s: **%.2f** |", type, show(btree[type]), show(before[type]), btree[type] / before[type]
        for (c = 1; c <= codec_count; c++) printf " %s |", cell[type, codec[c]]
        printf " %s | %s |\n", offload[type, codec[codec_count]], file[type, codec[codec_count]]
      }
      for (k = 1; k <= kind_count; k++) {
        if (k == 1) {
          printf "\n| workload | unit |"
          for (t = 1; t <= type_count; t++) if (type_of[t] in queried) printf " `%s` |", type_of[t]
          printf "\n|---|---|"
          for (t = 1; t <= type_count; t++) if (type_of[t] in queried) printf "--:|"
          print ""
        }
        printf "| `%s_*` | %s |", kind_of[k], unit[kind_of[k]]
        for (t = 1; t <= type_count; t++) if (type_of[t] in queried) printf " %s |", cell[type_of[t], kind_of[k]]
        print ""
      }
    }' "$results"
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
      count = split($12, figure, " ")
      for (i = 1; i < count; i += 2) printf ", \"%s\": %s", figure[i], figure[i + 1]
      printf "}"
    } END { print "" }' "$results"
    printf '  ]\n}\n'
  } >"$1"
}
