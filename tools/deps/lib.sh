# shellcheck shell=bash
# Sourced by build.sh, image.sh and evidence.sh: the cache, locks, and a
# private apt that fetches from Debian suites other than the machine's own.
#
# Guarantees: nothing outside the cache is written; the machine's apt
# configuration is read and never changed; every package index is checked
# against Debian's archive keyring by apt, every file against that index by
# apt, and against deps.lock by us.

set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022

DEPS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CSTL_CACHE=${CSTL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cstl}
LOCK_FILE=$DEPS_DIR/deps.lock

say() { printf 'deps: %s\n' "$*" >&2; }
die() { printf 'deps: error: %s\n' "$*" >&2; exit 1; }

# hash_of FILE... [-- WORD...]: 16 hex digits that name a cache entry.
hash_of() {
  local files=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do files+=("$1"); shift; done
  [ $# -gt 0 ] && shift
  { [ ${#files[@]} -eq 0 ] || cat -- "${files[@]}"; printf '%s\0' "$@"; } | sha256sum | cut -c1-16
}

sha256() { sha256sum -- "$1" | cut -d' ' -f1; }

# lock_lines SET: the lines of deps.lock that belong to SET, without the set's name.
lock_lines() { awk -v s="$1" '$1 == s { $1 = ""; sub(/^ /, ""); print }' "$LOCK_FILE"; }

# ready SET PREFIX: reports a finished prefix, and what in it is not the first choice
# of deps.lock, which CSTL_DEPS_STRICT refuses.
ready() {
  local other
  other=$(grep "^$1 " "$2/used.lock" | grep -vxFf <(awk '!seen[$1, $2]++' "$LOCK_FILE")) || other=''
  if [ -n "$other" ]; then
    say "NOTICE: not the pinned version:"
    printf '  %s\n' "$other" >&2
    [ -z "${CSTL_DEPS_STRICT:-}" ] || die "CSTL_DEPS_STRICT is set, and $2 holds the above: make the pins available, or move them"
  fi
  say "$1: ready in $2"
}

# hold NAME: takes the named lock until this process ends. A killed holder
# loses it with its last descriptor, so a lock is never stale.
hold() {
  mkdir -p "$CSTL_CACHE/locks"
  exec {LOCK_FD}>"$CSTL_CACHE/locks/$1"
  if ! flock -n "$LOCK_FD"; then
    say "$1: waiting for another run to finish"
    flock -w 3600 "$LOCK_FD" || die "$1: another run held the lock for an hour; end it and try again"
  fi
}

# scratch NAME: an empty folder for the holder of lock NAME; what a killed
# run left behind goes first. Removed when this process ends.
scratch() {
  SCRATCH=$CSTL_CACHE/tmp/$1
  rm -rf -- "$SCRATCH"
  mkdir -p "$SCRATCH"
  trap 'rm -rf -- "$SCRATCH"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# mirror: "URI KEYRING" of the Debian mirror that this machine's own apt uses.
mirror() {
  local codename uri key
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  uri=${CSTL_DEBIAN_MIRROR:-}
  if [ -z "$uri" ]; then
    # shellcheck disable=SC2016  # apt expands these
    uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
      awk -v r="$codename" '$2 == r && $3 == "main" { print $1; exit }')
  fi
  [ -n "$uri" ] || die "apt on this machine has no source for Debian $codename main; set CSTL_DEBIAN_MIRROR to a mirror's URI"
  key=${CSTL_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
  [ -r "$key" ] || die "$key is missing: install debian-archive-keyring"
  printf '%s %s\n' "$uri" "$key"
}

# use_apt SUITE TYPE: points private_apt at SUITE, with TYPE deb or deb-src.
use_apt() {
  local from dir=$CSTL_CACHE/apt/$1-$2
  APT_DIR=$dir
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  from=$(mirror) || exit 1
  printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
    "$2" "${from% *}" "$1" "${from##* }" >"$dir/debian.sources"
  : >"$dir/status"
  # Only the network settings of the machine's apt.conf.d stay in force.
  # The download user _apt cannot enter a private cache, hence no sandbox user.
  APT_OPT=(
    -o "Dir::Etc::sourcelist=$dir/debian.sources" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
    -o Dir::Etc::trusted=/dev/null -o Dir::Etc::trustedparts=/dev/null
    -o "Dir::State=$dir" -o "Dir::State::lists=$dir/lists" -o "Dir::State::status=$dir/status"
    -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root
    -o Acquire::AllowInsecureRepositories=false -o Acquire::AllowWeakRepositories=false
    -o Acquire::AllowDowngradeToInsecureRepositories=false -o APT::Get::AllowUnauthenticated=false
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled=false
    -o Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled=false
    -o Acquire::IndexTargets::deb::DEP-11-icons-hidpi::DefaultEnabled=false
    -o Acquire::IndexTargets::deb::DEP-11-icons-large::DefaultEnabled=false
    -o Acquire::IndexTargets::deb::DEP-11-icons-large-hidpi::DefaultEnabled=false
  )
  APT_NAME="$1 $2"
  [ -e "$dir/updated" ] || refresh_apt
}

# refresh_apt: fetches the index of the current private apt, at most once a run. A
# mirror that lags serves an index past its Valid-Until: its signature still
# counts, and what is taken from it must be a pin of deps.lock or newer.
refresh_apt() {
  case " ${APT_FRESH:-} " in *" ${APT_NAME// /-} "*) return 1 ;; esac
  APT_FRESH="${APT_FRESH:-} ${APT_NAME// /-}"
  say "index of $APT_NAME: fetching"
  if ! apt-get "${APT_OPT[@]}" -qq update >"$APT_DIR/update.log" 2>&1; then
    if [ "${CSTL_DEPS_STRICT:-}" != 1 ] && grep -q 'is expired' "$APT_DIR/update.log" &&
      apt-get "${APT_OPT[@]}" -o Acquire::Check-Valid-Until=false -qq update >"$APT_DIR/update.log" 2>&1; then
      say "NOTICE: the mirror's index of $APT_NAME is past its date; its signature is good, so it is used"
    else
      cat "$APT_DIR/update.log" >&2
      die "apt could not fetch or verify the index of $APT_NAME (above). Check the network; if a signature failed, install a newer debian-archive-keyring"
    fi
  fi
  touch "$APT_DIR/updated"
}

# upstream VERSION: the version without epoch and Debian revision.
upstream() { local v=${1#*:}; printf '%s\n' "${v%-*}"; }

# in_series VERSION SERIES: is VERSION from the upstream series SERIES, as in "3.6"?
in_series() {
  local u; u=$(upstream "$1")
  case $u in "$2" | "$2".* | "$2"+* | "$2"~*) return 0 ;; *) return 1 ;; esac
}

# newest: the highest Debian version of "VERSION REST" lines.
newest() {
  local best='' v rest line=''
  while read -r v rest; do
    if [ -z "$best" ] || dpkg --compare-versions "$v" gt "$best"; then best=$v line="$v $rest"; fi
  done
  [ -n "$best" ] && printf '%s\n' "$line"
}

# candidates TYPE NAME: "VERSION NAME" of what the index offers. NAME may be
# a glob, for packages that carry their version in their name.
candidates() {
  local n
  if [ "$1" = deb-src ]; then
    apt-cache "${APT_OPT[@]}" showsrc --only-source "$2" 2>/dev/null | awk -v n="$2" '/^Version:/ { print $2, n }'
    return
  fi
  apt-cache "${APT_OPT[@]}" pkgnames "${2%%[*?]*}" | while read -r n; do
    # shellcheck disable=SC2053  # a glob is meant
    [[ $n == $2 ]] || continue
    apt-cache "${APT_OPT[@]}" show "$n" | awk -v n="$n" '/^Version:/ { print $2, n }'
  done
}

# fetch TYPE NAME SUITE SERIES VERSION SHA256: brings the package into the pool
# and sets FETCHED (its folder), FETCHED_FILE (the .deb or the .orig tarball), and
# USED (what it really is, as a line of deps.lock without the set's name).
# Fails, with a message, if nothing fitting can be had. TARBALL_ONLY, if set, leaves out what Debian adds to a
# source: a mirror may have dropped that.
# The pinned version comes from the cache if it is there, else from the suite;
# if the suite has moved on within the same series, that is taken and said.
fetch() {
  local type=$1 name=$2 suite=$3 series=$4 version=$5 want=$6
  local dir gone got found real choice tries
  # shellcheck disable=SC2231,SC2027  # name may be a glob, see candidates
  for dir in "$CSTL_CACHE/pool/$suite/"$name"_${version//:/%3a}"; do
    [ -e "$dir/complete" ] || continue
    FETCHED=$dir
    FETCHED_FILE=$(package_file "$type" "$dir")
    [ "$(sha256 "$FETCHED_FILE")" = "$want" ] || die "$FETCHED_FILE: SHA-256 does not match deps.lock. If the pin is right, the file changed since it was fetched: remove $dir and run again"
    USED="$name $suite $series $version $want"
    return
  done
  # What the mirror refused is not asked for again within a day.
  gone=$CSTL_CACHE/pool/$suite/${name//\*/_}_${version//:/%3a}.gone
  if [ -z "${CSTL_DEPS_STRICT:-}" ] && [ -n "$(find "$gone" -mtime -1 2>/dev/null)" ]; then
    say "$name $version: $suite did not have it within the last day (remove $gone to try again)"
    return 1
  fi
  use_apt "$suite" "$type"
  for tries in 1 2; do
    choice=$(candidates "$type" "$name" | awk -v v="$version" '$1 == v' | newest) ||
      choice=$(candidates "$type" "$name" | while read -r found real; do
        if in_series "$found" "$series" && dpkg --compare-versions "$found" ge "$version"; then printf '%s %s\n' "$found" "$real"; fi
      done | newest) || choice=''
    if [ -n "$choice" ] && download "$type" "$choice" "$suite"; then break; fi
    if [ "$tries" = 2 ] || ! refresh_apt; then
      say "error: $name: $suite offers no version of series $series that can be fetched (pinned: $version; the index says: ${choice:-nothing}). If the mirror is in the middle of an update, try again later; else move the pin in deps.lock"
      mkdir -p "${gone%/*}"
      touch "$gone"
      return 1
    fi
  done
  read -r found real <<<"$choice"
  got=$(sha256 "$FETCHED_FILE")
  rm -f -- "$gone"
  if [ "$found" = "$version" ]; then
    [ "$got" = "$want" ] || {
      rm -rf -- "$FETCHED"
      die "$name $version: SHA-256 is $got, deps.lock says $want. The archive's signature was good, so the pin is wrong or the archive replaced a file: find out which before you change the pin"
    }
  elif [ "$(upstream "$found")" = "$(upstream "$version")" ] && [ "$got" = "$want" ]; then
    say "NOTICE: $name: $suite now has $found instead of $version: same upstream tarball, other Debian revision"
  elif [ -n "${CSTL_DEPS_STRICT:-}" ]; then
    die "$name: $version is gone from $suite, $found is there, and CSTL_DEPS_STRICT is set: move the pin in deps.lock"
  else
    say "NOTICE: $name: $version is gone from $suite; using $found, verified by Debian's signature only. Move the pin: SHA-256 $got"
  fi
  # shellcheck disable=SC2034  # for the caller
  USED="$name $suite $series $found $got"
}

package_file() {
  local f
  for f in "$2"/*; do
    case "$1 ${f##*/}" in
      "deb "*.deb | "deb-src "*.orig.tar.*[!c]) printf '%s\n' "$f"; return ;;
    esac
  done
  die "$2 holds no package: remove it and run again"
}

# download TYPE "VERSION NAME" SUITE
download() {
  local version=${2%% *} name=${2#* } part dir
  dir=$CSTL_CACHE/pool/$3/${name}_${version//:/%3a}
  if [ ! -e "$dir/complete" ]; then
    part=$CSTL_CACHE/tmp/fetch  # ours alone: the caller holds the lock "apt"
    rm -rf -- "$part" "$dir"
    mkdir -p "$part" "${dir%/*}"
    say "$name $version: fetching from $3"
    local verb=(download)
    [ "$1" = deb-src ] && verb=(source --download-only ${TARBALL_ONLY:+--tar-only})
    if ! (cd "$part" && apt-get "${APT_OPT[@]}" -qq "${verb[@]}" "$name=$version") >"$APT_DIR/fetch.log" 2>&1; then
      grep -E '^[EW]:' "$APT_DIR/fetch.log" >&2 || cat "$APT_DIR/fetch.log" >&2
      rm -rf -- "$part"
      return 1
    fi
    touch "$part/complete"
    mv -T -- "$part" "$dir"
  fi
  FETCHED=$dir
  FETCHED_FILE=$(package_file "$1" "$dir")
}
