#!/usr/bin/env bash
# make_quotes.sh [OUT]: makes the quotes of tests/data/tpm with a real TPM (swtpm) and tools that are not ours
# (tpm2-tools). Run by hand; keys are made anew each time, so the files change. Needs swtpm, swtpm-tools, tpm2-tools,
# gnutls-bin, openssl, python3.
#
# The TPM first measures what tests/data/boot/eventlog.bin says, so that this log replays to the quoted PCRs.
# Every quote signs SHA-256("cstl-quote-1" ‖ root) for the binding 00 01 … 1f; root is that of a lone binding, except for
# ecc-tree: there the binding is leaf 3 of 5, its siblings being 32 bytes of 0xa0 + leaf.
#
#   *.quote *.signature *.public   TPMS_ATTEST, TPMT_SIGNATURE, TPMT_PUBLIC
#   ecc        ECC P-256 primary key of the endorsement hierarchy
#   ecc-tree   the same key, five bindings
#   rsa-pss, rsa-pkcs1   RSA-2048 primary keys of the owner hierarchy
#   child      ECC P-256, a child of the EK of the default template
#   joined     the key ecc, after PCR 15 was extended with the clusterID 00 01 … 1f; joined-pcrs.bin are its values
#   free       ECC P-256, not restricted: signs what it is given
#   partial    the key ecc, PCRs 0–7 only
#   certify    the key ecc, TPM2_Certify instead of a quote
#   merkle.bin, tree-merkle.bin    merkle items of the two trees
#   pcrs.bin   24 SHA-256 values; ek.der, issuer.der, root.der: the EK's certificate and who signed it
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(mkdir -p "${1:-$here/tpm}" && cd "${1:-$here/tpm}" && pwd)
tmp=$(mktemp -d)
trap 'kill "$(cat "$tmp/pid")" 2>/dev/null || true; rm -rf "$tmp"' EXIT
cd "$tmp"

mkdir state ca
cat >localca.conf <<EOT
statedir = $tmp/ca
signingkey = $tmp/ca/signkey.pem
issuercert = $tmp/ca/issuercert.pem
certserial = $tmp/ca/certserial
EOT
cat >localca.options <<EOT
--platform-manufacturer cstl
--platform-version 1
--platform-model test
EOT
cat >setup.conf <<EOT
create_certs_tool = $(command -v swtpm_localca)
create_certs_tool_config = $tmp/localca.conf
create_certs_tool_options = $tmp/localca.options
EOT
swtpm_setup --tpm2 --tpmstate "$tmp/state" --config "$tmp/setup.conf" --create-ek-cert --lock-nvram \
  --pcr-banks sha256 --overwrite --logfile "$tmp/setup.log" >/dev/null || { cat "$tmp/setup.log" >&2; exit 1; }
swtpm socket --tpm2 --tpmstate "dir=$tmp/state" --server type=unixio,path="$tmp/sock" --ctrl type=unixio,path="$tmp/sock.ctrl" \
  --flags not-need-init,startup-clear --daemon --pid "file=$tmp/pid"
export TPM2TOOLS_TCTI="swtpm:path=$tmp/sock"

python3 - "$here/boot/eventlog.bin" >extends <<'EOT'
import struct, sys
log = open(sys.argv[1], "rb").read()
sizes = {4: 20, 11: 32, 12: 48, 13: 64}
at = 32 + struct.unpack_from("<I", log, 28)[0]
while at < len(log):
    pcr, kind, count = struct.unpack_from("<III", log, at)
    at += 12
    for _ in range(count):
        alg = struct.unpack_from("<H", log, at)[0]
        if alg == 11 and kind != 3:
            print(f"{pcr}:sha256={log[at + 2:at + 34].hex()}")
        at += 2 + sizes[alg]
    at += 4 + struct.unpack_from("<I", log, at)[0]
EOT
while read -r extend; do tpm2_pcrextend "$extend"; done <extends

python3 - <<'EOT'
import hashlib, struct
h = lambda b: hashlib.sha256(b).digest()
leaf = lambda b: h(b"\0" + b)
node = lambda a, b: h(b"\1" + a + b)
binding = bytes(range(32))
def save(name, root, index, size, path):
    open(name + "nonce", "w").write(h(b"cstl-quote-1" + root).hex())
    open(name + "merkle.bin", "wb").write(struct.pack(">II", index, size) + b"".join(path))
save("", leaf(binding), 0, 1, [])
l = [leaf(bytes([0xa0 + i]) * 32) for i in range(5)]
l[3] = leaf(binding)
left = node(l[0], l[1])
save("tree-", node(node(left, node(l[2], l[3])), l[4]), 3, 5, [l[2], left, l[4]])
EOT

# This TPM holds three objects and nothing between it and the tools swaps them out.
t() { "$@"; tpm2_flushcontext -t >/dev/null; }
restricted='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign'
quote() {  # NAME CONTEXT NONCE [PCRS [TPM2_QUOTE OPTIONS…]]
  t tpm2_quote -Q -c "$2" -l "sha256:${4:-all}" -q "$(cat "$3")" -m "$out/$1.quote" -s "$out/$1.signature" -g sha256 "${@:5}"
  t tpm2_readpublic -Q -c "$2" -f tpmt -o "$out/$1.public"
}
t tpm2_createprimary -Q -C e -G ecc256:ecdsa-sha256:null -a "$restricted" -c ecc.ctx
quote ecc ecc.ctx nonce
quote ecc-tree ecc.ctx tree-nonce
quote partial ecc.ctx nonce 0,1,2,3,4,5,6,7
for scheme in rsapss rsassa; do
  t tpm2_createprimary -Q -C o -G "rsa2048:$scheme-sha256:null" -a "$restricted" -c $scheme.ctx
done
quote rsa-pss rsapss.ctx nonce all --scheme=rsapss
quote rsa-pkcs1 rsassa.ctx nonce
t tpm2_createprimary -Q -C e -G ecc256:ecdsa-sha256:null -a "${restricted/|restricted/}" -c free.ctx
quote free free.ctx nonce
t tpm2_certify -Q -C ecc.ctx -c ecc.ctx -g sha256 -o "$out/certify.quote" -s "$out/certify.signature"
cp "$out/ecc.public" "$out/certify.public"
t tpm2_createek -Q -G rsa -c ek.ctx -u ek.pub
t tpm2_createak -Q -C ek.ctx -c child.ctx -G ecc -g sha256 -s ecdsa
quote child child.ctx nonce

tpm2_pcrread -Q sha256:all -o "$out/pcrs.bin"
# The node lock, for the clusterID 00 01 … 1f.
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(32)))' | tpm2_pcrevent -Q 15
quote joined ecc.ctx nonce
tpm2_pcrread -Q sha256:all -o "$out/joined-pcrs.bin"
cp merkle.bin tree-merkle.bin "$out/"
tpm2_nvread 0x1c00002 -o "$out/ek.der" 2>/dev/null
openssl x509 -in ca/issuercert.pem -outform DER -out "$out/issuer.der"
openssl x509 -in ca/swtpm-localca-rootca-cert.pem -outform DER -out "$out/root.der"
chmod 644 "$out"/*
