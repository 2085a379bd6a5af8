// A join storm: many nodes join one joinservice at once. Shipped programs, a real etcd, API server and controller manager,
// the joinservice's own ServiceAccount with the rights of its manifest, real aTLS, real evidence, real tickets. All on one
// machine, this client included.
//   bench_storm [--nodes 200] [--rounds 3] [--hostile 5] [--window 64]
// Rounds of --nodes honest nodes, then one more in which --hostile percent stall, cut the connection, or lie. Each node has
// a name, disk, address, keys, certificate request and attestation key of its own; two software TPMs hold the keys, so what
// nodes share is the TPM's PCRs (an image) and its seeds, not an identity: without an EK certificate that is the AK's name.
// Fails when an honest node gets no ticket, when a hostile one gets one, or when the joinservice's memory does not stay flat.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>

#include "crypto/base/fd.h"
#include "crypto/base/log.h"
#include "tests/svc/live/fleet.h"

using namespace cstl;
using namespace cstl::test;

namespace {
constexpr int64_t kNodeMs = 90'000;       // a node gives up
constexpr long kFlatKib = 3072;           // what the resident set may grow after the first round

enum class Manner { honest, stalls_early, stalls_late, cuts_early, cuts_late, lies_csr, lies_disk, lies_role, garbage };
constexpr Manner kHostile[] = {Manner::stalls_early, Manner::cuts_early, Manner::lies_csr,    Manner::stalls_late,
                               Manner::cuts_late,    Manner::lies_disk,  Manner::lies_role, Manner::garbage};

struct Visitor {
  FleetNode node;
  Manner manner = Manner::honest;
  AppraisalPolicy policy;
  std::unique_ptr<QuoteBatch> batch;
  std::unique_ptr<Session> session;
  std::vector<uint8_t> body;
  int64_t begun = 0, ended = 0;
  bool asked = false, done = false, ticket = false, stalled = false;
  Error error{Code::ok};
  std::string why;
};

struct Round {
  size_t joined = 0, failed = 0, hostile = 0, hostile_tickets = 0;
  double seconds = 0;
  std::vector<int64_t> latencies;
  long rss_kib = 0;
  double cpu_ms = 0;
};

long status_kib(pid_t pid, const char* key) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, std::strlen(key), key) == 0) return std::strtol(line.c_str() + std::strlen(key) + 1, nullptr, 10);
  }
  return 0;
}

double cpu_ms(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string all((std::istreambuf_iterator<char>(file)), {});
  long ticks[15] = {};
  const char* at = all.c_str() + all.rfind(')') + 2;
  for (int i = 2; i < 15 && *at != 0; ++i) {
    ticks[i] = std::strtol(at, nullptr, 10);
    at = std::strchr(at, ' ');
    if (at == nullptr) break;
    ++at;
  }
  return 10.0 * static_cast<double>(ticks[13] + ticks[14]);
}

void open_session(Fleet& fleet, Visitor& v) {
  v.begun = monotonic_ms();
  v.policy.values = &fleet.accepted;
  v.policy.cluster = ClusterRule::inside;
  v.policy.now = time(nullptr);
  v.batch = std::make_unique<QuoteBatch>(*v.node.ak);
  SessionConfig config;
  config.identity = v.node.identity.get();
  config.demand = &v.policy;
  config.attester = v.batch.get();
  config.require_attesting = true;
  config.handshake_ms = config.evidence_ms = config.request_ms = static_cast<int>(kNodeMs);
  auto fd = connect_tcp(fleet.endpoint, 20'000);
  auto session = fd.ok() ? Session::create(std::move(*fd), config) : Result<std::unique_ptr<Session>>(fd.error());
  if (!session.ok()) {
    v.error = session.error();
    v.done = true;
    return;
  }
  v.session = std::move(*session);
  (void)v.session->step();   // the first words are the client's; an error shows at the next step
}

void finish(Visitor& v, const Error& error) {
  v.error = error;
  if (v.session) v.why = v.session->peer_text();
  v.session.reset();
  v.ended = monotonic_ms();
  v.done = true;
}

Status ask(Fleet& fleet, Visitor& v, const FleetNode& victim) {
  JoinRequest request = v.node.request();
  std::vector<uint8_t> csr;
  if (v.manner == Manner::lies_csr) request.csr = csr = fleet.csr(v.node, "/O=system:masters/CN=system:node:" + v.node.name);
  if (v.manner == Manner::lies_disk) request.disk = victim.disk;
  if (v.manner == Manner::lies_role) request.role = Role::control_plane;
  v.body.resize(kMaxJoinRequest);
  TRY_LET(Bytes body, request.encode(v.body));
  if (v.manner == Manner::garbage) body = body.first(body.size() / 2);
  return v.session->send(FrameType::join_request, body);
}

void step(Fleet& fleet, Visitor& v, const FleetNode& victim) {
  if (v.done || v.stalled) return;
  if (Status moved = v.session->step(); !moved.ok()) return finish(v, moved.error());
  if (v.session->waits_for_quote()) {
    if (v.manner == Manner::stalls_early) {
      v.stalled = true;
      return;
    }
    if (v.manner == Manner::cuts_early) return finish(v, fail(Code::closed, "storm.cut"));
    v.batch->flush();
    if (Status moved = v.session->step(); !moved.ok()) return finish(v, moved.error());
  }
  if (!v.session->open()) return;
  if (!v.asked) {
    if (v.manner == Manner::stalls_late) {
      v.stalled = true;
      return;
    }
    if (Status sent = ask(fleet, v, victim); !sent.ok()) return finish(v, sent.error());
    v.asked = true;
    if (Status moved = v.session->step(); !moved.ok()) return finish(v, moved.error());
    if (v.manner == Manner::cuts_late) return finish(v, fail(Code::closed, "storm.cut"));
  }
  auto frame = v.session->receive();
  if (!frame.ok()) return finish(v, frame.error());
  if (!frame->has_value()) return;
  if ((*frame)->type == FrameType::join_ticket) {
    auto ticket = JoinTicket::decode((*frame)->body.declassify());
    v.ticket = ticket.ok() && ticket->kubernetes.has_value() && !ticket->kubernetes->certificate.empty();
    return finish(v, ticket.ok() ? Error{Code::ok} : ticket.error());
  }
  finish(v, fail(Code::frame_type, "storm.answer"));
}

Round storm(Fleet& fleet, size_t nodes, size_t hostile_percent, size_t window) {
  std::vector<std::unique_ptr<Visitor>> all;
  size_t kind = 0;
  for (size_t i = 0; i < nodes; ++i) {
    auto v = std::make_unique<Visitor>();
    v->node = fleet.node(i % 2 == 0 ? Role::worker : Role::control_plane);  // the image, and so the TPM
    v->node.role = Role::worker;
    // Spread over the round.
    if (hostile_percent > 0 && (i * hostile_percent) / 100 != ((i + 1) * hostile_percent) / 100) {
      v->manner = kHostile[kind++ % std::size(kHostile)];
      if (v->manner == Manner::lies_role && i % 2 != 0) v->manner = Manner::lies_disk;  // that image may be a control plane
    }
    all.push_back(std::move(v));
  }
  Round out;
  const double cpu = cpu_ms(fleet.joinservice->pid());
  const int64_t start = monotonic_ms();
  int64_t last = start;
  size_t next = 0;
  for (;;) {
    size_t running = 0, open_honest = 0;
    for (size_t i = 0; i < next; ++i) running += !all[i]->done && !all[i]->stalled;
    for (; next < all.size() && running < window; ++next, ++running) open_session(fleet, *all[next]);
    std::vector<pollfd> fds;
    std::vector<Visitor*> waiting;
    for (auto& v : all) {
      if (!v->session || v->done || v->stalled) continue;
      if (v->session->waits_for_quote() || v->session->quote_ready()) {
        step(fleet, *v, all[0]->node);
        if (v->done || v->stalled) continue;
      }
      fds.push_back({v->session->fd(), v->session->events(), 0});
      waiting.push_back(v.get());
    }
    for (auto& v : all) open_honest += v->manner == Manner::honest && !v->done;
    if (open_honest == 0 && waiting.empty() && next == all.size()) break;
    if (poll(fds.data(), fds.size(), 50) < 0) break;
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].revents != 0) step(fleet, *waiting[i], all[0]->node);
      if (!waiting[i]->done && monotonic_ms() - waiting[i]->begun > kNodeMs) finish(*waiting[i], fail(Code::timeout, "storm.node"));
      if (waiting[i]->done && waiting[i]->manner == Manner::honest) last = monotonic_ms();
    }
  }
  for (auto& v : all) {
    if (v->manner != Manner::honest) {
      ++out.hostile;
      out.hostile_tickets += v->ticket;
    } else if (v->ticket) {
      ++out.joined;
      out.latencies.push_back(v->ended - v->begun);
    } else {
      ++out.failed;
      std::printf("  %s failed: %s %s\n", v->node.name.c_str(), describe(v->error).c_str(), v->why.c_str());
    }
  }
  out.seconds = static_cast<double>(last - start) / 1000;
  out.cpu_ms = cpu_ms(fleet.joinservice->pid()) - cpu;
  std::sort(out.latencies.begin(), out.latencies.end());
  all.clear();   // stalled peers leave
  usleep(1'500'000);
  out.rss_kib = status_kib(fleet.joinservice->pid(), "VmRSS:");
  return out;
}

void print(const char* name, const Round& r) {
  auto at = [&](size_t percent) { return r.latencies.empty() ? 0 : r.latencies[(r.latencies.size() - 1) * percent / 100]; };
  std::printf("%-10s %4zu joined, %zu failed, %zu hostile (%zu tickets)  %6.1f joins/s  p50 %5lld ms  p95 %5lld ms  p99 %5lld ms  "
              "joinservice %5.1f ms CPU/join, RSS %ld KiB\n",
              name, r.joined, r.failed, r.hostile, r.hostile_tickets,
              r.seconds > 0 ? static_cast<double>(r.joined) / r.seconds : 0, static_cast<long long>(at(50)),
              static_cast<long long>(at(95)), static_cast<long long>(at(99)),
              r.joined > 0 ? r.cpu_ms / static_cast<double>(r.joined) : 0, r.rss_kib);
  std::fflush(stdout);
}
}  // namespace

int main(int argc, char** argv) {
  size_t nodes = 200, rounds = 3, hostile = 5, window = 64;
  for (int i = 1; i + 1 < argc; i += 2) {
    size_t value = static_cast<size_t>(std::strtoul(argv[i + 1], nullptr, 10));
    if (std::strcmp(argv[i], "--nodes") == 0) nodes = value;
    if (std::strcmp(argv[i], "--rounds") == 0) rounds = value;
    if (std::strcmp(argv[i], "--hostile") == 0) hostile = value;
    if (std::strcmp(argv[i], "--window") == 0) window = value;
  }
  Fleet& fleet = Fleet::get();
  std::printf("storm: %zu nodes a round, %zu at once; joinservice RSS at start %ld KiB\n", nodes, window,
              status_kib(fleet.joinservice->pid(), "VmRSS:"));
  std::fflush(stdout);
  bool good = true;
  long first = 0, last = 0;
  for (size_t i = 0; i < rounds; ++i) {
    Round r = storm(fleet, nodes, 0, window);
    print(("round " + std::to_string(i + 1)).c_str(), r);
    good = good && r.failed == 0 && r.joined == nodes;
    if (i == 0) first = r.rss_kib;
    last = r.rss_kib;
  }
  if (hostile > 0) {
    Round r = storm(fleet, nodes, hostile, window);
    print("hostile", r);
    good = good && r.failed == 0 && r.hostile_tickets == 0 && r.joined + r.hostile == nodes;
    last = r.rss_kib;
  }
  if (last - first > kFlatKib) {
    std::printf("memory grew by %ld KiB after the first round\n", last - first);
    good = false;
  }
  std::printf("peak RSS %ld KiB; %s\n", status_kib(fleet.joinservice->pid(), "VmHWM:"), good ? "ok" : "FAILED");
  return good ? 0 : 1;
}
