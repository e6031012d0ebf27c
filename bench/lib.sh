# shellcheck shell=bash
#
# What bench/run, bench/demo and test/run share: the packages they need, the build, and a throw-away PostgreSQL cluster.
# To be sourced:  source "$(dirname "${BASH_SOURCE[0]}")/../bench/lib.sh"
#
# What it leaves behind: the packages, the installed extension and, of a run that failed, one log file.
# It connects to no cluster but its own: every PG* variable of the caller is dropped, the server listens on a Unix
# socket in a private directory only.
#
# PG_CONFIG=/path/to/pg_config  another PostgreSQL than Debian's 15; its packages are then the caller's business
# TMPDIR                        where the cluster lives (default /tmp)

set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log_file=''
cluster_dir=''
socket_dir=''
scratch_dir='' # whatever a script wants to write; gone when it ends
interrupted=no
no_main_cluster='' # the drop-in of need_packages, while it exists
postgresql_from_debian=yes

[[ -n ${PG_CONFIG:-} ]] && postgresql_from_debian=no
pg_config=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
# shellcheck disable=SC2086
unset ${!PG*}
export LC_ALL=C

# shellcheck disable=SC2034
packages_build=(make g++ libboost-dev libxsimd-dev librocksdb-dev xz-utils)
# shellcheck disable=SC2034
packages_test=(cmake clang libclang-rt-14-dev libgtest-dev libbenchmark-dev libpq-dev perl libipc-run-perl)

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# ---- Leaving: always stop the cluster, keep the log only of a failure ----

leave() {
  local status=$?
  trap - EXIT
  trap '' HUP INT TERM PIPE
  set +e
  if [[ $status -ne 0 && $interrupted == no && -s $log_file ]]; then
    tail -n 5 "$log_file" | sed 's|^|  |' >&2
    if [[ -n $cluster_dir && -f $cluster_dir/log ]]; then
      { echo '---- server log'; tail -n 200 "$cluster_dir/log"; } >>"$log_file"
    fi
    echo "${0##*/}: failed; the whole story is in $log_file" >&2
  else
    rm -f -- "$log_file"
  fi
  [[ -z $scratch_dir ]] || rm -rf -- "$scratch_dir"
  allow_main_cluster
  cluster_stop
  exit "$status"
}
trap leave EXIT
trap 'interrupted=yes; exit 129' HUP
trap 'interrupted=yes; exit 130' INT
trap 'interrupted=yes; exit 141' PIPE
trap 'interrupted=yes; exit 143' TERM

log_file=$(mktemp "${TMPDIR:-/tmp}/omendb-${0##*/}.XXXXXX.log")
scratch_dir=$(mktemp -d "${TMPDIR:-/tmp}/omendb-${0##*/}.XXXXXX")

# Runs a command with all its output in the log.
logged() {
  printf -- '---- %s\n' "$*" >>"$log_file"
  "$@" >>"$log_file" 2>&1
}

# ---- Packages ----

# Runs a command as root. sudo may ask for the password; nothing else here asks anything.
as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

require_root() {
  [[ $EUID -eq 0 ]] || command -v sudo >/dev/null || die 'installing needs root, or sudo'
}

# Prints those of the given packages that are not installed.
missing_packages() {
  local package
  for package; do
    if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) != installed ]]; then
      echo "$package"
    fi
  done
}

# Installs those of the given packages, and of PostgreSQL's, that are missing; does nothing at all if none is.
#
# Debian's package creates and starts a cluster "main" when the server comes in for the first time. Nobody asked for one
# here, so a drop-in beside createcluster.conf says no while apt-get runs and is removed afterwards: unlike an edit of
# createcluster.conf it leaves no changed configuration file, unlike a policy-rc.d it keeps no other service from
# starting. Clusters that exist are not touched. Who wants one later says pg_createcluster 15 main.
need_packages() {
  local missing status=0
  [[ $postgresql_from_debian == yes ]] && set -- "$@" postgresql-15 postgresql-server-dev-15
  if ! command -v apt-get >/dev/null; then
    [[ -x $pg_config ]] || die "no apt-get here: install by hand what Debian calls $*, then set PG_CONFIG"
    return
  fi
  missing=$(missing_packages "$@")
  [[ -n $missing ]] || return 0
  echo "Installing $(tr '\n' ' ' <<<"$missing")"
  require_root
  no_main_cluster=/etc/postgresql-common/createcluster.d/omendb.conf
  as_root mkdir -p "${no_main_cluster%/*}"
  echo 'create_main_cluster = false' | as_root tee "$no_main_cluster" >/dev/null
  # shellcheck disable=SC2086
  {
    logged as_root env DEBIAN_FRONTEND=noninteractive apt-get update &&
      logged as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
  } || status=$?
  allow_main_cluster
  return "$status"
}

allow_main_cluster() {
  [[ -n $no_main_cluster ]] || return 0
  as_root rm -f "$no_main_cluster"
  as_root rmdir --ignore-fail-on-non-empty "${no_main_cluster%/*}"
  no_main_cluster=''
}

# Builds the extension and installs it into the PostgreSQL of $pg_config.
build_and_install() {
  echo "Building with $("$pg_config" --version)"
  logged make -C "$root" -j"$(nproc)" PG_CONFIG="$pg_config"
  if [[ -w $("$pg_config" --pkglibdir) && -w $("$pg_config" --sharedir)/extension ]]; then
    logged make -C "$root" install PG_CONFIG="$pg_config"
  else
    require_root
    logged as_root make -C "$root" install PG_CONFIG="$pg_config"
  fi
}

# ---- The cluster ----

# The server refuses to run as root: then it runs as the user that Debian's package made for it. Everything else,
# psql included, stays the caller's; COPY reads through psql, so that the server needs no access to the repository.
as_server() {
  if [[ $EUID -eq 0 ]]; then
    local user=postgres
    getent passwd "$user" >/dev/null || user=nobody
    (cd / && setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@")
  else
    (cd / && "$@")
  fi
}

# Makes a directory that only the server's user (and root) can enter, and prints its name.
server_directory() {
  local made
  made=$(mktemp -d "$1/omendb.XXXXXX")
  if [[ $EUID -eq 0 ]]; then
    chown "$(as_server id -u):$(as_server id -g)" "$made"
  fi
  echo "$made"
}

# Starts a private cluster with the given configuration lines and points PGHOST, PGPORT, PGUSER and PGDATABASE at it.
# It is stopped and removed when the script ends.
cluster_start() {
  local base=${TMPDIR:-/tmp}
  bin_dir=$("$pg_config" --bindir)
  PATH=$bin_dir:$PATH
  as_server test -x "$base" || base=/tmp
  cluster_dir=$(server_directory "$base")
  socket_dir=$cluster_dir
  # A socket's path has at most 107 characters.
  if ((${#socket_dir} > 90)); then
    socket_dir=$(server_directory /tmp)
  fi
  logged as_server "$bin_dir/initdb" -D "$cluster_dir/data" -U postgres --auth=trust --no-locale --encoding=UTF8
  {
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$socket_dir'"
    echo 'port = 5432'
    printf '%s\n' "$@"
  } >>"$cluster_dir/data/postgresql.conf"
  server_start
  export PGHOST=$socket_dir PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

# server_start [SETTING=VALUE ...]: settings above those of the configuration, until the server is stopped.
server_start() {
  logged as_server "$bin_dir/pg_ctl" start -w -t 120 -D "$cluster_dir/data" -l "$cluster_dir/log" -o "${*/#/-c }"
}

server_stop() {
  logged as_server "$bin_dir/pg_ctl" stop -m fast -w -t 600 -D "$cluster_dir/data"
}

server_restart() {
  server_stop
  server_start "$@"
}

# Stops the cluster, if there is one, and removes everything it wrote. May be called twice.
cluster_stop() {
  [[ -n $cluster_dir ]] || return 0
  if [[ -f $cluster_dir/data/postmaster.pid ]]; then
    as_server "$bin_dir/pg_ctl" stop -m immediate -w -D "$cluster_dir/data" >/dev/null 2>&1 || true
  fi
  rm -rf -- "$cluster_dir" "$socket_dir"
  cluster_dir=''
}

# psql with bare output, stopping at the first error; what it complains about goes to the log.
sql() {
  psql -X -q -A -t -v ON_ERROR_STOP=1 "$@" 2>>"$log_file"
}

# Memory of the machine in MB.
memory_mb() {
  awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo
}

# The flights that there are: all of them beside the repository, or else its own sample.
flights_file() {
  local all=$root/../shared/data/flights.csv.xz
  if [[ -r $all ]]; then echo "$all"; else echo "$root/bench/data/flights-sample.csv.xz"; fi
}
