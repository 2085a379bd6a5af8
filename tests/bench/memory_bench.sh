#!/usr/bin/env bash
# Resident memory of each service when it idles: the shipped binaries, a software TPM, nobody connected.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
chmod 755 "$work"
mkdir -p "$work/store/nodes"

tpm() { # name: a software TPM of its own for each service
  mkdir "$work/$1"
  swtpm_setup --tpm2 --tpmstate "$work/$1" --create-ek-cert --pcr-banks sha256 --overwrite >/dev/null
  swtpm socket --tpm2 --tpmstate "dir=$work/$1" --server "type=unixio,path=$work/$1.sock" \
    --ctrl "type=unixio,path=$work/$1.sock.ctrl" --flags not-need-init,startup-clear 2>/dev/null &
  pids+=($!)
}
tpm verification
tpm join
sleep 0.5
head -c 64 /dev/urandom >"$work/master"
openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -outform DER 2>/dev/null | tail -c 65 >"$work/store/owner.key"
build/release/cstl measure --image build/image/cstl.efi --allow-unendorsed-ak --out "$work/store/reference-values.json" >/dev/null
chown 902 "$work/master"
chmod 600 "$work/master"
chown -R 901 "$work/store"

show() { # program, arguments…
  local name=$1
  shift
  "build/release/$name" "$@" 2>"$work/$name.log" &
  local pid=$!
  for _ in $(seq 100); do
    grep -q service.ready "$work/$name.log" && break
    sleep 0.1
  done
  grep -q service.ready "$work/$name.log" || { cat "$work/$name.log" >&2; return 1; }
  awk -v name="$name" '/^VmRSS/ { rss = $2 } /^RssAnon/ { anon = $2 } /^RssFile/ { file = $2 }
    END { printf "  %-26s %6d KiB resident (%d anonymous, %d of the program file)\n", name, rss, anon, file }' "/proc/$pid/status"
  pids+=("$pid")
}

echo "idle resident memory:"
show cstl-keyservice --master "$work/master" --socket "$work/key.sock"
zero=$(printf '0%.0s' {1..64})
show cstl-verificationservice --cluster-id "$zero" --role worker --name bench --listen 127.0.0.1:19691 \
  --tpm "swtpm:path=$work/verification.sock" --event-log ''
show cstl-joinservice --salt "$zero" --store "$work/store" --keyservice "$work/key.sock" --listen 127.0.0.1:19690 \
  --tpm "swtpm:path=$work/join.sock" --event-log ''
