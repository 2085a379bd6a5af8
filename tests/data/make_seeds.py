#!/usr/bin/env python3
"""make_seeds.py: writes the fuzzing seeds of attest/ from the vectors next to it: fuzz/corpus/<target>/."""
import json
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "..", "..", "fuzz", "corpus")


def read(path):
    with open(os.path.join(HERE, path), "rb") as f:
        return f.read()


def seed(target, name, data):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def evidence(name, variant=1, log=True, ek=False):
    merkle = "tree-merkle.bin" if name == "ecc-tree" else "merkle.bin"
    issuer = read("tpm/issuer.der")
    items = {1: bytes([variant]), 2: read(f"tpm/{name}.quote"), 3: read(f"tpm/{name}.signature"),
             4: read(f"tpm/{name}.public"), 7: read("tpm/pcrs.bin"), 9: read(f"tpm/{merkle}")}
    if ek:
        items[5] = read("tpm/ek.der")
        items[6] = struct.pack(">H", len(issuer)) + issuer
    if log:
        items[8] = read("boot/eventlog.bin")
    return b"".join(struct.pack(">HI", tag, len(data)) + data for tag, data in sorted(items.items()))


def references(variant="qemu-vtpm", endorsed=False, broken=None):
    import base64
    pcrs, events = {}, {}
    for line in read("boot/predicted.txt").decode().splitlines():
        *head, digest = line.split()
        if head[0] == "pcr":
            value = digest if head[1] != broken else "00" * 32
            pcrs[head[1]] = {"expected": [value], "enforce": head[1] != "11", "component": "part of the image",
                             "events": events.get(head[1], [])}
        else:
            events.setdefault(head[0], []).append({"digest": digest, "component": "event"})
    one = {"id": "seed-1", "variant": variant, "not_before": "2026-01-01T00:00:00Z",
           "not_after": "2030-01-01T00:00:00Z", "roles": ["control-plane", "worker"], "pcrs": pcrs}
    if endorsed:
        one["ek_roots"] = [base64.b64encode(read("tpm/root.der")).decode()]
    else:
        one["allow_unendorsed_ak"] = True
    return json.dumps({"cstl": "reference-values/1", "sets": [one]}).encode()


def whole(values, data):
    return struct.pack(">H", len(values)) + values + data


for kind in ("ecc", "rsa-pss", "rsa-pkcs1"):
    seed("evidence", kind, evidence(kind, log=kind == "ecc", ek=kind == "rsa-pss"))
    seed("tpm_signature", kind, read(f"tpm/{kind}.signature"))
    seed("tpm_public", kind, read(f"tpm/{kind}.public"))
# Evidence of machines without TPM, and with one inside a TEE: the right form, not the right contents.
for name, number, tags in (("sev-snp", 12, {9: 8, 11: 1184, 12: 64, 13: 64, 16: 32}), ("tdx", 13, {9: 40, 11: 700, 15: 90}),
                           ("azure", 6, {2: 60, 3: 60, 4: 60, 7: 768, 9: 8, 11: 1184, 14: 99})):
    seed("evidence", name, b"".join(struct.pack(">HI", tag, size) + bytes([number if tag == 1 else tag]) * size
                                    for tag, size in {1: 1, **tags}.items()))
for kind in ("ecc", "partial", "certify"):
    seed("tpm_attest", kind, read(f"tpm/{kind}.quote"))
seed("eventlog", "boot", read("boot/eventlog.bin"))
seed("uki", "small", read("uki/small.efi"))
seed("reference_values", "unendorsed", references())
seed("reference_values", "endorsed", references("tpm", endorsed=True))
seed("appraise", "passes", whole(references(), evidence("ecc")))
seed("appraise", "tree", whole(references(), evidence("ecc-tree", log=False)))
seed("appraise", "endorsed", whole(references("tpm", endorsed=True), evidence("rsa-pss", variant=11, ek=True)))
seed("appraise", "initrd", whole(references(broken="9"), evidence("ecc")))


# What clouds say about an attestation key: the right form, with keys and certificates of no one.
def cbor(major, value):
    head = next(h for limit, h in ((24, bytes([major << 5 | min(value, 23)])), (1 << 8, struct.pack(">BB", major << 5 | 24, value & 0xff)),
                                   (1 << 16, struct.pack(">BH", major << 5 | 25, value & 0xffff)),
                                   (1 << 64, struct.pack(">BQ", major << 5 | 27, value))) if value < limit)
    return head


def cbor_bytes(data):
    return cbor(2, len(data)) + data


def cbor_text(text):
    return cbor(3, len(text)) + text.encode()


def der(tag, *parts):
    body = b"".join(parts)
    return bytes([tag, len(body)]) + body


runtime = json.dumps({"keys": [{"kid": "HCLAkPub", "kty": "RSA", "e": "AQAB", "n": "w" * 342},
                               {"kid": "HCLEkPub", "kty": "RSA", "e": "AQAB", "n": "AQ"}],
                      "vm-configuration": {"secure-boot": True, "vmUniqueId": "12345678-0000-0000-0000-000000000001"},
                      "user-data": "00"}).encode()
seed("azure_runtime_data", "ak", runtime)
for name, kind in (("snp", 2), ("tdx", 4)):
    seed("azure_hcl", name, b"HCLA" + bytes(28) + bytes(1184) + struct.pack("<5I", 20 + len(runtime), 1, kind, 1, len(runtime)) + runtime)
seed("gce_instance", "production", der(0x30, der(0x0c, b"us-central1-a"), der(2, b"\x01\x02"), der(0x0c, b"project"), der(2, b"\x2a"),
                                       der(0x0c, b"worker-0"), der(0xa0, der(0x30, der(0xa0, der(2, b"\x00")), der(0xa1, der(1, b"\xff"))))))
seed("gce_instance", "short", der(0x30, der(0x0c, b"z"), der(2, b"\x01"), der(0x0c, b"p"), der(2, b"\x01"), der(0x0c, b"n")))
payload = cbor(5, 9) + b"".join((
    cbor_text("module_id"), cbor_text("i-0-nitrotpm0"), cbor_text("digest"), cbor_text("SHA384"), cbor_text("timestamp"), cbor(0, 1 << 40),
    cbor_text("nitrotpm_pcrs"), cbor(5, 2), cbor(0, 4), cbor_bytes(bytes(48)), cbor(0, 7), cbor_bytes(b"7" * 48),
    cbor_text("certificate"), cbor_bytes(read("tpm/ek.der")), cbor_text("cabundle"), cbor(4, 1), cbor_bytes(read("tpm/root.der")),
    cbor_text("public_key"), b"\xf6", cbor_text("user_data"), cbor_bytes(bytes(32)), cbor_text("nonce"), cbor_bytes(bytes(32))))
header = bytes([0xa1, 0x01, 0x38, 0x22])
seed("nitro_document", "es384", cbor(4, 4) + cbor_bytes(header) + cbor(5, 0) + cbor_bytes(payload) + cbor_bytes(bytes(96)))
seed("nitro_document", "tagged", b"\xd2" + cbor(4, 4) + cbor_bytes(header) + cbor(5, 0) + cbor_bytes(payload) + cbor_bytes(bytes(96)))
