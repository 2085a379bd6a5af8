#!/usr/bin/env bash
# Makes the certificates beside it anew, with openssl; their private keys are thrown away.
#   root (P-384, CA) → issuer (RSA-2048, CA, no further CA below) → ek (P-256, empty subject, TCG's subject alternative
#   name, critical), ek_rsa (RSA-2048), critical (an unknown critical extension), sub (a CA that issuer may not have) →
#   below_sub; leaf → below_leaf (signed by a key that is no CA's);  other: a root of the same name as root.
set -euo pipefail
cd "$(dirname "$0")"
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT

ec() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:"$2" -out "$keys/$1" 2>/dev/null; }
rsa() { openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$keys/$1" 2>/dev/null; }

# sign NAME ISSUER SUBJECT EXTENSIONS
sign() {
  printf '%s\n' "[v3]" "$4" "[dir]" "0.2.23.133.2.1=id:53575450" "1.2.23.133.2.2=swtpm" "2.2.23.133.2.3=id:20191023" >"$keys/ext"
  openssl req -new -key "$keys/$1" -subj "$3" -out "$keys/$1.csr"
  local by=(-CA "$2.pem" -CAkey "$keys/$2")
  if [ "$1" = "$2" ]; then by=(-signkey "$keys/$1"); fi
  openssl x509 -req -in "$keys/$1.csr" "${by[@]}" -days 36500 -sha256 -set_serial "0x$(openssl rand -hex 8)" \
    -extfile "$keys/ext" -extensions v3 -out "$1.pem"
}

authority=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
leaf=$'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyAgreement'
ec root P-384; sign root root "/CN=test root" "$authority"
ec other P-384; sign other other "/CN=test root" "$authority"
rsa issuer; sign issuer root "/CN=test issuer" "${authority/TRUE/TRUE,pathlen:0}"
ec ek P-256; sign ek issuer "/" "$leaf"$'\nsubjectAltName=critical,dirName:dir\nextendedKeyUsage=2.23.133.8.1'
rsa ek_rsa; sign ek_rsa issuer "/" "$leaf"$'\nsubjectAltName=critical,dirName:dir'
ec critical P-256; sign critical issuer "/CN=critical" "$leaf"$'\n1.2.3.4=critical,ASN1:NULL'
openssl x509 -in critical.pem -outform der -out critical.der  # our reader of PEM files would refuse it
rm critical.pem
ec sub P-256; sign sub issuer "/CN=test sub" "$authority"
ec below_sub P-256; sign below_sub sub "/CN=below sub" "$leaf"
ec leaf P-256; sign leaf issuer "/CN=test leaf" "$leaf"
ec below_leaf P-256; sign below_leaf leaf "/CN=below leaf" "$leaf"
