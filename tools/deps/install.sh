#!/usr/bin/env bash
# Installs what packages.txt lists and is missing. Quick when nothing is.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mapfile -t wanted < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$DEPS_DIR/packages.txt")
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u)
mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) <(printf '%s\n' "$installed"))

if [ ${#missing[@]} -eq 0 ]; then say "all ${#wanted[@]} packages are installed"; exit 0; fi
say "missing: ${missing[*]}"
[ "$(id -u)" = 0 ] || die "run as root: apt-get install --no-install-recommends ${missing[*]}"

# Leaves what is installed at its version where dependencies allow.
install() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=600 \
    install --no-install-recommends --no-upgrade "${missing[@]}"
}

# An index that is there may do; fetch a new one only when it does not.
if ! install; then
  say "fetching the package index"
  apt-get -qq -o DPkg::Lock::Timeout=600 update || die "apt-get update failed (above): check the network and /etc/apt"
  install || die "apt-get install failed (above): put the machine's apt in order (apt-get -f install), then run again"
fi
say "installed: ${missing[*]}"
