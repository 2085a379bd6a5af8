// What a session costs: TLS and aTLS handshakes per second of CPU (both ends and their verification together; the TPM is a
// process of its own and not counted), and evidence verifications per second. Real evidence, from a software TPM.
#include <cstdio>
#include <ctime>

#include "crypto/base/log.h"
#include "tests/attest/atls/rig.h"

using namespace cstl;
using namespace cstl::test;

namespace {
// Sessions at once, as in a join storm: one quote serves many. Fewer than PSA has key slots (32), since all clients are in
// this one process and each holds one until the server answers.
constexpr size_t kWave = 24;
constexpr double kSeconds = 3;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Repeats `work`, which does `each` units, for kSeconds of CPU.
template <typename Work>
bool measure(const char* name, size_t each, Work work) {
  size_t done = 0;
  double start = cpu_seconds();
  double spent = 0;
  while (spent < kSeconds) {
    if (!work()) {
      std::fprintf(stderr, "%s failed\n", name);
      return false;
    }
    done += each;
    spent = cpu_seconds() - start;
  }
  std::printf("%-58s %8.0f per CPU-second\n", name, static_cast<double>(done) / spent);
  std::fflush(stdout);
  return true;
}

bool tls_handshake(const Rig& rig) {
  auto [near, far] = socket_pair();
  auto client = TlsSession::create(TlsSide::client, std::move(near), *rig.client);
  auto server = TlsSession::create(TlsSide::server, std::move(far), *rig.server);
  if (!client.ok() || !server.ok()) return false;
  for (int turn = 0; turn < 10; ++turn) {
    Result<TlsWant> a = (*client)->handshake();
    Result<TlsWant> b = (*server)->handshake();
    if (!a.ok() || !b.ok()) return false;
    if (*a == TlsWant::nothing && *b == TlsWant::nothing) return true;
  }
  return false;
}

// kWave sessions from socket to open; a side whose peer demands attests.
bool wave(Rig& rig, const AppraisalPolicy* client_demand, const AppraisalPolicy* server_demand) {
  QuoteBatch batch(*rig.issuer);
  SessionConfig client = rig.config(TlsSide::client, client_demand, server_demand != nullptr ? &batch : nullptr);
  SessionConfig server = rig.config(TlsSide::server, server_demand, client_demand != nullptr ? &batch : nullptr);
  std::vector<std::unique_ptr<Session>> owned;
  std::vector<Session*> ends;
  for (size_t i = 0; i < kWave; ++i) {
    auto [near, far] = socket_pair();
    auto a = Session::create(std::move(near), client);
    auto b = Session::create(std::move(far), server);
    if (!a.ok() || !b.ok()) return false;
    for (auto* made : {&a, &b}) {
      ends.push_back((*made)->get());
      owned.push_back(std::move(**made));
    }
  }
  auto settled = [&] {
    for (Session* end : ends) {
      if (!end->open() && end->state() != Session::State::closed) return false;
    }
    return true;
  };
  if (!pump(ends, &batch, settled)) return false;
  bool good = true;
  for (Session* end : ends) {
    if (end->open()) continue;
    std::fprintf(stderr, "a session ended: %s %s\n", describe(end->step().error()).c_str(), end->peer_text().c_str());
    good = false;
  }
  return good;
}
}  // namespace

int main() {
  Rig& rig = Rig::get();
  Digest32 binding{};
  auto evidence = rig.issuer->sign({binding});
  if (!evidence.ok() || evidence->size() != 1) return 1;
  Bytes bytes = (*evidence)[0];
  bool good = measure("TLS 1.3 handshakes, mutual certificates, both ends", 1, [&] { return tls_handshake(rig); }) &&
              measure("aTLS handshakes, server attests, both ends", kWave, [&] { return wave(rig, &rig.policy, nullptr); }) &&
              measure("aTLS handshakes, both attest, both ends", kWave, [&] { return wave(rig, &rig.policy, &rig.policy); }) &&
              measure("evidence verified, AK without endorsement", 1, [&] { return appraise(bytes, binding, rig.policy).passed(); }) &&
              measure("evidence verified, EK certificate to its root", 1,
                      [&] { return appraise(bytes, binding, rig.endorsed_policy).passed(); });
  return good ? 0 : 1;
}
