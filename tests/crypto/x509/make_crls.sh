#!/usr/bin/env bash
# Makes the seeds of fuzz/crl.cc anew, with openssl: CRLs of an ECDSA P-384 and of an RSA-PSS authority, with entries and
# without, DER and PEM, and certificates with each kind of key. Private keys are thrown away.
set -euo pipefail
cd "$(dirname "$0")"
seeds=$PWD/../../../fuzz/corpus/crl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$seeds"
for pem in ek ek_rsa root; do openssl x509 -in $pem.pem -outform der -out "$seeds/certificate_$pem"; done
cd "$work"
cat >ca.conf <<'END'
[ca]
default_ca = own
[own]
database = index
crlnumber = number
default_md = sha384
default_crl_days = 30
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid
[req]
distinguished_name = name
[name]
END
authority() { # NAME SIGOPT... : a CA certificate and two lists
  local name=$1
  shift
  openssl req -x509 -new -key "$name.key" -subj "/CN=seed $name" -days 3650 -sha384 "$@" -config ca.conf \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,cRLSign,keyCertSign -out "$name.pem"
  openssl x509 -in "$name.pem" -outform der -out "$seeds/certificate_$name"
  echo 01 >number
  : >index
  openssl ca -config ca.conf -gencrl -keyfile "$name.key" -cert "$name.pem" "$@" -out empty.pem
  printf 'R\t300101000000Z\t260101000000Z,keyCompromise\t0A1B\tunknown\t/CN=gone\nR\t300101000000Z\t260101000000Z\t7F\tunknown\t/CN=lost\n' >index
  openssl ca -config ca.conf -gencrl -keyfile "$name.key" -cert "$name.pem" "$@" -out entries.pem
  openssl crl -in empty.pem -outform der -out "$seeds/empty_$name"
  openssl crl -in entries.pem -outform der -out "$seeds/entries_$name"
}
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out ec.key 2>/dev/null
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out pss.key 2>/dev/null
authority ec
cp entries.pem "$seeds/pem"
authority pss -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48
