# shellcheck shell=bash disable=SC2154
#
# The servers that test/run tests on: PostgreSQL built from its own source package, with assertions.
# To be sourced after bench/lib.sh.
#
# Debian's server has no assertions, and the access method API states many of its rules by assertions only. So the
# source package of the same major version is built, once for each flavour:
#
#   cassert     --enable-cassert, lightly optimized
#   valgrind    the same, and it tells Valgrind about its memory contexts (USE_VALGRIND)
#
# A finished one is kept in $OMENDB_CACHE, by default in /var/cache/omendb if root runs the tests, whose home the
# server's user must not enter, and else in ${XDG_CACHE_HOME:-~/.cache}/omendb. A cached server is never changed: each
# run copies it and installs the extension into its own copy. PostgreSQL finds its files relative to its programs.
#
# If $PG_CONFIG names a server that has assertions, this one is the test server, and the extension is installed there.

# bench/lib.sh made it for the caller alone; the server's user must get at the copies in it.
chmod 711 "$scratch_dir"

packages_server=(bison bzip2 flex zlib1g-dev)
server_contrib=(amcheck pageinspect pg_buffercache pg_prewarm pg_visibility pg_walinspect pgstattuple)
# PostgreSQL's own regression tests, and the libraries that they load, come along in share/regress.
server_regress=(src/test/regress/{sql,expected,data,parallel_schedule,regress.so} contrib/spi/{autoinc,refint}.so)
server_configure=(--enable-cassert --enable-debug --enable-tap-tests --without-readline --without-icu)

# What is wanted of the test server: its flavour, a name for this run's copy of it, arguments for the `make` that builds
# the extension. A step that wants another one says so before it calls others.
test_server=(cassert cassert)

# Has the rest of the step use the test server, with a test build of the extension in it.
use_test_server() {
  local flavour=${test_server[0]} name=${test_server[1]} copy=''
  if [[ $name != cassert || $postgresql_from_debian == yes ]] || ! has_assertions "$pg_config"; then
    copy=$scratch_dir/server-$name
  fi
  if [[ ! -e $scratch_dir/$name.ready ]]; then
    if [[ -n $copy ]]; then
      cached_server "$flavour"
      rm -rf -- "$copy"
      cp -a "$cached_prefix" "$copy"
      pg_config=$copy/bin/pg_config
    fi
    install_test_build "$name" "${test_server[@]:2}"
    touch "$scratch_dir/$name.ready"
  fi
  [[ -z $copy ]] || pg_config=$copy/bin/pg_config
}

has_assertions() {
  [[ $("$1" --configure) == *--enable-cassert* ]]
}

# Builds the extension with the hooks of the tests and installs it into the server of $pg_config. The objects of the
# ordinary build stay; those of this one are kept in $scratch_dir/build-NAME, where gcov wants them.
install_test_build() {
  local dir=$scratch_dir/build-$1
  rm -rf -- "$dir"
  copy_sources "$dir"
  logged make -C "$dir" -j"$(nproc)" PG_CONFIG="$pg_config" OMENDB_TEST=1 "${@:2}" all
  logged make -C "$dir" PG_CONFIG="$pg_config" OMENDB_TEST=1 "${@:2}" install
}

# What it takes to build the extension, without anything that was built.
copy_sources() {
  mkdir "$1"
  cp -r "$root"/{Makefile,omendb.control,README.md,sql,src} "$1"
  find "$1" -name '*.o' -delete
}

# ---- The cache ----

# Sets cached_prefix to the cached server of the flavour, which is built if there is none yet. The name says which
# version was asked for (a server that is upgraded gets a new one) and how it was built.
cached_server() {
  local version cflags='-O1 -g -fno-omit-frame-pointer' cache=${OMENDB_CACHE:-} key lock
  [[ $1 == cassert ]] || cflags+=' -DUSE_VALGRIND'
  if [[ -z $cache ]]; then
    if [[ $EUID -eq 0 ]]; then cache=/var/cache/omendb; else cache=${XDG_CACHE_HOME:-$HOME/.cache}/omendb; fi
  fi
  version=$("$pg_config" --version | sed -E 's/^PostgreSQL ([^ ]+).*/\1/')
  key=$(cksum <<<"${server_configure[*]} ${server_contrib[*]} ${server_regress[*]} $cflags" | cut -d ' ' -f 1)
  cached_prefix=$cache/postgresql-$version-$1-$key
  [[ ! -d $cached_prefix ]] || return 0
  mkdir -p "$cache"
  as_server test -x "$cache" || die "the server's user cannot enter $cache; set OMENDB_CACHE"
  # One builds, others wait for it.
  exec {lock}>"$cache/lock"
  flock "$lock"
  if [[ ! -d $cached_prefix ]]; then
    rm -rf -- "$cache"/unfinished.*
    build_server "$version" "$cflags" "$cache"
  fi
  exec {lock}>&-
}

# Builds and installs $cached_prefix, which appears at once and complete.
build_server() {
  local source=$scratch_dir/postgresql directory module staging
  need_packages "${packages_build[@]}" "${packages_test[@]}" "${packages_server[@]}" >>"$log_file"
  mkdir -p "$source"
  fetch_source "$1" "$source"
  directory=$(echo "$source"/postgresql-*/)
  (cd "$directory" && logged ./configure --prefix="$cached_prefix" "${server_configure[@]}" CFLAGS="$2")
  logged make -C "$directory" -j"$(nproc)"
  staging=$(mktemp -d "$3/unfinished.XXXXXX")
  logged make -C "$directory" DESTDIR="$staging" install
  for module in "${server_contrib[@]}"; do
    logged make -C "$directory/contrib/$module" -j"$(nproc)" DESTDIR="$staging" install
  done
  # As they are made for the tests.
  logged make -C "$directory/contrib/spi" -j"$(nproc)" PG_CPPFLAGS=-DREFINT_VERBOSE
  mkdir "$staging$cached_prefix/share/regress"
  cp -r "${server_regress[@]/#/$directory/}" "$staging$cached_prefix/share/regress"
  cp "$directory/src/tools/valgrind.supp" "$staging$cached_prefix/share"
  chmod -R a+rX "$staging"
  mv "$staging$cached_prefix" "$cached_prefix"
  rm -rf -- "$staging" "$source"
}

# ---- The source package ----

# Unpacks PostgreSQL's source into a directory: the given version if it can be fetched, or else the next best of the
# same major version, by preference an older one. The package manager does it, from where it gets the binary packages;
# that it be asked for sources is said in configuration of its own, so the system's stays as it is.
#   fetch_source 15.N DIRECTORY
fetch_source() {
  local version candidates package=postgresql-${1%%.*} apt=$scratch_dir/apt
  command -v apt-get >/dev/null || die 'no apt-get here: set PG_CONFIG to a PostgreSQL with --enable-cassert'
  source_lists "$apt"
  # Not every binary archive has sources; what can be read is looked at below.
  logged private_apt apt-get update || true
  candidates=$(private_apt apt-cache showsrc "$package" 2>>"$log_file" | sed -n 's/^Version: //p' | sort -Vru)
  for version in $(versions_by_preference "$1" "$candidates"); do
    if (cd "$2" && logged private_apt apt-get source --download-only --only-source "$package=$version"); then
      tar -C "$2" -xf "$2/${package}_"*.orig.tar.*
      rm -rf -- "$apt"
      return
    fi
    rm -f -- "$2"/*
  done
  die "no source of $package can be fetched: set PG_CONFIG to a PostgreSQL with --enable-cassert"
}

# Prints the candidates, newest first, with those that are newer than the version wanted at the end.
versions_by_preference() {
  local version newer=()
  for version in $2; do
    if dpkg --compare-versions "$version" gt "$1-~~" && [[ $version != "$1-"* ]]; then
      newer=("$version" "${newer[@]}")
    else
      echo "$version"
    fi
  done
  ((${#newer[@]} == 0)) || printf '%s\n' "${newer[@]}"
}

# The system's package sources, as sources of source packages, in $1/parts.
source_lists() {
  local etc list parts file
  mkdir -p "$1"/{parts,lists/partial,cache/archives/partial}
  eval "$(apt-config shell etc Dir::Etc/d list Dir::Etc::sourcelist parts Dir::Etc::sourceparts)"
  etc=${etc%/}/
  [[ $list == /* ]] || list=$etc$list
  [[ $parts == /* ]] || parts=$etc$parts
  for file in "$list" "$parts"/*.list "$parts"/*.sources; do
    [[ -f $file ]] || continue
    case $file in
      *.sources) sed -E 's/^Types:.*/Types: deb-src/I' "$file" ;;
      *) sed -nE 's/^[[:space:]]*deb(-src)?[[:space:]]/deb-src /p' "$file" | sort -u ;;
    esac >"$1/parts/${file##*/}"
  done
}

private_apt() {
  "$1" -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$scratch_dir/apt/parts" \
    -o Dir::State::lists="$scratch_dir/apt/lists" -o Dir::Cache="$scratch_dir/apt/cache" \
    -o APT::Sandbox::User=root "${@:2}"
}
