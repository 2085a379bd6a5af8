#!/usr/bin/env bash
# Signed reference values from the operator's side, checked by other programs: OpenSSL verifies the signatures as
# `cosign verify-blob --key` does, and makes some; Python's and OpenSSL's view of an attestation result (EAR) is compared.
set -euo pipefail
cd "$(dirname "$0")/../.."
cstl=$(realpath "${CSTL:-build/release/cstl}")
evidence=${CSTL_EVIDENCE:-$(tools/deps/evidence.sh --print-prefix)}/usr/share/gocode/src/github.com/google
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
step() { echo "· $*"; }
refuse() {  # CODE COMMAND…: fails with this code's name
  local code=$1 out
  shift
  if out=$("$@" 2>&1); then echo "passed, but should be $code: $*"; exit 1; fi
  grep -q "$code" <<<"$out" || { echo "not $code: $*"; echo "$out"; exit 1; }
}

step "a measurement file of Constellation becomes reference values, and one again"
python3 - <<'PY'
import json
json.dump({"version": "v2.25.0", "ref": "-", "stream": "stable", "list": [{"csp": "QEMU", "attestationVariant": "qemu-vtpm",
  "measurements": {str(i): {"expected": f"{i:064x}", "warnOnly": i in (0, 1)} for i in (0, 1, 4, 9, 15)}}]}, open("m.json", "w"))
PY
make() { "$cstl" reference import --allow-unendorsed-ak --id prod --name prod --version "$1" --expires-days 30 --out r.json m.json >/dev/null; }
make 7
"$cstl" reference export --id prod --image-version v2.25.0 r.json >back.json
python3 - <<'PY'
import json
a, b = json.load(open("m.json")), json.load(open("back.json"))
del a["list"][0]["measurements"]["15"]  # the cluster's
assert a == b, (a, b)
PY

step "two of three sign: cstl, and OpenSSL in cosign's place"
for n in a b; do "$cstl" reference keygen --out $n >/dev/null; done
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out c.key 2>/dev/null
openssl pkey -in c.key -pubout -out c.pub
"$cstl" reference trust --name prod --signer a.pub --signer b.pub --signer c.pub --threshold 2 --out trust.json >/dev/null
id() { openssl pkey -pubin -in "$1" -outform DER | sha256sum | cut -c1-16; }
refuse reference_unsigned "$cstl" reference verify --trust trust.json r.json
"$cstl" reference sign --key a.key r.json >/dev/null
refuse reference_unsigned "$cstl" reference verify --trust trust.json r.json
openssl dgst -sha256 -sign c.key r.json | base64 -w0 >"r.json.$(id c.pub).sig"
"$cstl" reference verify --trust trust.json r.json
base64 -d "r.json.$(id a.pub).sig" >a.der
openssl dgst -sha256 -verify a.pub -signature a.der r.json
[ "$(stat -c %a a.key)" = 600 ]

step "a changed document, and a key's signature under another's name"
cp r.json good.json
sed -i 's/"worker"/"worker" /' r.json
refuse reference_signature "$cstl" reference verify --trust trust.json r.json
cp good.json r.json
cp "r.json.$(id a.pub).sig" "r.json.$(id b.pub).sig"
refuse reference_signature "$cstl" reference verify --trust trust.json r.json
rm "r.json.$(id b.pub).sig"

step "the workspace remembers the newest version"
mkdir w
cat >w/cstl-conf.yaml <<'YAML'
cstl: config/1
name: test
variant: qemu-vtpm
reference_values: ../r.json
reference_trust: ../trust.json
YAML
load() { "$cstl" -C w reference export --id prod "$PWD/r.json"; }
load >/dev/null
grep -q '"version": 7' w/cstl-reference-seen.json
load >/dev/null
sign_both() { "$cstl" reference sign --key a.key r.json >/dev/null; "$cstl" reference sign --key b.key r.json >/dev/null; rm -f "r.json.$(id c.pub).sig"; }
make 8; sign_both
load >/dev/null
grep -q '"version": 8' w/cstl-reference-seen.json
make 7; sign_both
refuse reference_rollback load
grep -q '"version": 8' w/cstl-reference-seen.json
echo '{}' >w/cstl-reference-seen.json
make 8; sign_both
refuse config_malformed load

step "a real SEV-SNP report, offline: text, and an attestation result that OpenSSL verifies"
head -c 1184 "$evidence/go-sev-guest/verify/testdata/attestation.bin" >report.bin
measurement=$(od -An -v -tx1 -j144 -N48 report.bin | tr -d ' \n')
data=$(od -An -v -tx1 -j80 -N64 report.bin | tr -d ' \n')
cat >snp.json <<JSON
{"cstl": "reference-values/1", "sets": [{"id": "snp", "variant": "sev-snp", "not_before": "2020-01-01T00:00:00Z",
 "not_after": "2040-01-01T00:00:00Z", "roles": ["worker"], "snp": {"policy": {"debug": true}, "measurements": ["$measurement"]}}]}
JSON
verify() { "$cstl" "$@" verify --reference-values snp.json --evidence report.bin --certificates "$evidence/go-sev-guest/verify/testdata/vcek.testcer" \
  --certificates "$evidence/go-sev-guest/verify/trust/ask_ark_milan.pem" --nonce "$data" --ear-key a.key --ear-nonce dGhlaXIgbm9uY2U; }
verify -o text | grep -q '^passed'
"$cstl" evidence show report.bin | grep -q "snp.measurement *$measurement"
verify -o ear >ear.jwt
/usr/bin/python3 - <<'PY'
import base64, json, subprocess
def un(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
head, body, signature = open("ear.jwt").read().strip().split(".")
raw = un(signature)
assert len(raw) == 64 and json.loads(un(head))["alg"] == "ES256"
def integer(b):
    b = b.lstrip(b"\0")
    b = b"\0" + b if b[0] & 0x80 else b
    return b"\x02" + bytes([len(b)]) + b
der = integer(raw[:32]) + integer(raw[32:])
open("ear.sig", "wb").write(b"\x30" + bytes([len(der)]) + der)
open("ear.txt", "w").write(head + "." + body)
subprocess.run(["openssl", "dgst", "-sha256", "-verify", "a.pub", "-signature", "ear.sig", "ear.txt"], check=True, stdout=subprocess.DEVNULL)
claims = json.loads(un(body))
assert claims["eat_profile"] == "tag:ietf.org,2026:rats/ear#04"
assert un(claims["eat_nonce"]) == b"their nonce"
machine = claims["submods"]["evidence"]
assert machine["ear_status"] == claims["ear_status"] == "affirming", machine
assert machine["ear_trustworthiness_vector"]["hardware"] == 2 and machine["ear_trustworthiness_vector"]["executables"] == 3
PY
printf '\377' | dd of=report.bin bs=1 seek=144 conv=notrunc status=none
refuse snp_signature verify -o text
echo "reference values and results: all as they should be"
