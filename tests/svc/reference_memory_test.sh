#!/usr/bin/env bash
# The joinservice as it ships, with reference values that must be signed: what it took outlives it, from inside its sandbox.
# Started again with an older version it refuses, with a newer one it remembers that, with a damaged memory it does not start.
set -euo pipefail
cd "$(dirname "$0")/../.."
cstl=$(realpath "${CSTL:-build/release/cstl}")
programs=$(realpath "${CSTL_PROGRAMS:-build/release}")
joinservice=$(realpath "${CSTL_JOINSERVICE:-$programs/cstl-joinservice}")
tmp=$(mktemp -d /tmp/cstl-memory-XXXXXX)
chmod 755 "$tmp"
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$tmp"
}
trap finish EXIT
cd "$tmp"
die() { echo "$*"; tail -n 5 ./*.log; exit 1; }

mkdir state ca store store/nodes
printf '%s\n' "statedir = $tmp/ca" "signingkey = $tmp/ca/signkey.pem" "issuercert = $tmp/ca/issuercert.pem" \
  "certserial = $tmp/ca/certserial" >localca.conf
: >options
printf '%s\n' "create_certs_tool = swtpm_localca" "create_certs_tool_config = $tmp/localca.conf" \
  "create_certs_tool_options = $tmp/options" >setup.conf
swtpm_setup --tpm2 --tpmstate "$tmp/state" --config setup.conf --create-ek-cert --pcr-banks sha256 >tpm.log 2>&1 ||
  die "swtpm_setup failed"
swtpm socket --tpm2 --tpmstate "dir=$tmp/state" --server "type=unixio,path=$tmp/tpm" \
  --ctrl "type=unixio,path=$tmp/tpm.ctrl" --flags startup-clear >>tpm.log 2>&1 &
pids+=($!)
for _ in $(seq 100); do [ -S tpm.ctrl ] && break; sleep 0.1; done
"$programs/cstl-attester" --variant qemu-vtpm --tpm "unix:$tmp/tpm" --event-log '' --socket "$tmp/attester.sock" \
  2>attester.log &
pids+=($!)

openssl ecparam -name prime256v1 -genkey -noout -out owner.pem
openssl ec -in owner.pem -pubout -outform DER 2>/dev/null | tail -c 65 >store/owner.key
"$cstl" reference keygen --out signer >/dev/null
"$cstl" reference trust --name prod --signer signer.pub --out trust.json >/dev/null
/usr/bin/python3 - <<'PY'
import json
json.dump({"version": "v2.25.0", "ref": "-", "stream": "stable", "list": [{"csp": "QEMU", "attestationVariant": "qemu-vtpm",
  "measurements": {"4": {"expected": f"{4:064x}", "warnOnly": False}}}]}, open("m.json", "w"))
PY
publish() { # VERSION
  "$cstl" reference import --allow-unendorsed-ak --id prod --name prod --version "$1" --expires-days 30 \
    --out store/reference-values.json m.json >/dev/null
  rm -f store/*.sig
  "$cstl" reference sign --key signer.key store/reference-values.json >/dev/null
  chown -R 901:901 store
}
port=$((20000 + RANDOM % 20000))
start() { # PATTERN: a line of its log, within 20 seconds
  local n
  port=$((port + 1))
  : >service.log
  "$joinservice" --store "$tmp/store" --salt "$(printf '%064d' 0)" --listen "127.0.0.1:$port" \
    --keyservice "$tmp/none.sock" --attester "$tmp/attester.sock" --reference-trust "$tmp/trust.json" 2>service.log &
  local pid=$!
  for ((n = 0; n < 200; n++)); do
    grep -qE "$1" service.log && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  grep -qE "$1" service.log || die "no line matches $1"
  [ -z "${2:-}" ] || "$2"
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}
seen() { grep -q "\"version\": $1\$" store/reference-seen.json || die "not $1: $(cat store/reference-seen.json)"; }

publish 2
start service.ready
seen 2
[ "$(stat -c '%u %a' store/reference-seen.json)" = '901 600' ] || die "the memory is not the service's alone"
publish 1
start 'references.bad .*code=reference_rollback'
seen 2
publish 3
start service.ready
seen 3

# A new version while it runs.
newer() {
  publish 5
  for _ in $(seq 100); do grep -q references.loaded service.log && break; sleep 0.1; done
  grep -q references.loaded service.log || die "version 5 was not taken"
}
start service.ready newer
seen 5
publish 4
start 'references.bad .*code=reference_rollback'

# Not an empty one, and not silently.
cp store/reference-seen.json good.json
for damage in '' '{}' '{"cstl": "reference-seen/1"'; do
  printf '%s' "$damage" >store/reference-seen.json
  start 'references.bad .*code=config_malformed'
done
cp good.json store/reference-seen.json
publish 6
start service.ready
seen 6
echo "what was seen outlives the joinservice"
