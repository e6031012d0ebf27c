# shellcheck shell=bash disable=SC2034,SC2154
#
# The steps of test/run that take too long to be run each time. To be sourced by it.

# Lets the server of $pg_config, a copy, start its processes through a shell script, which is read from the standard
# input; it ends with `exec ... "$postgres" "$@"`.
wrap_postgres() {
  local bin
  bin=$("$pg_config" --bindir)
  mv "$bin/postgres" "$bin/postgres.real"
  {
    printf '#!/bin/sh\npostgres=%q\n' "$bin/postgres.real"
    # Of initdb nothing is to be found out.
    # shellcheck disable=SC2016
    echo 'case $1 in --boot | --check | --single | -V | -C) exec "$postgres" "$@" ;; esac'
    cat
  } >"$bin/postgres"
  chmod 755 "$bin/postgres"
}

# Valgrind's memcheck knows PostgreSQL's memory contexts here, so it sees the use of what was freed or never written.
# Each process writes a report; those that stay empty say nothing.
# VALGRIND_OPTS=--track-origins=yes tells where the latter comes from, and takes twice as long.
step_valgrind() {
  local reports=$scratch_dir/reports report status=0
  need_packages "${packages_build[@]}" "${packages_test[@]}" valgrind libc6-dbg >>"$log_file"
  test_server=(valgrind valgrind)
  use_test_server
  mkdir "$reports"
  chmod 1777 "$reports"
  wrap_postgres <<END
exec valgrind --quiet --trace-children=yes --leak-check=no --num-callers=30 --log-file='$reports/%p' \\
  --suppressions="\${postgres%/bin/*}/share/valgrind.supp" "\$postgres" "\$@"
END
  regress || status=$?
  for report in "$reports"/*; do
    [[ -s $report ]] || continue
    { echo "---- ${report##*/}"; cat "$report"; } >>"$log_file"
    status=1
  done
  return "$status"
}

# The extension with AddressSanitizer and UBSan, in a server that knows nothing of them. What they find is in the
# server's log, and the end of the process.
step_server_sanitized() {
  local flags='-fsanitize=address,undefined -fno-sanitize-recover=undefined' options
  test_server=(cassert sanitized "CXXFLAGS=-O1 -g -fno-omit-frame-pointer -fno-strict-aliasing -fwrapv $flags"
    "LDFLAGS_SL=-fsanitize=address,undefined")
  use_test_server
  # A sanitizer's own exit status would pass for an ordinary one. What is not freed at exit is not leaked. UBSan's
  # options are not in the environment because it looks there only when it has something to say, and by then PostgreSQL
  # has written the process title over it.
  options=$scratch_dir/server-sanitized/lib/ubsan_options.so
  logged gcc -shared -fPIC -o "$options" -x c - <<'END'
const char *__ubsan_default_options(void) { return "print_stacktrace=1:abort_on_error=1"; }
END
  wrap_postgres <<END
export LD_PRELOAD='$(g++ -print-file-name=libasan.so) $options' ASAN_OPTIONS=detect_leaks=0:abort_on_error=1
exec "\$postgres" "\$@"
END
  regress
}

# Which lines the suites reach. Fails if they are less than nine tenths of those of tree/ and am/; test/coverage.pl
# prints which are missing.
step_coverage() {
  local step broken=()
  test_server=(cassert coverage 'CXXFLAGS=-O0 -g -fno-strict-aliasing -fwrapv --coverage' LDFLAGS_SL=--coverage)
  use_test_server
  # A build without optimization is slow.
  differential_statements=20000
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
