#!/usr/bin/env python3
"""capture.py FILE --pods CIDR --services CIDR: what crossed the machines' network, and that no packet of a pod or a
Service was among it in clear, not even inside of another packet's payload; that WireGuard was. FILE is pcap, Ethernet."""
import argparse
import collections
import ipaddress
import struct
import sys

MACHINES = bytes.fromhex("525400c571")  # how the MAC addresses of machines begin
WIREGUARD = 51820


def frames(data):
    magic, = struct.unpack("<I", data[:4])
    if magic != 0xA1B2C3D4 or struct.unpack("<I", data[20:24])[0] != 1:
        sys.exit("not a pcap file of Ethernet frames")
    at = 24
    while at + 16 <= len(data):
        size, = struct.unpack("<I", data[at + 8:at + 12])
        yield data[at + 16:at + 16 + size]
        at += 16 + size


def kind(packet):
    """A name for an IPv4 packet, as "udp 51820" or "tcp 6443": the lower port is the server's, nearly always."""
    protocol, head = packet[9], (packet[0] & 15) * 4
    if protocol not in (6, 17) or len(packet) < head + 4:
        return "IPv4 protocol %d" % protocol
    ports = struct.unpack("!HH", packet[head:head + 4])
    if WIREGUARD in ports and protocol == 17:
        return "WireGuard"
    return "%s %d" % ("tcp" if protocol == 6 else "udp", min(ports))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--pods", required=True, type=ipaddress.ip_network)
    parser.add_argument("--services", required=True, type=ipaddress.ip_network)
    parser.add_argument("--secret", default="hello from ", help="what pods say to each other")
    options = parser.parse_args()
    seen, clear, total = collections.Counter(), [], 0
    with open(options.file, "rb") as file:
        data = file.read()
    for frame in frames(data):
        total += 1
        if not (frame[:5] == MACHINES and frame[6:11] == MACHINES):
            continue  # not from one machine to another
        if frame[12:14] != b"\x08\x00" or len(frame) < 34:
            seen["Ethernet type " + frame[12:14].hex()] += 1
            continue
        packet = frame[14:]
        what = kind(packet)
        seen[what] += 1
        ends = [ipaddress.ip_address(packet[12:16]), ipaddress.ip_address(packet[16:20])]
        inside = any(end in network for end in ends for network in (options.pods, options.services))
        if inside or (options.secret.encode() in packet and what != "WireGuard"):
            clear.append("%s -> %s %s" % (ends[0], ends[1], what))
    print("%d frames; between machines:" % total)
    for what, count in seen.most_common():
        print("%8d  %s" % (count, what))
    for line in clear[:10]:
        print("in clear: " + line)
    if not seen["WireGuard"]:
        sys.exit("no WireGuard packet was seen")
    if clear:
        sys.exit("%d packets of pods were in clear" % len(clear))


main()
