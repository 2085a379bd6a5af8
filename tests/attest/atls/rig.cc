#include "tests/attest/atls/rig.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cstl::test {

namespace {

template <typename T>
T need(Result<T> result, const char* what) {
  if (!result.ok()) {
    std::fprintf(stderr, "rig: %s: %s at %s, %llx\n", what, code_name(result.code()), result.error().site,
                 static_cast<unsigned long long>(result.error().foreign));
    std::abort();
  }
  return std::move(*result);
}

}  // namespace

std::pair<Fd, Fd> socket_pair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) std::abort();
  return {Fd(fds[0]), Fd(fds[1])};
}

ReferenceValues reference(const std::array<Digest32, kPcrCount>& pcrs, const std::vector<uint8_t>* root) {
  ReferenceSet set;
  set.id = "test";
  set.not_after = time(nullptr) + 86400;
  set.roles = 1 << static_cast<unsigned>(Role::worker);
  set.allow_unendorsed_ak = root == nullptr;
  if (root != nullptr) set.ek_roots.push_back(*root);
  for (uint8_t index : std::array<uint8_t, 4>{4, 9, 11, 12}) {
    PcrReference pcr;
    pcr.index = index;
    pcr.expected.push_back(pcrs[index]);
    set.pcrs.push_back(pcr);
  }
  ReferenceValues values;
  values.sets.push_back(set);
  return values;
}

Rig& Rig::get() {
  static std::unique_ptr<Rig> rig = [] {
    auto r = std::make_unique<Rig>();
    Swtpm& tpm = Swtpm::shared();
    r->device = need(tpm::Device::open(tpm.device()), "device");
    r->issuer = need(tpm::Issuer::create(*r->device, tpm::IssueConfig{Variant::qemu_vtpm, ""}), "issuer");
    const auto pcrs = need(r->device->read_pcrs(), "pcrs");
    const std::vector<uint8_t> root = tpm.root();
    r->values = reference(pcrs, nullptr);
    r->endorsed = reference(pcrs, &root);
    r->policy.values = &r->values;
    r->endorsed_policy.values = &r->endorsed;
    r->policy.now = r->endorsed_policy.now = time(nullptr);
    r->client = need(TlsIdentity::create(), "identity");
    r->server = need(TlsIdentity::create(), "identity");
    return r;
  }();
  return *rig;
}

SessionConfig Rig::config(TlsSide side, const AppraisalPolicy* demand, QuoteBatch* batch) {
  SessionConfig config;
  config.side = side;
  config.identity = side == TlsSide::client ? client.get() : server.get();
  config.demand = demand;
  config.attester = batch;
  return config;
}

bool pump(const std::vector<Session*>& ends, QuoteBatch* batch, const std::function<bool()>& done) {
  const int64_t limit = monotonic_ms() + 20'000;
  while (monotonic_ms() < limit) {
    for (Session* end : ends) (void)end->step();  // the tests look at each end's own result
    if (done()) return true;
    if (batch != nullptr && batch->pending()) {
      batch->flush();
      continue;
    }
    std::vector<pollfd> fds;
    for (Session* end : ends) {
      if (end->state() != Session::State::closed) fds.push_back({end->fd(), end->events(), 0});
    }
    poll(fds.data(), fds.size(), 5);
  }
  return false;
}

Error run_to_end(Session& session, QuoteBatch* batch) {
  pump({&session}, batch, [&] { return session.state() == Session::State::closed; });
  return session.step().error();
}

Rogue::Rogue(TlsSide side, const TlsIdentity& identity, const SessionConfig& victim_config, QuoteBatch* batch)
    : side_(side), identity_(identity), batch_(batch) {
  auto [ours, theirs] = socket_pair();
  tls_ = need(TlsSession::create(side, std::move(ours), identity), "tls");
  victim_ = need(Session::create(std::move(theirs), victim_config), "session");
}

void Rogue::step() {
  (void)victim_->step();  // the tests look at the victim's own result
  if (batch_ != nullptr && batch_->pending()) {
    batch_->flush();
    (void)victim_->step();
  }
}

bool Rogue::handshake() {
  for (int i = 0; i < 1000; ++i) {
    Result<TlsWant> want = tls_->handshake();
    if (!want.ok()) return false;
    step();
    if (*want == TlsWant::nothing && victim_->state() != Session::State::handshake) return true;
  }
  return false;
}

void Rogue::send_bytes(Bytes bytes) {
  while (!bytes.empty()) {
    Result<TlsSession::Transfer> sent = tls_->write(bytes);
    if (!sent.ok()) return;
    bytes = bytes.skip(sent->bytes);
    step();
    if (sent->want != TlsWant::nothing && victim_->state() == Session::State::closed) return;
  }
}

std::optional<Frame> Rogue::next() {
  std::array<uint8_t, kFrameHeader> header{};
  std::optional<Frame> frame;
  size_t have = 0;
  const int64_t limit = monotonic_ms() + 5000;
  while (monotonic_ms() < limit) {
    step();
    MutBytes space = frame ? frame->body.space() : MutBytes(header);
    if (have == space.size()) {
      if (frame) return frame;
      Result<FrameHeader> decoded = FrameHeader::decode(header);
      if (!decoded.ok()) return std::nullopt;
      frame.emplace(Frame{decoded->type, SecretBuffer(decoded->body)});
      have = 0;
      continue;
    }
    Result<TlsSession::Transfer> got = tls_->read(MutBytes(space.data() + have, space.size() - have));
    if (!got.ok()) return std::nullopt;
    have += got->bytes;
  }
  return std::nullopt;
}

void Rogue::send_hello(const Digest32& nonce, VariantSet demanded, VariantSet offered) {
  Hello hello;
  hello.nonce = nonce;
  hello.demanded = demanded;
  hello.offered = offered;
  std::array<uint8_t, 40> body;
  send(FrameType::hello, need(hello.encode(body), "hello"));
}

void Rogue::send_verdict(Code code) {
  VerdictMessage verdict;
  verdict.code = static_cast<uint16_t>(code);
  std::array<uint8_t, 16> body;
  send(FrameType::verdict, need(verdict.encode(body), "verdict"));
}

Digest32 Rogue::binding(const Digest32& nonce) const {
  Secret<32> exporter = need(tls_->exporter(), "exporter");
  return need(atls_binding(side_, exporter, nonce, identity_.spki_hash()), "binding");
}

}  // namespace cstl::test
