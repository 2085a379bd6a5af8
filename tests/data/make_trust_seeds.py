#!/usr/bin/python3
# Seeds for the fuzz targets of reference values: bundles of a transparency log whose private key is 1 (fuzz/transparency.cc pins
# the base point), trust policies, measurements of Constellation's form, files of evidence.
# ECDSA draws a number, so the bundles differ each time: run it when a form changes.
#   tests/data/make_trust_seeds.py   writes fuzz/corpus/{transparency,reference_trust,measurements,evidence_file}
import base64
import hashlib
import json
import os
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
KEY = ec.derive_private_key(1, ec.SECP256R1())
OTHER = ec.derive_private_key(2, ec.SECP256R1())
FORM = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
LOG_ID = hashlib.sha256(KEY.public_key().public_bytes(*FORM)).digest()


def b64(data):
    return base64.b64encode(data).decode()


def sign(message):
    return KEY.sign(hashlib.sha256(message).digest(), ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def seed(folder, name, data):
    os.makedirs(f"fuzz/corpus/{folder}", exist_ok=True)
    with open(f"fuzz/corpus/{folder}/{name}", "wb") as file:
        file.write(data)


def compact(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def bundles():
    document = hashlib.sha256(b"document").digest()
    signature = sign(b"document")
    body = compact({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": document.hex()}},
        "signature": {"content": b64(signature), "publicKey": {"content": b64(KEY.public_key().public_bytes(*PEM))}}}})
    leaf = hashlib.sha256(b"\0" + body).digest()
    left = hashlib.sha256(b"\0left").digest()
    root = hashlib.sha256(b"\1" + left + leaf).digest()
    stamp = sign(compact({"body": b64(body), "integratedTime": 1790000000, "logID": LOG_ID.hex(), "logIndex": 77}))
    note = f"log.example - 1\n2\n{b64(root)}\n"
    note += f"\n— log.example {b64(LOG_ID[:4] + sign(note.encode()))}\n"
    seed("transparency", "bundle", compact({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "x"}, "tlogEntries": [{
            "logIndex": "77", "logId": {"keyId": b64(LOG_ID)}, "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
            "integratedTime": "1790000000", "inclusionPromise": {"signedEntryTimestamp": b64(stamp)},
            "inclusionProof": {"logIndex": "1", "rootHash": b64(root), "treeSize": "2", "hashes": [b64(left)],
                               "checkpoint": {"envelope": note}},
            "canonicalizedBody": b64(body)}]},
        "messageSignature": {"messageDigest": {"algorithm": "SHA2_256", "digest": b64(document)}, "signature": b64(signature)}}))
    seed("transparency", "api", compact({"24296f": {
        "body": b64(body), "integratedTime": 1790000000, "logID": LOG_ID.hex(), "logIndex": 77, "verification": {
            "inclusionProof": {"checkpoint": note, "hashes": [left.hex()], "logIndex": 1, "rootHash": root.hex(), "treeSize": 2},
            "signedEntryTimestamp": b64(stamp)}}}))
    seed("transparency", "no-entry", compact({"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
                                              "verificationMaterial": {"tlogEntries": []}}))


def policies():
    keys = [{"key": b64(key.public_key().public_bytes(*FORM))} for key in (KEY, OTHER)]
    policy = {"cstl": "reference-trust/1", "name": "prod", "threshold": 2, "signers": keys}
    seed("reference_trust", "plain", compact(policy))
    policy["logs"] = [{"key": keys[0]["key"], "origin": "log.example"}, {"key": keys[1]["key"]}]
    seed("reference_trust", "logs", compact(policy))
    seed("reference_trust", "threshold", compact(dict(policy, threshold=3)))
    seed("reference_trust", "twice", compact(dict(policy, signers=[keys[0], keys[0]])))


def measurements():
    pcrs = {str(i): {"expected": f"{i:064x}", "warnOnly": i == 1} for i in (1, 4, 9, 15)}
    rtmrs = {str(i): {"expected": f"{i:096x}", "warnOnly": False} for i in range(5)}
    image = {"version": "v1", "ref": "-", "stream": "stable",
             "list": [{"csp": "QEMU", "attestationVariant": "qemu-vtpm", "measurements": pcrs}]}
    seed("measurements", "map", b"\x01" + compact(pcrs))
    seed("measurements", "image", b"\x01" + compact(image))
    seed("measurements", "tdx", b"\x03" + compact(rtmrs))
    seed("measurements", "empty", b"\x01{}")


def evidence_files():
    def read(path):
        with open(path, "rb") as file:
            return file.read()
    log = read("tests/data/boot/eventlog.bin")
    quote = read("tests/data/tpm/ecc.quote")
    pcrs = read("tests/data/tpm/pcrs.bin")
    items = [(1, b"\x01"), (2, quote), (3, read("tests/data/tpm/ecc.signature")), (4, read("tests/data/tpm/ecc.public")),
             (5, read("tests/data/tpm/ek.der")), (7, pcrs), (9, read("tests/data/tpm/merkle.bin"))]
    evidence = b"".join(struct.pack(">HI", tag, len(data)) + data for tag, data in items)
    seed("evidence_file", "evidence", evidence)
    seed("evidence_file", "saved", b"cstl-evidence-1\n" + struct.pack(">Q", 1790000000) + bytes(32) +
         struct.pack(">I", len(evidence)) + evidence)
    seed("evidence_file", "tpm-quote", quote)
    seed("evidence_file", "public", struct.pack(">H", len(items[3][1])) + items[3][1])
    seed("evidence_file", "log", log)
    seed("evidence_file", "snp-report", read("fuzz/corpus/snp_report/Genoa-VCEK"))  # tests/data/make_snp_seeds.cc
    seed("evidence_file", "certificate", read("tests/data/tpm/ek.der"))
    own = struct.pack("<I", 1) + struct.pack("<HB3B2x", 11, 3, 255, 255, 255) + bytes(15 * 8) + struct.pack("<I", 3)
    for group in range(3):
        own += struct.pack("<I", 8)
        for i in range(8):
            at = (group * 8 + i) * 32
            own += struct.pack("<H", 32) + pcrs[at:at + 32] + bytes(32)
    seed("evidence_file", "pcrs", own)


bundles()
policies()
measurements()
evidence_files()
