#!/usr/bin/env bash
# The shipped `cstl` as an operator meets it: help, exit codes, JSON errors, nothing half-written.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
cstl=$PWD/build/release/cstl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

expect() { # exit code, a text that the output must contain, arguments…
  local code=$1 text=$2 seen output
  shift 2
  output=$("$cstl" "$@" 2>&1 </dev/null)
  seen=$?
  if [ "$seen" -ne "$code" ] || ! grep -qF -- "$text" <<<"$output"; then
    printf 'FAIL cstl %s: exit code %d (expected %d), output:\n%s\n' "$*" "$seen" "$code" "$output"
    failures=$((failures + 1))
  fi
}
expect_json_error() { # exit code, error name, arguments…
  local code=$1 name=$2 seen output
  shift 2
  output=$("$cstl" -o json "$@" 2>/dev/null </dev/null)
  seen=$?
  if [ "$seen" -ne "$code" ] || ! python3 -c '
import json, sys
error = json.load(sys.stdin)["error"]
sys.exit(not (error["code"] == sys.argv[1] and error["advice"] and error["what"]))' "$name" <<<"$output"; then
    printf 'FAIL cstl -o json %s: exit code %d (expected %d), output:\n%s\n' "$*" "$seen" "$code" "$output"
    failures=$((failures + 1))
  fi
}

# Help of everything that the overview lists.
expect 2 'Usage: cstl'
expect 0 'Exit codes' --help
for command in 'config generate' 'config cilium' measure init verify status recover mini version; do
  # shellcheck disable=SC2086
  expect 0 "Usage: cstl $command" $command --help
done
expect 0 'protocol 1' version
expect_json_error 2 usage nonsense
expect_json_error 2 usage verify --nonsense
expect 2 'needs a value' -C
expect 2 'text, json or ear' -o yaml version

# Configuration and workspace.
mkdir "$work/a"
expect_json_error 3 workspace -C "$work/a" init
expect_json_error 3 workspace -C "$work/a" mini up
expect 0 'written' -C "$work/a" config generate --name prod
expect 1 'exists' -C "$work/a" config generate
expect 0 'written' -C "$work/a" config generate --force
expect_json_error 2 usage config generate --name 'Bad Name'
expect_json_error 3 config_malformed -C "$work/a" config cilium
expect 0 'written' -C "$work/a" config generate --kubernetes --force
expect_json_error 3 config_malformed -C "$work/a" config cilium
sed -i 's|^  network: wireguard|  network: cilium|; s|^  pod_cidr: .*|  pod_cidr: 172.20.0.0/14|' "$work/a/cstl-conf.yaml"
expect 0 'cidr: 172.20.0.0/14' -C "$work/a" config cilium
expect_json_error 3 workspace -C "$work/a" verify
printf 'cstl: config/1\nname: x\ncolor: red\n' >"$work/a/cstl-conf.yaml"
expect 3 'unknown member: color' -C "$work/a" mini up
expect 0 'missing' -C "$work/a" status

# A read-only place gives a clear error and leaves nothing behind. (Root writes anywhere but into procfs.)
expect 1 '/proc/sys' -C /proc/sys config generate

# Images.
head -c 100000 /dev/urandom >"$work/garbage.efi"
expect_json_error 3 image_malformed measure --image "$work/garbage.efi" --allow-unendorsed-ak --out "$work/none.json"
[ ! -e "$work/none.json" ] || { echo 'FAIL a file was written in spite of the error'; failures=$((failures + 1)); }
expect_json_error 3 workspace measure --image "$work/missing.efi" --allow-unendorsed-ak
expect_json_error 2 usage measure --image "$work/garbage.efi"
expect_json_error 2 usage measure --image "$work/garbage.efi" --allow-unendorsed-ak --role emperor

# Reference values and peers.
printf '{"cstl":"reference-values/1","sets":[]}' >"$work/empty.json"
id=$(printf '0%.0s' {1..64})
expect 3 'reference' verify --endpoint 127.0.0.1:1 --cluster-id "$id" --reference-values "$work/empty.json"
"$cstl" measure --image build/image/cstl.efi --allow-unendorsed-ak --out "$work/good.json" >/dev/null || failures=$((failures + 1))
expect 4 '127.0.0.1:1' verify --endpoint 127.0.0.1:1 --cluster-id "$id" --reference-values "$work/good.json"
expect 2 'cluster-id' verify --endpoint 127.0.0.1:1 --cluster-id 00 --reference-values "$work/good.json"

[ "$failures" -eq 0 ] && echo "the tool answers as documented"
exit $((failures > 0))
