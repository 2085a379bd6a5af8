#!/usr/bin/env bash
# Evidence as other tools write it, from the command line: `cstl evidence show` and `cstl verify --evidence` on real
# SEV-SNP reports and TDX quotes, on quotes that tpm2-tools take of a software TPM, on what `cstl verify --save-evidence`
# kept of a running verificationservice; `cstl measure --firmware`. Verdict, exit code and JSON of each.
set -euo pipefail
cd "$(dirname "$0")/../.."
cstl=$(realpath "${CSTL:-build/release/cstl}")
programs=$(realpath "${CSTL_PROGRAMS:-build/release}")
google=${CSTL_EVIDENCE:-$(tools/deps/evidence.sh --print-prefix)}/usr/share/gocode/src/github.com/google
firmware=$(tools/deps/image.sh --print-prefix)/usr/share/ovmf/OVMF.fd
uki=$PWD/tests/data/uki/small.efi
snp=$google/go-sev-guest/verify tdx=$google/go-tdx-guest/testing/testdata logs=$google/go-eventlog/testdata/eventlogs
tmp=$(mktemp -d /tmp/cstl-evidence-XXXXXX)
chmod 755 "$tmp"
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$tmp"
}
trap finish EXIT
cd "$tmp"
step() { echo "· $*"; }
die() { echo "$*"; exit 1; }
hex() { od -An -v -tx1 -j"$2" -N"$3" "$1" | tr -d ' \n'; }
# expect STATUS CODE COMMAND…: ends with this status, and with a verdict or an error of this name ("ok": passed).
expect() {
  local status=$1 code=$2 got=0
  shift 2
  "$@" >out 2>err || got=$?
  [ "$got" = "$status" ] || { cat out err; die "status $got instead of $status: $*"; }
  if [ "$code" = ok ]; then grep -q '^passed$' out || { cat out err; die "not passed: $*"; }
  else cat out err | grep -qE "(^REFUSED: $code:|^cstl: .* $code \()" || { cat out err; die "not $code: $*"; }; fi
}
# claims NAME=RESULT…: of the JSON verdict in `out`.
claims() {
  /usr/bin/python3 - "$@" <<'PY'
import json, sys
verdict = json.load(open("out"))
seen = {c["name"]: c["result"] for c in verdict["claims"]}
for wanted in sys.argv[1:]:
    name, result = wanted.split("=")
    assert seen.get(name) == result, f"{name} is {seen.get(name)}, not {result}"
PY
}
set_of() { # FILE VARIANT MEMBERS
  cat >"$1" <<JSON
{"cstl": "reference-values/1", "sets": [{"id": "s", "variant": "$2", "not_before": "2020-01-01T00:00:00Z",
 "not_after": "2040-01-01T00:00:00Z", "roles": ["worker"], $3}]}
JSON
}
# shown FILE LINE…: `cstl evidence show` has these lines, and its JSON has facts or events.
shown() {
  local file=$1
  shift
  "$cstl" evidence show "$file" >out
  sed -i -E 's/^ +//; s/ +/ /g' out
  for line in "$@"; do
    grep -qF -- "$line" out || { head -n 40 out; die "no line '$line' of $file"; }
  done
  "$cstl" -o json evidence show "$file" >shown.json
  /usr/bin/python3 -c 'import json; d = json.load(open("shown.json")); assert d["kind"] and (d["facts"] or d["events"])'
}

step "an SEV-SNP report, as its guest's tools keep it"
report=$snp/testdata/attestation.bin
measurement=$(hex "$report" 144 48) data=$(hex "$report" 80 64)
set_of snp.json sev-snp "\"snp\": {\"policy\": {\"debug\": true}, \"measurements\": [\"$measurement\"]}"
set_of strict.json sev-snp "\"snp\": {\"measurements\": [\"$measurement\"]}"
set_of other.json sev-snp "\"snp\": {\"policy\": {\"debug\": true}, \"measurements\": [\"${measurement//b/c}\"]}"
verify() { "$cstl" "${format[@]}" verify --reference-values "$values" --evidence "$file" "$@"; }
chain=(--certificates "$snp/testdata/vcek.testcer" --certificates "$snp/trust/ask_ark_milan.pem")
format=() values=snp.json file=$report
expect 0 ok verify "${chain[@]}" --nonce "$data"
expect 0 ok verify "${chain[@]}"
grep -q 'warned *evidence.binding' out || die "a report that nobody asked for was not warned of"
expect 5 snp_report_data verify "${chain[@]}" --nonce "${data/01/02}"
expect 5 snp_certificate_missing verify --nonce "$data"
expect 5 snp_chain verify --certificates "$snp/testdata/vcek.testcer" --certificates "$snp/trust/ask_ark_genoa.pem"
values=strict.json expect 5 snp_policy verify "${chain[@]}"
values=other.json expect 5 snp_measurement verify "${chain[@]}"
format=(-o json) values=other.json
verify "${chain[@]}" >out && die "another measurement passed"
claims snp.signature=passed snp.measurement=failed
values=snp.json
verify "${chain[@]}" --nonce "$data" >out
claims snp.chain=passed snp.signature=passed snp.report_data=passed snp.measurement=passed
format=()
shown "$report" "snp.measurement $measurement" "snp.report_data $data" "snp.signing_key VCEK"
{ printf '\0\0\0\0\240\4\0\0'; head -c 24 /dev/zero; cat "$report"; head -c 2784 /dev/zero; } >answer.bin
file=answer.bin expect 0 ok verify "${chain[@]}" --nonce "$data"
head -c 1183 "$report" >cut.bin
file=cut.bin expect 3 evidence_unknown verify "${chain[@]}"
cp "$report" flipped.bin
printf '\1' | dd of=flipped.bin bs=1 seek=200 conv=notrunc status=none
file=flipped.bin expect 5 snp_signature verify "${chain[@]}"

step "a TDX quote of a production machine"
quote=$tdx/tdx_prod_quote_SPR_E4.dat
mrtd=$(hex "$quote" 184 48) rtmr2=$(hex "$quote" 472 48) data=$(hex "$quote" 568 64)
reference="\"mr_td\": [\"$mrtd\"], \"rtmrs\": {\"2\": {\"expected\": [\"$rtmr2\"], \"enforce\": true}}"
reference+=", \"attributes\": {\"sept_ve_disable\": false}"
set_of tdx.json tdx "\"tdx\": {\"collateral_required\": false, $reference}"
set_of strict.json tdx "\"tdx\": {$reference}"
set_of other.json tdx "\"tdx\": {\"collateral_required\": false, ${reference/$mrtd/${mrtd//6/7}}}"
values=tdx.json file=$quote
expect 0 ok verify --nonce "$data"
grep -q 'warned *tdx.collateral' out || die "missing collateral was not warned of"
expect 5 tdx_report_data verify --nonce "${data/6c/6d}"
values=strict.json expect 5 tdx_collateral_missing verify --nonce "$data"
values=other.json expect 5 reference_mismatch verify --nonce "$data"
format=(-o json)
verify --nonce "$data" >out
claims tdx.quote_signature=passed tdx.qe_binding=passed tdx.report_data=passed tdx.mrtd=passed tdx.rtmr2=passed \
  tdx.collateral=warned
format=()
{ cat "$quote"; head -c 3000 /dev/zero; } >padded.bin
file=padded.bin expect 0 ok verify --nonce "$data"
cp "$quote" flipped.bin
printf '\1' | dd of=flipped.bin bs=1 seek=190 conv=notrunc status=none
file=flipped.bin expect 5 tdx_quote_signature verify
mkdir empty
file=$quote expect 1 not_found verify --collateral empty
# Intel's answers of 2023, as Google's package holds them: the certificate that signed them has expired since.
mkdir collateral
/usr/bin/python3 - "$tdx" "$("$cstl" evidence show "$quote" | sed -nE 's/^ *tdx.pck.fmspc +//p')" <<'PY'
import pathlib, re, shutil, sys, urllib.parse
source, fmspc = pathlib.Path(sys.argv[1]), sys.argv[2]
go = (source.parent / "test_cases.go").read_text()
found = re.findall(r'var (\w+)IssuerChain = \[\]string\{\s*"([^"]+)"', go)
chains = {name: urllib.parse.unquote(text) for name, text in found}
for name, answer in ((f"tcb-info-{fmspc}", "tcbInfo"), ("qe-identity", "qeIdentity")):
    shutil.copy(source / f"sample_{answer}_response", f"collateral/{name}.json")
    pathlib.Path(f"collateral/{name}.pem").write_text(chains[answer])
for ca in ("platform", "processor"):
    shutil.copy(source / "pckcrl", f"collateral/pck-crl-{ca}.der")
shutil.copy(source / "rootcrl.der", "collateral/root-crl.der")
PY
file=$quote values=strict.json expect 5 certificate_expired verify --collateral collateral
shown "$quote" "tdx.mrtd $mrtd" "tdx.rtmr2 $rtmr2" "tdx.version 4"

step "event logs of real machines are explained"
shown "$logs/tpm/ubuntu-2404-amd-sevsnp.bin" "log.boot.loader shim and GRUB"
shown "$logs/tpm/debian-10.bin" "log.bank SHA-1"
shown "$logs/ccel/cos-113-intel-tdx.bin" "log.replayed.rtmr1"
shown "$snp/trust/ask_ark_milan.pem" "certificate.0.key RSA"
for file in "$quote" "$report"; do
  head -c 300 "$file" >cut.bin
  expect 3 evidence_unknown "$cstl" evidence show cut.bin
done
expect 2 usage "$cstl" evidence show
expect 3 workspace "$cstl" evidence show there-is-none

step "a quote that tpm2-tools take"
mkdir -p state ca
printf '%s\n' "statedir = $tmp/ca" "signingkey = $tmp/ca/signkey.pem" "issuercert = $tmp/ca/issuercert.pem" \
  "certserial = $tmp/ca/certserial" >localca.conf
: >options
printf '%s\n' "create_certs_tool = swtpm_localca" "create_certs_tool_config = $tmp/localca.conf" \
  "create_certs_tool_options = $tmp/options" >setup.conf
swtpm_setup --tpm2 --tpmstate "$tmp/state" --config setup.conf --create-ek-cert --pcr-banks sha256 >log 2>&1 ||
  { cat log; exit 1; }
power_on() {
  swtpm socket --tpm2 --tpmstate "dir=$tmp/state" --server "type=unixio,path=$tmp/tpm" \
    --ctrl "type=unixio,path=$tmp/tpm.ctrl" --flags startup-clear >>log 2>&1 &
  pids+=($!)
  for _ in $(seq 100); do [ -S tpm.ctrl ] && break; sleep 0.1; done
}
power_on
export TPM2TOOLS_TCTI=swtpm:path=$tmp/tpm
tool() { "$@" >>log 2>&1 || { tail -n 20 log; die "$*"; }; }
cluster=$(printf '%064d' 7)
printf image >image
tool tpm2_pcrevent 4 image
pcr4=$(tpm2_pcrread sha256:4 | sed -nE 's/.*: 0x//p' | tr '[:upper:]' '[:lower:]')
tool tpm2_createek -c ek.ctx -u ek.pub
tool tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pub -n ak.name
tool tpm2_flushcontext -t
all=$(seq -s, 0 23)
tool tpm2_quote -c ak.ctx -l "sha256:$all" -q c0ffee -m quote -s sig -o pcrs -g sha256
tool tpm2_quote -c ak.ctx -l "sha256:$all" -q c0ffee -m quote2 -s sig2 -o values -F values -g sha256
tool tpm2_quote -c ak.ctx -l sha256:0,4 -q c0ffee -m part -s partsig -o partpcrs -g sha256
tool tpm2_nvread 0x01c00002 -o ek.der
root=$(openssl x509 -in ca/swtpm-localca-rootca-cert.pem -outform DER | base64 -w0)
pcr4_is() { echo "\"pcrs\": {\"4\": {\"expected\": [\"$1\"], \"enforce\": true}}"; }
set_of tpm.json tpm "\"ek_roots\": [\"$root\"], $(pcr4_is "$pcr4")"
set_of other.json tpm "\"ek_roots\": [\"$root\"], $(pcr4_is "$cluster")"
pieces=(--signature sig --ak ak.pub --pcrs pcrs)
endorsed=(--ek-certificate ek.der --ek-certificate ca/issuercert.pem)
values=tpm.json file=quote
expect 0 ok verify "${pieces[@]}" "${endorsed[@]}" --nonce c0ffee
grep -q 'warned *ek.activation' out || die "an AK that nobody activated was not warned of"
file=quote2 expect 0 ok verify --signature sig2 --ak ak.pub --pcrs values "${endorsed[@]}" --nonce c0ffee
expect 5 quote_nonce verify "${pieces[@]}" "${endorsed[@]}" --nonce c0ffef
expect 5 ek_chain verify "${pieces[@]}" --ek-certificate ek.der
values=other.json expect 5 reference_mismatch verify "${pieces[@]}" "${endorsed[@]}"
expect 5 quote_signature verify --signature sig2 --ak ak.pub --pcrs pcrs "${endorsed[@]}"
expect 2 usage verify
file=part expect 1 bad_value verify --signature partsig --ak ak.pub --pcrs partpcrs "${endorsed[@]}"
format=(-o json)
verify "${pieces[@]}" "${endorsed[@]}" --nonce c0ffee >out
claims quote.signature=passed quote.nonce=passed quote.digest=passed pcr4=passed ek.activation=warned
format=()
shown quote "tpm.quote.nonce c0ffee" "tpm.quote.type 0x8018 (quote)"
shown ek.der "certificate.0.issuer CN=swtpm-localca"

step "what a running service gave, kept and looked at again"
kill "${pids[0]}"
wait "${pids[0]}" 2>/dev/null || true
rm -f tpm tpm.ctrl
set_of live.json qemu-vtpm "\"allow_unendorsed_ak\": true, $(pcr4_is "$pcr4")"
set_of other.json qemu-vtpm "\"allow_unendorsed_ak\": true, $(pcr4_is "$cluster")"
power_on
tool tpm2_pcrevent 4 image
/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$cluster" >cluster.bin
tool tpm2_pcrevent 15 cluster.bin
"$programs/cstl-attester" --variant qemu-vtpm --tpm "unix:$tmp/tpm" --event-log '' --socket "$tmp/attester.sock" \
  2>attester.log &
pids+=($!)
port=$((20000 + RANDOM % 20000))
"$programs/cstl-verificationservice" --cluster-id "$cluster" --role worker --name worker-0 --listen "127.0.0.1:$port" \
  --attester "$tmp/attester.sock" 2>service.log &
pids+=($!)
for _ in $(seq 300); do grep -q service.ready service.log && break; sleep 0.1; done
live() { "$cstl" verify --endpoint "127.0.0.1:$port" --cluster-id "${id:-$cluster}" --reference-values "$values" "$@"; }
values=live.json
live --save-evidence kept >out 2>err || { cat out err attester.log service.log; die "the service was refused"; }
[ -s kept ] || die "nothing was kept"
id=${cluster//7/8} expect 5 cluster_mismatch live
values=other.json
live --save-evidence refused >out 2>err && die "another PCR 4 passed"
values=live.json file=kept
expect 0 ok verify --cluster-id "$cluster"
grep -q 'warned *evidence.binding' out || die "kept evidence was not warned of"
expect 5 cluster_mismatch verify --cluster-id "${cluster//7/8}"
values=other.json expect 5 reference_mismatch verify
file=refused expect 0 ok verify
shown kept "variant qemu-vtpm" "tpm.pcr4 $pcr4"
truncated=$(($(stat -c %s kept) - 1))
head -c "$truncated" kept >cut.bin
file=cut.bin expect 1 truncated verify

step "the launch of a firmware image is predicted"
measure() { "$cstl" measure --out "$1" --variant "$2" --id m --firmware "$firmware" "${@:3}" >/dev/null; }
member() { # FILE MEMBER LIST: of the first set
  /usr/bin/python3 - "$@" <<'PY'
import json, sys
file, member, name = sys.argv[1:]
print("\n".join(json.load(open(file))["sets"][0][member][name]))
PY
}
measure one.json sev-snp
measure both.json sev-snp --vcpus 1 --vcpus 2
# This firmware has no place for the hashes of what QEMU hands over: nothing would measure the kernel.
expect 5 snp_firmware_malformed "$cstl" measure --variant sev-snp --firmware "$firmware" --kernel "$uki" --cmdline quiet
one=$(member one.json snp measurements)
[ "$(member both.json snp measurements | head -n 1)" = "$one" ] || die "one processor, two digests"
[ "$(member both.json snp measurements | sort -u | wc -l)" = 2 ] || die "a processor more does not show"
measure td.json tdx --image "$uki"
[ "$(member td.json tdx mr_td | wc -l)" = 2 ] || die "not both orders of MRTD"
set_of predicted.json sev-snp "\"snp\": {\"policy\": {\"debug\": true}, \"measurements\": [\"$one\"]}"
values=predicted.json file=$report expect 5 snp_measurement verify "${chain[@]}"
expect 3 workspace "$cstl" measure --variant sev-snp --firmware there-is-none
expect 1 bad_value "$cstl" measure --variant sev-snp --firmware "$firmware" --cpu Pentium
head -c 4096 "$uki" >no-firmware
expect 5 snp_firmware_malformed "$cstl" measure --variant sev-snp --firmware no-firmware
echo "evidence from the command line: all as it should be"
