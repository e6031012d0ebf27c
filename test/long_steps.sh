# shellcheck shell=bash disable=SC2034,SC2154
#
# The steps of test/run that take too long to be run each time. To be sourced by it.

# Lets the server of $pg_config, a copy, start its processes through a shell script, which is read from the standard
# input; the script ends with `exec ... "$postgres" "$@"`. What the tools say goes to files in $reports.
wrap_postgres() {
  local bin
  bin=$("$pg_config" --bindir)
  reports=$scratch_dir/reports
  rm -rf -- "$reports"
  mkdir "$reports"
  chmod 1777 "$reports"
  mv "$bin/postgres" "$bin/postgres.real"
  {
    printf '#!/bin/sh\npostgres=%q reports=%q\n' "$bin/postgres.real" "$reports"
    # Of initdb nothing is to be found out.
    # shellcheck disable=SC2016
    echo 'case $1 in --boot | --check | --single | -V | -C) exec "$postgres" "$@" ;; esac'
    cat
  } >"$bin/postgres"
  chmod 755 "$bin/postgres"
}

# The regression tests on a wrapped server. Fails if a test fails, or if there are reports.
regress_wrapped() {
  local status=0 report
  regress || status=$?
  for report in "$reports"/*; do
    [[ -s $report ]] || continue
    { echo "---- ${report##*/}"; cat "$report"; } >>"$log_file"
    status=1
  done
  return "$status"
}

# Valgrind's memcheck knows PostgreSQL's memory contexts here, so it sees the use of what was freed or never written.
# VALGRIND_OPTS=--track-origins=yes tells where the latter comes from, and takes twice as long.
step_valgrind() {
  need_packages "${packages_build[@]}" "${packages_test[@]}" valgrind libc6-dbg >>"$log_file"
  test_server=(valgrind valgrind)
  use_test_server
  # Each process opens a report; those that stay empty say nothing.
  wrap_postgres <<'END'
exec valgrind --quiet --trace-children=yes --leak-check=no --num-callers=30 \
  --suppressions="${postgres%/bin/*}/share/valgrind.supp" --log-file="$reports/%p" "$postgres" "$@"
END
  regress_wrapped
}

# The extension with AddressSanitizer and UBSan, in a server that knows nothing of them.
step_server_sanitized() {
  local flags='-fsanitize=address,undefined -fno-sanitize-recover=undefined'
  test_server=(cassert sanitized "CXXFLAGS=-O1 -g -fno-omit-frame-pointer -fno-strict-aliasing -fwrapv $flags"
    "LDFLAGS_SL=-fsanitize=address,undefined")
  use_test_server
  # A sanitizer's own exit status would pass for an ordinary one. What is not freed at exit is not leaked.
  wrap_postgres <<END
export LD_PRELOAD=$(g++ -print-file-name=libasan.so)
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path="\$reports/asan"
export UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1:log_path="\$reports/ubsan"
exec "\$postgres" "\$@"
END
  regress_wrapped
}

# Which lines the suites reach. Fails if they are less than nine tenths of those of tree/ and am/; test/coverage.pl
# prints which are missing.
step_coverage() {
  local step broken=()
  test_server=(cassert coverage 'CXXFLAGS=-O0 -g -fno-strict-aliasing -fwrapv --coverage' LDFLAGS_SL=--coverage)
  use_test_server
  # The server's processes write their counts beside the objects when they exit.
  chmod -R a+rwX "$scratch_dir/build-coverage"
  for step in "${server_steps[@]}"; do
    run_step "$step"
    ((step_status == 0)) || broken+=("$step")
  done
  echo
  "$root/test/coverage.pl" "$scratch_dir/build-coverage" | tee -a "$log_file"
  ((${#broken[@]} == 0)) || { echo "Failed: ${broken[*]}" | tee -a "$log_file"; return 1; }
}
