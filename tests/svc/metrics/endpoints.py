"""The HTTP of the exporters: paths, methods, limits."""
import http.client
import socket
import sys
import time

PORTS = {"joinservice": 9190, "verificationservice": 9191, "keyservice": 9192, "nodenetwork": 9193, "attester": 9194}
wrong = []


def ask(port, method, path, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.getheaders(), answer.read()


def expect(name, fact, seen):
    if not fact:
        wrong.append("%s: %r" % (name, seen))


for name, port in PORTS.items():
    ready = 503 if name == "nodenetwork" else 200   # it has no Node object here
    for path, status in (("/healthz", 200), ("/readyz", ready), ("/metrics", 200), ("/", 404), ("/metrics/", 404)):
        answer = ask(port, "GET", path)
        expect(name + " GET " + path, answer[0] == status, answer)
    answer = ask(port, "GET", "/metrics")
    kind = dict(answer[1]).get("Content-Type")
    expect(name + " content type", kind == "text/plain; version=0.0.4; charset=utf-8", kind)
    expect(name + " closes", dict(answer[1]).get("Connection") == "close", answer[1])
    head = ask(port, "HEAD", "/metrics")
    expect(name + " HEAD", head[0] == 200 and head[2] == b"", head)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = ask(port, method, "/metrics")
        expect(name + " " + method, answer[0] == 405 and dict(answer[1]).get("Allow") == "GET, HEAD", answer)
    answer = ask(port, "GET", "/metrics", {"X-Long": "x" * 60000})
    expect(name + " long header", 400 <= answer[0] < 500, answer)
expect("why it is not ready", ask(9193, "GET", "/readyz")[2] == b"no_node\n", ask(9193, "GET", "/readyz"))

# Garbage, halves, floods and sleepers cost nobody else an answer, and nothing stays.
for bytes_ in (b"\0" * 100, b"GET /metrics", b"GET /metrics HTTP/9.9\r\n\r\n", b"\r\n" * 5000, bytes(range(256)) * 40,
               b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
               b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"):
    for _ in range(3):
        s = socket.create_connection(("127.0.0.1", 9192), timeout=5)
        try:
            s.sendall(bytes_)
        except OSError:
            pass
        s.close()
expect("after garbage", ask(9192, "GET", "/healthz")[0] == 200, None)
sleepers = [socket.create_connection(("127.0.0.1", 9192), timeout=30) for _ in range(40)]
began = time.monotonic()
answer = ask(9192, "GET", "/healthz")
expect("while 40 others sleep", answer[0] == 200 and time.monotonic() - began < 5, (answer, time.monotonic() - began))
# A byte every second, for ever: cut after ten seconds.
slow = socket.create_connection(("127.0.0.1", 9190), timeout=2)
began = time.monotonic()
cut = None
for byte in b"GET /healthz HTTP/1.1\r\nX-Slow: " + b"x" * 60:
    try:
        slow.sendall(bytes([byte]))
        slow.settimeout(1)
        if slow.recv(100) == b"":
            cut = time.monotonic() - began
            break
    except socket.timeout:
        continue
    except OSError:
        cut = time.monotonic() - began
        break
expect("a slow request is cut", cut is not None and 5 < cut < 20, cut)
for s in sleepers:
    s.close()
print("\n".join(wrong) or "ok")
sys.exit(bool(wrong))
