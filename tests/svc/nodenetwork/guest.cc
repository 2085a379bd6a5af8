// What tests/svc/nodenetwork_test.sh runs inside its virtual machine: the service's own parts with a file in the place
// of the API server (one JSON object per line), and small programs that send, answer and watch packets.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "crypto/base/fd.h"
#include "crypto/base/log.h"
#include "svc/nodenetwork/cni.h"
#include "svc/nodenetwork/confine.h"
#include "svc/nodenetwork/key_file.h"
#include "svc/nodenetwork/reconcile.h"

namespace cstl {
namespace {

constexpr size_t kMaxObjects = 1 << 20;

int problem(const char* what) {
  std::perror(what);
  return 1;
}

Inventory read_objects(const char* path) {
  Inventory out;
  auto text = read_file(path, kMaxObjects);
  std::string_view rest = text.ok() ? Bytes(*text).text() : std::string_view();
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    auto object = parse_json(rest.substr(0, end), kMaxObjects, 64);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (!object.ok()) continue;
    const bool node = (*object)["kind"] == "Node";
    auto put = node ? out.put_node(*object) : out.put_record(*object);
    if (!put.ok()) log_error("object.refused", put.error());
  }
  return out;
}

// agent NAME FOLDER: key, objects and cni/ lie in FOLDER. Reads the objects twice a second.
Status agent(const char* name, const std::string& folder) {
  std::string setting;
  TRY(check_settings(&setting));
  TRY_LET(WireguardSecret key, read_private_key((folder + "/key").c_str()));
  TRY_LET(Network network, Network::open());
  TRY_LET(PodRange range, parse_pod_range("10.244.0.0/16"));
  const std::string cni = folder + "/cni", objects = folder + "/objects";
  Reconciler reconciler(std::move(network), std::move(key), name, range, cni);
  TRY(confine({{"$token", folder.c_str()}, {"$cni", cni.c_str()}}));
  TRY(reconciler.protect());
  uint64_t rounds = 0;
  while (true) {
    TRY_LET(Round round, reconciler.run(read_objects(objects.c_str())));
    TRY_LET(Observed observed, reconciler.observe());
    const Applied& a = round.applied;
    if (a.any() || ++rounds % 10 == 1) {
      log_info("round", {{"own", round.state.own ? "ready" : "not_ready"},
                         {"peers", static_cast<int64_t>(round.state.peers.size())},
                         {"skipped", round.state.skipped.empty() ? "none" : skip_name(round.state.skipped[0].reason)},
                         {"changed", a.any() ? "yes" : "no"}, {"created", a.created ? "yes" : "no"},
                         {"peers_changed", static_cast<int64_t>(a.peers_changed)},
                         {"peers_removed", static_cast<int64_t>(a.peers_removed)},
                         {"key_differs", round.key_differs ? "yes" : "no"},
                         {"arriving", static_cast<int64_t>(observed.dropped_arriving)},
                         {"leaving", static_cast<int64_t>(observed.dropped_leaving)}});
    }
    for (int64_t end = monotonic_ms() + 400; monotonic_ms() < end;) {
      (void)poll(nullptr, 0, 50);
    }
  }
}

Fd tcp() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{2, 0};
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return fd;
}

sockaddr_in address_of(const char* text, int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, text, &out.sin_addr) != 1) std::exit(2);
  return out;
}

// answer: TCP port 80; tells each caller what address it has.
int answer() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int one = 1;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const sockaddr_in any = address_of("0.0.0.0", 80);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return problem("answer");
  if (listen(fd.get(), 16) != 0) return problem("answer");
  while (true) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    Fd caller(accept(fd.get(), reinterpret_cast<sockaddr*>(&peer), &size));
    char text[INET_ADDRSTRLEN + 1] = "";
    inet_ntop(AF_INET, &peer.sin_addr, text, sizeof text);
    (void)send(caller.get(), text, std::strlen(text), MSG_NOSIGNAL);
  }
}

// ask ADDRESS: prints the address that the other side sees.
int ask(const char* address) {
  Fd fd = tcp();
  const sockaddr_in to = address_of(address, 80);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return problem("ask");
  char text[64];
  const ssize_t n = recv(fd.get(), text, sizeof text, 0);
  if (n <= 0) return problem("ask");
  std::printf("%.*s\n", static_cast<int>(n), text);
  return 0;
}

// receive PORT: prints a line for each datagram.
int receive(int port) {
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in any = address_of("0.0.0.0", port);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return problem("receive");
  std::puts("listening");
  std::fflush(stdout);
  char data[64];
  while (recv(fd.get(), data, sizeof data, 0) >= 0) {
    std::puts("datagram");
    std::fflush(stdout);
  }
  return 0;
}

// inject SOURCE TO PORT: one UDP packet with a source of choice.
int inject(const char* source, const char* to, int port) {
  Fd fd(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  struct {
    iphdr ip;
    udphdr udp;
    char data[4];
  } packet{};
  const sockaddr_in from = address_of(source, 9), target = address_of(to, port);
  packet.ip.version = 4;
  packet.ip.ihl = 5;
  packet.ip.ttl = 64;
  packet.ip.protocol = IPPROTO_UDP;
  packet.ip.saddr = from.sin_addr.s_addr;
  packet.ip.daddr = target.sin_addr.s_addr;
  packet.udp.source = from.sin_port;
  packet.udp.dest = target.sin_port;
  packet.udp.len = htons(sizeof packet.udp + sizeof packet.data);  // no checksum: allowed in IPv4
  const auto* destination = reinterpret_cast<const sockaddr*>(&target);
  if (sendto(fd.get(), &packet, sizeof packet, 0, destination, sizeof target) < 0) return problem("inject");
  return 0;
}

// capture INTERFACE: a line for each IPv4 packet that it sees, "udp51820" or "PROTOCOL SOURCE TO". All protocols are
// asked for, since a bridge takes packets away before those who ask for one see them.
int capture(const char* interface) {
  Fd fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_protocol = htons(ETH_P_ALL);
  link.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&link), sizeof link) != 0) return problem("capture");
  while (true) {
    uint8_t data[2048];
    sockaddr_ll from_link{};
    socklen_t size = sizeof from_link;
    const ssize_t n = recvfrom(fd.get(), data, sizeof data, 0, reinterpret_cast<sockaddr*>(&from_link), &size);
    if (from_link.sll_protocol != htons(ETH_P_IP) || n < static_cast<ssize_t>(sizeof(iphdr) + sizeof(udphdr))) continue;
    iphdr ip;
    udphdr udp;
    std::memcpy(&ip, data, sizeof ip);
    std::memcpy(&udp, data + sizeof ip, sizeof udp);
    char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &ip.saddr, from, sizeof from);
    inet_ntop(AF_INET, &ip.daddr, to, sizeof to);
    if (ip.protocol == IPPROTO_UDP && ntohs(udp.dest) == kWireguardPort) {
      std::printf("udp51820 %s %s\n", from, to);
    } else {
      std::printf("%d %s %s\n", ip.protocol, from, to);
    }
    std::fflush(stdout);
  }
}

// plugin FILE: what the first plugin of a CNI configuration list is given on its standard input.
int plugin(const char* path) {
  auto text = read_file(path, kMaxObjects);
  if (!text.ok()) return 1;
  auto list = parse_json(Bytes(*text).text(), kMaxObjects);
  if (!list.ok()) return 1;
  nlohmann::json first = (*list)["plugins"][0];
  first["cniVersion"] = (*list)["cniVersion"];
  first["name"] = (*list)["name"];
  std::puts(first.dump().c_str());
  return 0;
}

int run(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "agent" && argc == 4) {
    log_as("agent");
    Status status = agent(argv[2], argv[3]);
    log_error("agent.ended", status.error());
    return 1;
  }
  if (what == "answer") return answer();
  if (what == "ask" && argc == 3) return ask(argv[2]);
  if (what == "receive" && argc == 3) return receive(std::atoi(argv[2]));
  if (what == "inject" && argc == 5) return inject(argv[2], argv[3], std::atoi(argv[4]));
  if (what == "capture" && argc == 3) return capture(argv[2]);
  if (what == "plugin" && argc == 3) return plugin(argv[2]);
  return 2;
}

}  // namespace
}  // namespace cstl

int main(int argc, char** argv) { return cstl::run(argc, argv); }
