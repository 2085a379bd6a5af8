#!/usr/bin/env python3
"""What a UKI measures, computed a second time, independently of attest/predict: one line per event, "PCR digest".

predict.py UKI              prints the events of PCRs 4, 9 and 11, and "pcr PCR value" for each of them and 12
predict.py --sha384 UKI     prints "pcr PCR value" of the SHA-384 bank
predict.py --rtmr1 UKI DISK prints the events of a TD's RTMR1 after a boot of the UKI from that disk, and "rtmr 1 value"
predict.py --make-small OUT writes a small UKI of invented sections (a PE file as its kernel) to OUT
"""
import hashlib
import struct
import sys
import zlib


def sha(data):
    return hashlib.sha256(data).digest()


def headers(pe):
    at = struct.unpack_from("<I", pe, 0x3C)[0]
    count, size = struct.unpack_from("<H", pe, at + 6)[0], struct.unpack_from("<H", pe, at + 20)[0]
    sections = []
    for i in range(count):
        o = at + 24 + size + 40 * i
        virtual, _, raw, offset = struct.unpack_from("<IIII", pe, o + 8)
        sections.append((pe[o:o + 8].rstrip(b"\0").decode(), pe[offset:offset + virtual], offset, raw))
    return at + 24, sections


def authenticode(pe, hashed=sha):
    optional, sections = headers(pe)
    directory = optional + 112 + 32
    end = struct.unpack_from("<I", pe, optional + 60)[0]
    certificates = struct.unpack_from("<I", pe, directory + 4)[0]
    data = pe[:optional + 64] + pe[optional + 68:directory] + pe[directory + 8:end]
    total = end
    for _, _, offset, raw in sorted(sections, key=lambda s: s[2]):
        data += pe[offset:offset + raw]
        total += raw
    return hashed(data + pe[total:len(pe) - certificates])


def member(inode, mode, name, data):
    out = b"070701" + b"".join(b"%08x" % v for v in (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    out += name + b"\0"
    out += b"\0" * (-len(out) % 4)
    return out + data + b"\0" * (-len(data) % 4)


def extra(name, data):
    return (member(1, 0o40555, b".extra", b"") + member(2, 0o100444, b".extra/" + name, data)
            + member(0, 0, b"TRAILER!!!", b"").replace(b"0000000b", b"0000000B"))


def events(uki, hashed=sha):
    found = {name: data for name, data, _, _ in headers(uki)[1]}
    pad = lambda data: data + b"\0" * (-len(data) % 4)
    four = [hashed(b"Calling EFI Application from Boot Option"), hashed(b"\0\0\0\0"), authenticode(uki, hashed),
            authenticode(found[".linux"], hashed)]
    initrd = pad(found.get(".ucode", b"")) + pad(found[".initrd"])
    for section, name in ((".pcrsig", b"tpm2-pcr-signature.json"), (".pcrpkey", b"tpm2-pcr-public-key.pem"),
                          (".osrel", b"os-release")):
        if section in found:
            initrd += extra(name, found[section])
    nine = [hashed(found[".cmdline"].decode().strip().encode("utf-16-le") + b"\0\0"), hashed(initrd)]
    eleven = []
    for name in ".linux .osrel .cmdline .initrd .ucode .splash .uname .sbat .pcrpkey".split():
        if name in found:
            eleven += [hashed(name.encode() + b"\0"), hashed(found[name])]
    return {4: four, 9: nine, 11: eleven, 12: []}


def gpt(disk):
    """UEFI_GPT_DATA of a disk: header, number of used entries, these."""
    header = disk[512:604]
    if header[:8] != b"EFI PART":
        return b""
    crc, (first, count, size, entries_crc) = struct.unpack_from("<I", header, 16)[0], struct.unpack_from("<QIII", header, 72)
    entries = disk[512 * first:512 * first + count * size]
    assert zlib.crc32(header[:16] + bytes(4) + header[20:]) == crc and zlib.crc32(entries) == entries_crc
    used = [e for e in (entries[i * size:(i + 1) * size] for i in range(count)) if any(e[:16])]
    return header + struct.pack("<Q", len(used)) + b"".join(used)


def rtmr1(uki, disk):
    hashed = lambda data: hashlib.sha384(data).digest()
    kernel = {name: data for name, data, _, _ in headers(uki)[1]}[".linux"]
    out = [hashed(b"Calling EFI Application from Boot Option"), hashed(bytes(4))]
    if gpt(disk):
        out.append(hashed(gpt(disk)))
    out += [authenticode(uki, hashed), authenticode(kernel, hashed)]
    return out + [hashed(b"Exit Boot Services Invocation"), hashed(b"Exit Boot Services Returned with Success")]


def make_pe(sections, certificate=b""):
    count, align = len(sections), 64
    up = lambda n: (n + align - 1) // align * align
    size = 112 + 16 * 8
    start = up(0x40 + 24 + size + 40 * count)
    table, body, address = b"", b"", 4096
    for name, data in sections:
        raw = data + b"\xcc" * (up(len(data)) - len(data))
        table += struct.pack("<8sIIIIIIHHI", name.encode(), len(data), address, len(raw), start + len(body), 0, 0, 0, 0,
                             0x40000040)
        body += raw
        address += up(len(data)) + 4096
    optional = bytearray(size)
    struct.pack_into("<H", optional, 0, 0x20B)
    struct.pack_into("<I", optional, 60, start)
    struct.pack_into("<I", optional, 64, 0x12345678)
    struct.pack_into("<I", optional, 108, 16)
    if certificate:
        struct.pack_into("<II", optional, 112 + 32, start + len(body), len(certificate))
    dos = b"MZ" + bytes(0x3A) + struct.pack("<I", 0x40)
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, count, 0, 0, 0, size, 0x22)
    out = dos + coff + bytes(optional) + table
    return out + bytes(start - len(out)) + body + certificate


def make_small(path):
    kernel = make_pe([(".text", b"kernel" * 20), (".data", b"more")])
    open(path, "wb").write(make_pe([
        (".text", b"stub"), (".sbat", b"sbat,1\n"), (".sdmagic", b"#### LoaderInfo: systemd-stub 257.1 ####\0"),
        (".osrel", b"ID=small\n"), (".cmdline", b" console=ttyS0 quiet\n"), (".uname", b"6.12"),
        (".pcrpkey", b"-----BEGIN PUBLIC KEY-----\n"), (".pcrsig", b"{}"), (".ucode", b"microcode"),
        (".linux", kernel), (".initrd", b"an initrd of odd length")], b"certificates are skipped"))


if sys.argv[1] == "--make-small":
    make_small(sys.argv[2])
elif sys.argv[1] == "--sha384":
    hashed = lambda data: hashlib.sha384(data).digest()
    for pcr, digests in events(open(sys.argv[2], "rb").read(), hashed).items():
        value = bytes(48)
        for digest in digests:
            value = hashed(value + digest)
        print("pcr", pcr, value.hex())
elif sys.argv[1] == "--rtmr1":
    value = bytes(48)
    for digest in rtmr1(*(open(path, "rb").read() for path in sys.argv[2:4])):
        print(1, digest.hex())
        value = hashlib.sha384(value + digest).digest()
    print("rtmr 1", value.hex())
else:
    for pcr, digests in events(open(sys.argv[1], "rb").read()).items():
        value = bytes(32)
        for digest in digests:
            print(pcr, digest.hex())
            value = sha(value + digest)
        print("pcr", pcr, value.hex())
