#!/usr/bin/env bash
# One name, several places: fails on a missing partner, on an orphan, on a file that the build does not list, on an
# include against the direction of the layers, and on scripts that shellcheck objects to.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
status=0
complain() { echo "layout: $*"; status=1; }

# Fuzz target ↔ corpus ↔ floor.
for target in fuzz/*.cc; do
  name=$(basename "$target" .cc)
  [ -n "$(ls "fuzz/corpus/$name" 2>/dev/null)" ] || complain "$target has no seeds in fuzz/corpus/$name"
  grep -q "^$name [0-9]" fuzz/floors || complain "$target has no floor in fuzz/floors"
  [ "$(wc -l <"$target")" -le 60 ] || complain "$target is longer than a fuzz target should be"
done
for corpus in fuzz/corpus/*/ fuzz/regress/*/; do
  [ -d "$corpus" ] || continue
  [ -e "fuzz/$(basename "$corpus").cc" ] || complain "$corpus has no target"
done
while read -r name _; do
  [ -e "fuzz/$name.cc" ] || complain "fuzz/floors names $name, which is no target"
done < <(grep -v '^#' fuzz/floors)

# Message module ↔ its table in the docs.
for header in svc/wire/*.h; do
  name=$(basename "$header" .h)
  [ "$name" = secret_field ] || [ -e "docs/wire/$name.md" ] || complain "$header has no docs/wire/$name.md"
done
for page in docs/wire/*.md; do
  name=$(basename "$page" .md)
  [ -e "svc/wire/$name.h" ] || [ -e "attest/atls/$name.h" ] || [ -e "attest/$name.h" ] || [ "$name" = atls ] ||
    complain "$page describes nothing"
done

# Program ↔ size budget.
for main in $(git ls-files -co --exclude-standard '*main.cc' | grep -v '^tests/'); do
  folder=$(basename "$(dirname "$main")")
  case $folder in
    cstl) budget=cstl ;;
    initrd) budget=cstl-init ;;
    policyc) continue ;; # runs at build time only
    *) budget=cstl-$folder ;;
  esac
  [ -e "policy/size/$budget.budget" ] || complain "$main has no budget in policy/size"
done

# Every source file is in the build.
while read -r file; do
  grep -qE "(^|[ /(])${file//./\\.}([ )]|$)" CMakeLists.txt || case $file in
    fuzz/*) grep -q "cstl_fuzz($(basename "$file" .cc)[ )]" CMakeLists.txt || complain "$file is not in CMakeLists.txt" ;;
    tests/main.cc) ;;
    *) complain "$file is not in CMakeLists.txt" ;;
  esac
done < <(git ls-files -co --exclude-standard '*.cc')

# Includes point one way: crypto/base → crypto → attest → svc/wire → svc, boot, initrd, tools.
forbid() { # files, pattern
  local found
  found=$(git ls-files -co --exclude-standard "$1" | xargs grep -lE "#include \"($2)" 2>/dev/null)
  [ -z "$found" ] || complain "includes against the layers: $found"
}
forbid 'crypto/base/*' 'crypto/[a-z0-9_]+\.h|attest|svc|boot|initrd|tools'
forbid 'crypto/*' 'attest|svc|boot|initrd|tools'
forbid 'attest/*' 'svc|boot|initrd|tools'
forbid 'svc/wire/*' 'svc/(run|joinservice|keyservice|verificationservice)|boot|initrd|tools'
forbid 'svc/*' 'boot|initrd|tools'
forbid 'boot/*' 'initrd|tools'
forbid 'initrd/*' 'tools'

# Libraries that only one folder may use.
for rule in 'libcryptsetup.h:initrd/' 'tss2/:attest/tpm/' 'mbedtls/:crypto/'; do
  found=$(git ls-files -co --exclude-standard '*.cc' '*.h' | grep -v "^${rule#*:}" | grep -v '^tests/' |
    xargs grep -lE "#include <${rule%%:*}" 2>/dev/null)
  [ -z "$found" ] || complain "${rule%%:*} is used outside ${rule#*:}: $found"
done

# Words that name nothing.
found=$(git ls-files -co --exclude-standard | grep -E '(^|/)(util|utils|common|misc|manager|helper)s?(\.|/|$)')
[ -z "$found" ] || complain "names that say nothing: $found"

git ls-files -co --exclude-standard -z | xargs -0 grep -IlE '^#!.*\b(ba)?sh\b' | xargs shellcheck -x -S warning -e SC2054,SC2034 || complain shellcheck
exit $status
