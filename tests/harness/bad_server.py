#!/usr/bin/env python3
"""An HTTPS server on loopback that does what the path says, mostly wrong things.

usage: bad_server.py CERTIFICATE KEY
Prints port=… (TLS) and plain=… (no TLS), then ready; ends with its standard input. Commands, each answered with `done`:
  file PATH NAME     serve the file PATH as /files/NAME, with Range
  header NAME TEXT   send the header line TEXT (percent signs stay) with that file
  reset              forget what was counted
  token TEXT         what /token/… wants as bearer token; else 401
"""
import os
import socket
import ssl
import sys
import threading
import time

files = {}
file_headers = {}
counts = {}
wanted_token = ["good"]
lock = threading.Lock()


def count(name):
    with lock:
        counts[name] = counts.get(name, 0) + 1
        return counts[name]


def answer(c, status, body=b"{}", extra=b"", length=None):
    length = len(body) if length is None else length
    c.sendall(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n" % (status, length, extra) + body)


def serve_file(c, name, headers, cut=None):
    with open(files[name], "rb") as f:
        data = f.read()
    start = 0
    wanted = headers.get("range", "")
    if wanted.startswith("bytes=") and wanted.endswith("-"):
        start = int(wanted[6:-1])
    body = data[start:]
    status, extra = b"200 OK", file_headers.get(name, b"")
    if wanted:
        status = b"206 Partial Content"
        extra += b"Content-Range: bytes %d-%d/%d\r\n" % (start, len(data) - 1, len(data))
    if start >= len(data) and wanted:
        answer(c, b"416 Range Not Satisfiable", b"")
        return True
    if cut is not None and len(body) > cut:
        answer(c, status, body[:cut], extra, len(body))
        return False
    answer(c, status, body, extra)
    return True


def handle(c, path, headers, port, plain):
    """True to keep the connection."""
    what, _, rest = path.split("?")[0].strip("/").partition("/")
    base = "https://127.0.0.1:%d" % port
    if what == "garbage":
        c.sendall(os.urandom(4096))
        return False
    if what == "html":
        answer(c, b"200 OK", b"<html>\x1b[2J hello</html>")
    elif what == "array":
        answer(c, b"200 OK", b"[1,2]")
    elif what == "deep":
        answer(c, b"200 OK", b'{"a":' * 5000 + b"1" + b"}" * 5000)
    elif what == "cut":
        answer(c, b"200 OK", b'{"a":', length=500)
        return False
    elif what == "nothing":
        return False
    elif what == "silent":
        time.sleep(20)
    elif what == "slow":
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            c.sendall(b" ")
            time.sleep(0.2)
    elif what == "huge":
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            c.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
    elif what == "headers":
        c.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            c.sendall(b"X-Flood: " + b"x" * 4000 + b"\r\n")
    elif what == "redirect":
        answer(c, b"302 Found", b"", b"Location: " + base.encode() + b"/array\r\n")
    elif what == "status":
        answer(c, b"%d Whatever" % int(rest), b'{"kind":"Status","message":"so be it\\u001b[2J","code":%d}' % int(rest))
    elif what == "token":
        good = headers.get("authorization") == "Bearer " + wanted_token[0]
        answer(c, b"200 OK" if good else b"401 Unauthorized", b'{"good":true}' if good else b'{"message":"Unauthorized"}')
    elif what == "seen":
        answer(c, b"200 OK", b'{"count":%d}' % counts.get(rest, 0))
    elif what == "conflict":  # PUT never goes through
        n = count("conflict")
        answer(c, b"200 OK" if n % 2 == 1 else b"409 Conflict", b'{"metadata":{"name":"x"}}')
    elif what == "watch":
        # /watch/KIND: a list of one object, then a stream that goes wrong
        if "watch=1" not in path:
            n = count("list-" + rest)
            answer(c, b"200 OK", b'{"metadata":{"resourceVersion":"%d"},"items":[{"metadata":{"name":"a","uid":"1","resourceVersion":"%d"}}]}' % (10 * n, 5 * n))
            return True
        n = count("watch-" + rest)
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

        def line(data):
            data += b"\n"
            c.sendall(b"%x\r\n" % len(data) + data + b"\r\n")

        if rest == "garbage":
            line(b"\x00\x01 not json")
        elif rest == "long":
            while True:
                c.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        elif rest == "gone":
            line(b'{"type":"ERROR","object":{"kind":"Status","message":"too old","code":410}}')
        elif rest == "pieces":
            data = b'{"type":"ADDED","object":{"metadata":{"name":"b","uid":"2","resourceVersion":"20"}}}\n'
            for i in range(len(data)):
                c.sendall(b"1\r\n" + data[i:i + 1] + b"\r\n")
            time.sleep(20)
        elif rest == "silent":
            time.sleep(20)
        elif rest == "cut":
            c.sendall(b"50\r\n{\"type\":\"ADD")
            return False
        c.sendall(b"0\r\n\r\n")
    elif what == "files":
        return serve_file(c, rest, headers)
    elif what == "cutfile":  # every answer stops after 100000 bytes
        count("cutfile")
        return serve_file(c, rest, headers, 100000)
    elif what == "norange":
        headers.pop("range", None)
        return serve_file(c, rest, headers, 100000 if count("norange") == 1 else None)
    elif what == "loop":
        answer(c, b"302 Found", b"", b"Location: " + base.encode() + b"/loop/x\r\n")
    elif what == "hops":
        n = int(rest.split("/")[0])
        to = "/hops/%d/%s" % (n - 1, rest.split("/")[1]) if n > 1 else "/files/" + rest.split("/")[1]
        answer(c, b"302 Found", b"", b"Location: " + base.encode() + to.encode() + b"\r\n")
    elif what == "downgrade":
        answer(c, b"302 Found", b"", b"Location: http://127.0.0.1:%d/files/%s\r\n" % (plain, rest.encode()))
    elif what == "tofile":
        answer(c, b"302 Found", b"", b"Location: file:///etc/passwd\r\n")
    elif what == "flaky":  # 503 twice, then the file
        if count("flaky") <= 2:
            answer(c, b"503 Busy", b"")
        else:
            return serve_file(c, rest, headers)
    else:
        answer(c, b"404 Not Found", b'{"kind":"Status","message":"no such thing","code":404}')
    return True


def connection(c, context, port, plain):
    try:
        c.settimeout(30)
        if context is not None:
            c = context.wrap_socket(c, server_side=True)
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = c.recv(65536)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = {}
            for text in lines[1:]:
                name, _, value = text.partition(":")
                headers[name.strip().lower()] = value.strip()
            length = int(headers.get("content-length", 0))
            while len(data) < length:
                data += c.recv(65536)
            data = data[length:]
            if not handle(c, lines[0].split(" ")[1], headers, port, plain):
                return
    except (OSError, ValueError, IndexError, KeyError):
        pass
    finally:
        try:
            c.close()
        except OSError:
            pass


def listener(context, ports):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(64)
    ports.append(s.getsockname()[1])

    def accept():
        while True:
            c, _ = s.accept()
            threading.Thread(target=connection, args=(c, context, ports[0], ports[-1]), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    ports = []
    listener(context, ports)
    listener(None, ports)
    print("port=%d\nplain=%d\nready" % (ports[0], ports[1]), flush=True)
    for text in sys.stdin:
        words = text.split()
        if words[0] == "file":
            files[words[2]] = words[1]
        elif words[0] == "header":
            file_headers[words[1]] = text.split(" ", 2)[2].strip().encode() + b"\r\n"
        elif words[0] == "reset":
            counts.clear()
        elif words[0] == "token":
            wanted_token[0] = words[1]
        print("done", flush=True)


main()
