#!/usr/bin/env python3
"""make_eventlog_seeds.py: writes the fuzzing seeds of event logs and of what is inside their events, made from scratch:
fuzz/corpus/eventlog/ and fuzz/corpus/uefi/."""
import hashlib
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "..", "..", "fuzz", "corpus")
GLOBAL = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
IMAGE_SECURITY = bytes.fromhex("cbb219d73a3d9645a3bcdad00e67656f")
SHIM_LOCK = bytes.fromhex("50ab5d6046e00043abb63dd810dd8b23")
X509 = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")
SHA256 = bytes.fromhex("2616c4c14c509240aca941f936934328")
HASHES = {0x0004: hashlib.sha1, 0x000B: hashlib.sha256, 0x000C: hashlib.sha384}


def seed(target, name, data):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def utf16(text):
    return text.encode("utf-16le")


def header(banks, pcr=0):
    spec = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(banks))
    spec += b"".join(struct.pack("<HH", bank, HASHES[bank]().digest_size) for bank in banks) + b"\0"
    return struct.pack("<II", pcr, 3) + bytes(20) + struct.pack("<I", len(spec)) + spec


def event(banks, pcr, kind, data, measured=None):
    text = data if measured is None else measured
    digests = b"".join(struct.pack("<H", bank) + HASHES[bank](text).digest() for bank in banks)
    return struct.pack("<III", pcr, kind, len(banks)) + digests + struct.pack("<I", len(data)) + data


def old_event(pcr, kind, data):
    return struct.pack("<II", pcr, kind) + hashlib.sha1(data).digest() + struct.pack("<I", len(data)) + data


def variable(vendor, name, data):
    return vendor + struct.pack("<QQ", len(name), len(data)) + utf16(name) + data


def signatures(kind, entries):
    size = len(entries[0]) + 16 if entries else 0
    body = b"".join(bytes(16) + entry for entry in entries)
    return kind + struct.pack("<III", 28 + len(body), 0, size) + body


def node(kind, subtype, data=b""):
    return struct.pack("<BBH", kind, subtype, 4 + len(data)) + data


END = node(0x7F, 0xFF)
DISK = (node(2, 1, struct.pack("<II", 0x0A0341D0, 0)) + node(1, 1, b"\x00\x03") +
        node(4, 1, struct.pack("<IQQ", 1, 2048, 4096) + bytes(range(16)) + b"\x02\x02") +
        node(4, 4, utf16("\\EFI\\BOOT\\BOOTX64.EFI\0")) + END)
IMAGE = struct.pack("<QQQQ", 0x1000, 0x2000, 0, len(DISK)) + DISK
OPTION = struct.pack("<IH", 1, len(DISK)) + utf16("Linux\0") + DISK + b"quiet"
TABLE = (b"EFI PART" + bytes(48) + bytes(range(16)) + struct.pack("<QIII", 2, 128, 128, 0) + bytes(0))[:92]
TABLE += struct.pack("<Q", 2)
for kind in ("28732ac11ff8d211ba4b00a0c93ec93b", "af3dc60f838472478e793d69d8477de4"):
    TABLE += bytes.fromhex(kind) + bytes(range(16)) + struct.pack("<QQQ", 34, 99, 0) + utf16("data").ljust(72, b"\0")

with open(os.path.join(HERE, "tpm/ek.der"), "rb") as f:
    CERTIFICATE = f.read()
KEYS = signatures(SHA256, [bytes([7]) * 32]) + signatures(X509, [CERTIFICATE])


def boot(banks, register):
    """A boot with everything that is read; `register` says where a PCR's events go."""
    zeros = bytes(4)
    rows = [(0, 3, b"StartupLocality\0\3"), (0, 8, utf16("Firmware 1\0")), (0, 0x11, b"GCE NonHostInfo\0\4" + bytes(15)),
            (7, 0x80000001, variable(GLOBAL, "SecureBoot", b"\1"))]
    rows += [(7, 0x80000001, variable(GLOBAL, name, KEYS)) for name in ("PK", "KEK")]
    rows += [(7, 0x80000001, variable(IMAGE_SECURITY, name, KEYS)) for name in ("db", "dbx")]
    rows += [(7, 0x80000007, b"DMA Protection Disabled"), (7, 4, zeros), (0, 4, zeros), (2, 0x80000004, IMAGE),
             (1, 0x80000002, variable(GLOBAL, "BootOrder", b"\1\0")), (1, 0x80000002, variable(GLOBAL, "Boot0001", OPTION)),
             (4, 0x80000007, b"Calling EFI Application from Boot Option"), (4, 4, zeros), (5, 0x80000006, TABLE),
             (7, 0x800000E0, variable(IMAGE_SECURITY, "db", bytes(16) + CERTIFICATE)), (4, 0x80000003, IMAGE),
             (14, 13, b"MokList\0"), (7, 0x800000E0, variable(SHIM_LOCK, "SbatLevel", b"sbat,1,2021030218\n")),
             (7, 0x800000E0, variable(SHIM_LOCK, "Shim", CERTIFICATE)), (9, 13, b"/boot/grub.cfg\0"),
             (8, 13, b"grub_cmd: linux\0"), (11, 13, utf16(".linux\0")), (11, 13, utf16(".cmdline\0")),
             (9, 6, struct.pack("<II", 0x8F3B22ED, 4) + b"line"), (9, 6, b"LOADED_IMAGE::LoadOptions\0"),
             (12, 6, struct.pack("<II", 0x40010001, 4) + b"SIPA"), (12, 4, b"WBCL"), (0xFFFFFFFF, 3, b"trust point"),
             (5, 0x80000007, b"Exit Boot Services Invocation"),
             (5, 0x80000007, b"Exit Boot Services Returned with Success")]
    log = b"".join(event(banks, register(pcr), kind, data) for pcr, kind, data in rows if register(pcr) is not None)
    return log + event(banks, register(8), 13, b"kernel_cmdline: root=/dev/sda1\0", b"root=/dev/sda1")


def rtmr(pcr):
    return None if pcr in (0, 0xFFFFFFFF) else 1 if pcr in (1, 7) else 2 if pcr <= 6 else 3


seed("eventlog", "secure", header([0x0B]) + boot([0x0B], lambda pcr: pcr))
seed("eventlog", "banks", header([0x04, 0x0B, 0x0C]) + event([0x04, 0x0B, 0x0C], 0, 0x80000010, b"HCRTM") + bytes(64))
seed("eventlog", "cc", header([0x0C], 1) + boot([0x0C], rtmr) + b"\xff" * 64)
seed("eventlog", "old", old_event(0, 8, b"Firmware") + old_event(4, 0x80000003, IMAGE) + old_event(12, 4, b"WBCL"))
seed("eventlog", "debugger", header([0x0B]) + event([0x0B], 7, 0x80000001, variable(GLOBAL, "SecureBoot", b"")) +
     event([0x0B], 7, 0x80000001, variable(GLOBAL, "AuditMode", b"\1")) + event([0x0B], 7, 0x80000007, b"UEFI Debug Mode") +
     event([0x0B], 7, 4, b"\1\0\0\0"))
seed("eventlog", "lies", header([0x0B]) + event([0x0B], 7, 0x80000001, variable(GLOBAL, "PK", KEYS), b"another") +
     event([0x0B], 5, 0x80000006, TABLE, b"another") + event([0x0B], 4, 0x80000003, b"short"))

seed("uefi", "variable", variable(IMAGE_SECURITY, "db", KEYS))
seed("uefi", "lists", KEYS + signatures(SHA256, []))
seed("uefi", "option", OPTION)
seed("uefi", "image", IMAGE)
seed("uefi", "table", TABLE)
seed("uefi", "tag", struct.pack("<II", 0x8F3B22EC, 12) + b"Linux initrd")
seed("uefi", "wide", utf16("Firmware 1\0"))
name = b"".join(b"\x31" + bytes([len(a) + 2]) + b"\x30" + bytes([len(a)]) + a for a in
                (b"\x06\x03\x55\x04\x06\x13\x02DE", b"\x06\x03\x55\x04\x0a\x0c\x03Org", b"\x06\x03\x55\x04\x03\x1e\x04\0A\0B"))
seed("uefi", "name", b"\x30" + bytes([len(name)]) + name)
nodes = [(1, 1, b"\0\1"), (1, 3, bytes(20)), (1, 4, bytes(16)), (1, 9, b""), (2, 1, struct.pack("<II", 0x0A0841D0, 1)),
         (2, 1, bytes(8)), (2, 3, b""), (4, 1, bytes(37) + b"\1"), (4, 1, bytes(38)), (4, 2, bytes(20)), (4, 3, bytes(16)),
         (4, 6, bytes(16)), (4, 7, bytes(16)), (4, 8, bytes(20)), (4, 9, bytes(16)), (4, 99, b""), (5, 1, bytes(4) + b"CD"),
         (0x7F, 1, b"")] + [(3, sub, bytes(16)) for sub in (1, 2, 5, 10, 11, 12, 13, 17, 18, 23, 24, 26, 29, 99)]
seed("uefi", "paths", b"".join(node(*n) for n in nodes) + END)
