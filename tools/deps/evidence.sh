#!/usr/bin/env bash
# Fetches real attestation evidence and test vectors that others publish, and independent verifiers in Go with
# what they import, from Debian, and unpacks them into the cache for tests to read and to build.
# "--print-prefix" prints where. go.sh makes the compiler and says how to build.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$DEPS_DIR/unpack.sh"

# Debian's packages leave out the vendors' certificates that the verifiers embed: they come from the upstream
# tarballs (the set "evidence-source" of deps.lock). Nothing that a package brought is replaced. Of packages that are
# mostly something else, only the vectors are taken ("evidence-part"): NIST's PKITS, whose tests Go describes in JSON and
# whose certificates it has, but no lists of revoked ones.
finish_set() {
  local name suite series version sum into part
  while read -r name suite series version sum; do
    TARBALL_ONLY=1 fetch deb-src "$name" "$suite" "$series" "$version" "$sum" || exit 1
    into=usr/share/gocode/src/github.com/google/${name#golang-github-google-}
    [ -d "$into" ] || die "evidence: $into is not in the packages"
    say "${FETCHED_FILE##*/}: adding its certificates"
    tar -xf "$FETCHED_FILE" -C "$into" --strip-components=1 --skip-old-files --wildcards '*.pem'
    printf 'evidence-source %s\n' "$USED" >>used.lock
  done < <(lock_lines evidence-source)
  while read -r name suite series version sum; do
    case $name in
      golang-*-src) part='*/crypto/x509/testdata/nist-pkits/*' ;;
      python3-cryptography-vectors) part='*/x509/PKITS_data/crls/*' ;;
      *) die "evidence: $name: no part is named" ;;
    esac
    fetch deb "$name" "$suite" "$series" "$version" "$sum" || exit 1
    say "${FETCHED_FILE##*/}: unpacking $part"
    dpkg-deb --fsys-tarfile "$FETCHED_FILE" | tar -x --wildcards "$part"
    printf 'evidence-part %s\n' "$USED" >>used.lock
  done < <(lock_lines evidence-part)
}

unpack_set evidence "$@"
