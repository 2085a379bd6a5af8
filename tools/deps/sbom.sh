#!/usr/bin/env bash
# Writes an SPDX 2.3 document (JSON, to standard output) that lists what is linked
# into cstl's programs: the libraries of the deps prefix and what the compiler adds.
# The same commit and prefix give the same bytes.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ $# -eq 0 ] || die "usage: sbom.sh >FILE"
prefix=$("$DEPS_DIR/build.sh" --print-prefix)
[ -e "$prefix/used.lock" ] || die "$prefix is not built: run tools/deps/build.sh"
repo=$(cd "$DEPS_DIR/../.." && pwd)
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$repo" log -1 --format=%ct)}

# What each package declares for the part that is linked.
declare -A LICENSE=(
  [mbedtls]='Apache-2.0 OR GPL-2.0-or-later'
  [tpm2-tss]='BSD-2-Clause'
  [lvm2]='LGPL-2.1-only'
  [cryptsetup]='LGPL-2.1-or-later AND (CC0-1.0 OR Apache-2.0)'
  [curl]='curl'
  [c-ares]='MIT'
  [libarchive]='BSD-2-Clause'
  [libmicrohttpd]='LGPL-2.1-or-later'
  [zlib]='Zlib'
  [rust-aws-lc-sys]='Apache-2.0 AND (Apache-2.0 OR ISC) AND (Apache-2.0 OR ISC OR MIT-0) AND MIT'
  [uuid-dev]='BSD-3-Clause'
  [libblkid-dev]='LGPL-2.1-or-later'
  [libjson-c-dev]='MIT'
  [libseccomp-dev]='LGPL-2.1-only'
  [libyaml-dev]='MIT'
  [nlohmann-json3-dev]='MIT'
  [libc6-dev]='LGPL-2.1-or-later'
  [gcc]='GPL-3.0-or-later WITH GCC-exception-3.1'
)

packages='' relations='' sep=''
# package NAME VERSION PURL SUM WHAT-WAS-SUMMED LICENSE
package() {
  local id="SPDXRef-${1//[^A-Za-z0-9.-]/-}" sum=''
  [ -z "$4" ] || sum=$(printf '\n      "checksums": [{ "algorithm": "SHA256", "checksumValue": "%s" }],\n      "comment": "checksum of %s",' "$4" "$5")
  packages+=$(printf '%s\n    {\n      "SPDXID": "%s",\n      "name": "%s",\n      "versionInfo": "%s",\n      "supplier": "Organization: Debian",\n      "downloadLocation": "NOASSERTION",\n      "filesAnalyzed": false,%s\n      "licenseConcluded": "NOASSERTION",\n      "licenseDeclared": "%s",\n      "copyrightText": "NOASSERTION",\n      "externalRefs": [{ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "%s" }]\n    }' \
    "$sep" "$id" "$1" "$2" "$sum" "$6" "$3")
  relations+=$(printf '%s\n    { "spdxElementId": "SPDXRef-cstl", "relationshipType": "STATIC_LINK", "relatedSpdxElement": "%s" }' "$sep" "$id")
  sep=,
}
purl_version() { printf '%s' "${1//:/%3A}" | sed 's/+/%2B/g'; }
host_package() {  # PACKAGE FILE-SUM FILE LICENSE-KEY
  local version
  version=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null) || die "$1 is not installed: run tools/deps/install.sh"
  package "$1" "$version" "pkg:deb/debian/$1@$(purl_version "$version")?distro=bookworm" "$2" "$3" "${LICENSE[$4]}"
}

while read -r kind name suite _ version sum; do
  case $kind in
    lib)
      what='the upstream tarball'
      patches=$DEPS_DIR/patches/$name-$(upstream "$version")
      [ ! -d "$patches" ] || what+=", built with ${patches#"$repo/"}"
      package "$name" "$version" "pkg:deb/debian/$name@$(purl_version "$version")?arch=source&distro=$suite" \
        "$sum" "$what" "${LICENSE[$name]:-NOASSERTION}" ;;
    host) host_package "$name" "$sum" 'the static library' "$name" ;;
  esac
done <"$prefix/used.lock"
gcc_major=$(gcc -dumpversion)
host_package nlohmann-json3-dev '' '' nlohmann-json3-dev
host_package libc6-dev '' '' libc6-dev
host_package "libstdc++-${gcc_major%%.*}-dev" '' '' gcc
host_package "libgcc-${gcc_major%%.*}-dev" '' '' gcc

cat <<EOF
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "cstl",
  "documentNamespace": "https://spdx.org/spdxdocs/cstl-$(printf '%s\n%s\n' "$epoch" "$packages" | sha256sum | cut -c1-32)",
  "creationInfo": {
    "created": "$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)",
    "creators": ["Tool: cstl-tools-deps-sbom"]
  },
  "packages": [
    {
      "SPDXID": "SPDXRef-cstl",
      "name": "cstl",
      "downloadLocation": "NOASSERTION",
      "filesAnalyzed": false,
      "licenseConcluded": "NOASSERTION",
      "licenseDeclared": "NOASSERTION",
      "copyrightText": "NOASSERTION"
    },$packages
  ],
  "relationships": [
    { "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-cstl" },$relations
  ]
}
EOF
