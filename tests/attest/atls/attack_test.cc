// What dishonest peers get: evidence of another session, messages out of order, silence. docs/attestation.md.
#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/attest/atls/rig.h"

namespace cstl {
namespace {

using test::Rig;
using test::Rogue;

constexpr VariantSet kVtpm = variant_bit(Variant::qemu_vtpm);

// The adversary's copy of a machine's TLS identity.
std::unique_ptr<TlsIdentity> stolen(const TlsIdentity& identity) {
  auto key = identity.private_key_der();
  REQUIRE(key.ok());
  auto copy = TlsIdentity::from_der(key->declassify(), identity.certificate_der());
  REQUIRE(copy.ok());
  REQUIRE((*copy)->spki_hash() == identity.spki_hash());
  return std::move(*copy);
}

Digest32 nonce_of(std::optional<Frame> frame) {
  REQUIRE(frame.has_value());
  REQUIRE(frame->type == FrameType::hello);
  auto hello = Hello::decode(frame->body.declassify());
  REQUIRE(hello.ok());
  return hello->nonce;
}

std::vector<uint8_t> evidence_for(const Digest32& binding) {
  auto evidence = Rig::get().issuer->sign({binding});
  REQUIRE(evidence.ok());
  return evidence->front();
}

TEST_CASE("evidence relayed from another session is refused though the adversary has the machine's TLS key") {
  Rig& rig = Rig::get();
  QuoteBatch batch(*rig.issuer);
  std::unique_ptr<TlsIdentity> copy = stolen(*rig.server);
  // The victim talks to the adversary, who shows the genuine machine's certificate.
  Rogue to_victim(TlsSide::server, *copy, rig.config(TlsSide::client, &rig.policy, nullptr), nullptr);
  REQUIRE(to_victim.handshake());
  const Digest32 nonce = nonce_of(to_victim.next());
  // The genuine machine talks to the adversary, who demands evidence for the victim's nonce.
  Rogue to_machine(TlsSide::client, *rig.client, rig.config(TlsSide::server, nullptr, &batch), &batch);
  REQUIRE(to_machine.handshake());
  nonce_of(to_machine.next());
  to_machine.send_hello(nonce, kVtpm, 0);
  std::optional<Frame> genuine = to_machine.next();
  REQUIRE(genuine.has_value());
  REQUIRE(genuine->type == FrameType::evidence);

  to_victim.send_hello({}, 0, kVtpm);
  to_victim.send(FrameType::evidence, genuine->body.declassify());
  CHECK(test::run_to_end(to_victim.victim(), nullptr).code == Code::quote_nonce);
  // The same bytes are good for the session they were made for.
  CHECK(appraise(genuine->body.declassify(),
                 *atls_binding(TlsSide::server, *to_machine.tls().exporter(), nonce, rig.server->spki_hash()), rig.policy)
            .passed());
}

TEST_CASE("a machine's own evidence reflected to it is refused though the adversary has its TLS key") {
  Rig& rig = Rig::get();
  QuoteBatch batch(*rig.issuer);
  std::unique_ptr<TlsIdentity> copy = stolen(*rig.client);
  Rogue rogue(TlsSide::server, *copy, rig.config(TlsSide::client, &rig.policy, &batch), &batch);
  REQUIRE(rogue.handshake());
  const Digest32 nonce = nonce_of(rogue.next());
  rogue.send_hello(nonce, kVtpm, kVtpm);  // the same nonce, exporter and key: only the side differs
  std::optional<Frame> own = rogue.next();
  REQUIRE(own.has_value());
  REQUIRE(own->type == FrameType::evidence);
  rogue.send(FrameType::evidence, own->body.declassify());
  CHECK(test::run_to_end(rogue.victim(), nullptr).code == Code::quote_nonce);
}

TEST_CASE("evidence replayed from an earlier session of the same two peers is refused") {
  Rig& rig = Rig::get();
  std::vector<uint8_t> recorded;
  for (int session = 0; session < 2; ++session) {
    Rogue rogue(TlsSide::server, *rig.server, rig.config(TlsSide::client, &rig.policy, nullptr), nullptr);
    REQUIRE(rogue.handshake());
    const Digest32 nonce = nonce_of(rogue.next());
    if (session == 0) recorded = evidence_for(rogue.binding(nonce));
    rogue.send_hello({}, 0, kVtpm);
    rogue.send(FrameType::evidence, recorded);
    std::optional<Frame> verdict = rogue.next();
    REQUIRE(verdict.has_value());
    REQUIRE(verdict->type == FrameType::verdict);
    auto decoded = VerdictMessage::decode(verdict->body.declassify());
    REQUIRE(decoded.ok());
    CHECK(decoded->code == static_cast<uint16_t>(session == 0 ? Code::ok : Code::quote_nonce));
    if (session == 1) CHECK(test::run_to_end(rogue.victim(), nullptr).code == Code::quote_nonce);
  }
}

TEST_CASE("evidence with a flipped bit or cut short is refused") {
  Rig& rig = Rig::get();
  const Digest32 binding{1, 2, 3};
  const std::vector<uint8_t> good = evidence_for(binding);
  REQUIRE(appraise(good, binding, rig.endorsed_policy).passed());
  for (size_t i = 0; i < good.size(); i += i < 700 ? 3 : 17) {
    CAPTURE(i);
    std::vector<uint8_t> bad = good;
    bad[i] ^= static_cast<uint8_t>(1u << (i % 8));
    CHECK_FALSE(appraise(bad, binding, rig.endorsed_policy).passed());
    CHECK_FALSE(appraise(Bytes(good).first(i), binding, rig.endorsed_policy).passed());
  }
}

// A machine whose AK is in one TPM while its evidence shows the endorsement of another.
class Chimera final : public Attester {
 public:
  Chimera(tpm::Issuer& signer, std::vector<uint8_t> certificate, std::vector<uint8_t> chain, bool guesses)
      : signer_(signer), certificate_(std::move(certificate)), chain_(std::move(chain)), guesses_(guesses) {}
  Variant variant() const override { return signer_.variant(); }
  size_t max_bindings() const override { return signer_.max_bindings(); }
  Result<EvidenceList> quote(const std::vector<Binding>& bindings) override {
    TRY_LET(EvidenceList all, signer_.quote(bindings));
    for (std::vector<uint8_t>& one : all) {
      TRY_LET(Evidence evidence, Evidence::decode(one));
      evidence.ek_certificate = certificate_;
      evidence.ek_chain = chain_;
      std::vector<uint8_t> forged(kMaxEvidence);
      TRY_LET(Bytes used, evidence.encode(forged));
      forged.resize(used.size());
      one = std::move(forged);
    }
    return all;
  }
  Result<std::vector<uint8_t>> activate(Bytes credential) override {
    if (guesses_) return std::vector<uint8_t>(32, 0x41);
    return signer_.activate(credential);
  }

 private:
  tpm::Issuer& signer_;
  std::vector<uint8_t> certificate_, chain_;
  bool guesses_;
};

TEST_CASE("the AK of another TPM does not pass activation under a genuine endorsement") {
  Rig& rig = Rig::get();
  auto device = tpm::Device::open(test::Swtpm::second().device());
  REQUIRE(device.ok());
  auto issuer = tpm::Issuer::create(**device, tpm::IssueConfig{Variant::qemu_vtpm, ""});
  REQUIRE(issuer.ok());
  const std::vector<uint8_t> genuine = evidence_for({});
  const Evidence endorsed = *Evidence::decode(genuine);
  for (bool guesses : {false, true}) {
    CAPTURE(guesses);
    Chimera chimera(**issuer, endorsed.ek_certificate.copy(), endorsed.ek_chain.copy(), guesses);
    QuoteBatch batch(chimera);
    auto [a, b] = test::socket_pair();
    auto client = Session::create(std::move(a), rig.config(TlsSide::client, &rig.endorsed_policy, nullptr));
    auto server = Session::create(std::move(b), rig.config(TlsSide::server, nullptr, &batch));
    REQUIRE(client.ok());
    REQUIRE(server.ok());
    CHECK(test::pump({client->get(), server->get()}, &batch, [&] {
      return (*client)->state() == Session::State::closed && (*server)->state() == Session::State::closed;
    }));
    if (guesses) {
      CHECK((*client)->step().code() == Code::activation_failed);
      CHECK((*client)->peer_verdict()->code == Code::activation_failed);
      CHECK_FALSE((*client)->peer_verdict()->endorsed);
      CHECK((*server)->step().code() == Code::peer_refused);
      CHECK((*server)->step().error().foreign == static_cast<int64_t>(Code::activation_failed));
    } else {
      CHECK((*server)->step().code() == Code::activation_failed);
      CHECK((*client)->step().code() == Code::peer_error);
      CHECK((*client)->step().error().foreign == static_cast<int64_t>(Code::activation_failed));
    }
    // Without the stolen endorsement it is an honest, unendorsed machine, which this policy refuses.
    const std::vector<uint8_t> own = (*(*issuer)->sign({Digest32{}}))[0];
    CHECK(appraise(own, Digest32{}, rig.endorsed_policy).code == Code::ek_chain);
  }
}

// One row per way to break the order. `demands`: the victim (a client) demands evidence; `attests`: it can attest, and the
// rogue demands. The script runs after TLS and the victim's hello.
struct Row {
  const char* name;
  bool demands, attests;
  Code code;
  std::function<void(Rogue&, const Digest32& nonce)> script;
};

std::vector<uint8_t> header(uint32_t length, uint8_t version, uint8_t type) {
  std::vector<uint8_t> out(kFrameHeader);
  Writer w(out);
  w.u32(length);
  w.u8(version);
  w.u8(type);
  return out;
}

void pass(Rogue& r, const Digest32& nonce) {
  r.send_hello({}, 0, kVtpm);
  r.send(FrameType::evidence, evidence_for(r.binding(nonce)));
}

void open_plain(Rogue& r) {
  r.send_hello({}, 0, 0);
  r.send_verdict();
}

TEST_CASE("messages that are early, repeated, unknown or too large end the session with their code") {
  using F = FrameType;
  const Row rows[] = {
      {"a request before the hello", false, false, Code::not_attested, [](Rogue& r, auto&) { r.send(F::verify_request, {}); }},
      {"a request after the hello", true, false, Code::not_attested,
       [](Rogue& r, auto&) { r.send_hello({}, 0, kVtpm), r.send(F::verify_request, {}); }},
      {"a request after the evidence, before the verdict", true, false, Code::not_attested,
       [](Rogue& r, auto& n) { pass(r, n), r.send(F::verify_request, {}); }},
      {"a request before the victim's evidence", false, true, Code::not_attested,
       [](Rogue& r, auto&) { r.send_hello({}, kVtpm, 0), r.send(F::verify_request, {}); }},
      {"evidence before the hello", true, false, Code::frame_type, [](Rogue& r, auto&) { r.send(F::evidence, "x"); }},
      {"a verdict before the hello", false, false, Code::frame_type, [](Rogue& r, auto&) { r.send_verdict(); }},
      {"a second hello", true, false, Code::frame_type,
       [](Rogue& r, auto&) { r.send_hello({}, 0, kVtpm), r.send_hello({}, 0, kVtpm); }},
      {"a second hello that demands less", true, false, Code::frame_type,
       [](Rogue& r, auto& n) { pass(r, n), r.send_hello({}, 0, 0); }},
      {"evidence that was not demanded", false, false, Code::frame_type,
       [](Rogue& r, auto&) { r.send_hello({}, 0, kVtpm), r.send(F::evidence, "x"); }},
      {"a second evidence", true, false, Code::frame_type,
       [](Rogue& r, auto& n) { pass(r, n), r.send(F::evidence, evidence_for(r.binding(n))); }},
      {"a passing verdict in place of the evidence", true, false, Code::frame_type,
       [](Rogue& r, auto&) { r.send_hello({}, 0, kVtpm), r.send_verdict(); }},
      {"a passing verdict on evidence that was not sent yet", false, true, Code::frame_type,
       [](Rogue& r, auto&) {
         std::string both(std::string("\0\0\0\x2a\x01\x01", 6) + std::string(35, '\0') + "\x01" + std::string(4, '\0'));
         r.send_bytes(both + std::string("\0\0\0\x06\x01\x05\0\0\0\0", 10));
       }},
      {"a second verdict", false, false, Code::frame_type, [](Rogue& r, auto&) { open_plain(r), r.send_verdict(); }},
      {"a hello in the request phase", false, false, Code::frame_type,
       [](Rogue& r, auto&) { open_plain(r), r.send_hello({}, 0, 0); }},
      {"a challenge to a peer that did not attest", false, false, Code::frame_type,
       [](Rogue& r, auto&) { r.send_hello({}, 0, 0), r.send(F::challenge, "x"); }},
      {"a challenge in the request phase", false, false, Code::frame_type,
       [](Rogue& r, auto&) { open_plain(r), r.send(F::challenge, "x"); }},
      {"an activation without a challenge", true, false, Code::frame_type,
       [](Rogue& r, auto& n) { pass(r, n), r.send(F::activation, "x"); }},
      {"an unknown type", true, false, Code::frame_type, [](Rogue& r, auto&) { r.send_bytes(header(2, 1, 99)); }},
      {"type zero", true, false, Code::frame_type, [](Rogue& r, auto&) { r.send_bytes(header(2, 1, 0)); }},
      {"another protocol version", true, false, Code::frame_version, [](Rogue& r, auto&) { r.send_bytes(header(42, 2, 1)); }},
      {"a hello that is one byte too large", true, false, Code::frame_size,
       [](Rogue& r, auto&) { r.send_bytes(header(2 + 41, 1, 1)); }},
      {"a hello that is one byte short", true, false, Code::truncated,
       [](Rogue& r, auto&) { r.send(F::hello, std::string(39, 'x')); }},
      {"a length that does not cover version and type", true, false, Code::frame_size,
       [](Rogue& r, auto&) { r.send_bytes(header(1, 1, 1)); }},
      {"evidence larger than allowed, before a byte of it", true, false, Code::frame_size,
       [](Rogue& r, auto&) { r.send_hello({}, 0, kVtpm), r.send_bytes(header(2 + kMaxEvidence + 1, 1, 2)); }},
      {"a length of 4 GiB", true, false, Code::frame_size, [](Rogue& r, auto&) { r.send_bytes(header(UINT32_MAX, 1, 2)); }},
      {"empty evidence", true, false, Code::truncated,
       [](Rogue& r, auto&) { r.send_hello({}, 0, kVtpm), r.send(F::evidence, {}); }},
      {"a verdict text longer than its frame", false, false, Code::truncated,
       [](Rogue& r, auto&) { r.send_hello({}, 0, 0), r.send(F::verdict, std::string("\0\0\0\x05x", 5)); }},
      {"bytes after the verdict's text", false, false, Code::trailing,
       [](Rogue& r, auto&) { r.send_hello({}, 0, 0), r.send(F::verdict, std::string(5, '\0')); }},
      {"a refusal before anything was judged", false, false, Code::peer_refused,
       [](Rogue& r, auto&) { r.send_hello({}, 0, 0), r.send_verdict(Code::quote_nonce); }},
      {"an error in place of the hello", true, false, Code::peer_error, [](Rogue& r, auto&) { r.send(F::error, std::string("\x01\x2e\0\0", 4)); }},
      {"an empty challenge", false, true, Code::activation_failed,
       [](Rogue& r, auto&) { r.send_hello({}, kVtpm, 0), r.next(), r.send(F::challenge, {}); }},
      {"a challenge that is no credential", false, true, Code::activation_failed,
       [](Rogue& r, auto&) { r.send_hello({}, kVtpm, 0), r.next(), r.send(F::challenge, std::string(100, 'x')); }},
      {"a second challenge", false, true, Code::frame_type,
       [](Rogue& r, auto&) {
         r.send_hello({}, kVtpm, 0), r.next();
         auto frame = encode_frame(F::challenge, "x");
         std::vector<uint8_t> twice = frame->declassify().copy();
         twice.insert(twice.end(), frame->declassify().begin(), frame->declassify().end());
         r.send_bytes(twice);
       }},
  };
  Rig& rig = Rig::get();
  for (const Row& row : rows) {
    CAPTURE(std::string(row.name));
    QuoteBatch batch(*rig.issuer);
    QuoteBatch* attester = row.attests ? &batch : nullptr;
    Rogue rogue(TlsSide::server, *rig.server, rig.config(TlsSide::client, row.demands ? &rig.policy : nullptr, attester), attester);
    REQUIRE(rogue.handshake());
    const Digest32 nonce = nonce_of(rogue.next());
    row.script(rogue, nonce);
    const Error error = test::run_to_end(rogue.victim(), &batch);
    CAPTURE(std::string(error.site));
    CHECK(std::string(code_name(error.code)) == code_name(row.code));
    CHECK_FALSE(batch.pending());
    CHECK(rogue.victim().receive().code() == row.code);
  }
}

TEST_CASE("silence in any phase ends the session when its time is over") {
  struct Stall {
    const char* name;
    Session::State state;
    bool endorsed;
    std::function<void(Rogue&, const Digest32&)> script;
  };
  const Stall rows[] = {
      {"instead of a hello", Session::State::hello, false, [](Rogue&, auto&) {}},
      {"in the middle of a header", Session::State::hello, false, [](Rogue& r, auto&) { r.send_bytes(std::string(3, '\0')); }},
      {"in the middle of a body", Session::State::hello, false, [](Rogue& r, auto&) { r.send_bytes(header(42, 1, 1)); }},
      {"instead of evidence", Session::State::attest, false, [](Rogue& r, auto&) { r.send_hello({}, 0, kVtpm); }},
      {"in the middle of evidence", Session::State::attest, false,
       [](Rogue& r, auto&) { r.send_hello({}, 0, kVtpm), r.send_bytes(header(1000, 1, 2)); }},
      {"instead of an activation", Session::State::attest, true, [](Rogue& r, auto& n) { pass(r, n); }},
      {"instead of a verdict", Session::State::verdict, false, [](Rogue& r, auto& n) { pass(r, n); }},
      {"instead of a request", Session::State::open, false, [](Rogue& r, auto& n) { pass(r, n), r.send_verdict(); }},
      {"in the middle of a request", Session::State::open, false,
       [](Rogue& r, auto& n) { pass(r, n), r.send_verdict(), r.send_bytes(header(10, 1, 20)); }},
  };
  Rig& rig = Rig::get();
  for (const Stall& row : rows) {
    CAPTURE(std::string(row.name));
    SessionConfig config = rig.config(TlsSide::client, row.endorsed ? &rig.endorsed_policy : &rig.policy, nullptr);
    Rogue rogue(TlsSide::server, *rig.server, config, nullptr);
    REQUIRE(rogue.handshake());
    row.script(rogue, nonce_of(rogue.next()));
    Session& victim = rogue.victim();
    CHECK(victim.step().ok());
    CHECK(victim.state() == row.state);
    CHECK(victim.deadline() > monotonic_ms());
  }
  // The same, with the clock running out.
  for (const Stall& row : rows) {
    CAPTURE(std::string(row.name));
    SessionConfig config = rig.config(TlsSide::client, row.endorsed ? &rig.endorsed_policy : &rig.policy, nullptr);
    const bool hello = row.state == Session::State::hello, open = row.state == Session::State::open;
    if (hello) config.handshake_ms = 150;
    if (!hello && !open) config.evidence_ms = 150;
    if (open) config.request_ms = 100;
    Rogue rogue(TlsSide::server, *rig.server, config, nullptr);
    REQUIRE(rogue.handshake());
    row.script(rogue, nonce_of(rogue.next()));
    const Error error = test::run_to_end(rogue.victim(), nullptr);
    CHECK(error.code == Code::timeout);
    CHECK(std::string(error.site) == "atls.phase");
    if (!row.endorsed) continue;
    // Evidence was fine, but nobody knows whether this AK is in the TPM that its maker endorses.
    REQUIRE(rogue.victim().peer_verdict() != nullptr);
    CHECK(rogue.victim().peer_verdict()->code == Code::activation_failed);
    CHECK_FALSE(rogue.victim().peer_verdict()->endorsed);
  }
  // And a peer that never even speaks TLS.
  auto [ours, theirs] = test::socket_pair();
  SessionConfig config = rig.config(TlsSide::server, nullptr, nullptr);
  config.handshake_ms = 30;
  auto session = Session::create(std::move(theirs), config);
  REQUIRE(session.ok());
  CHECK(test::run_to_end(**session, nullptr).code == Code::timeout);
}

TEST_CASE("a hundred handshakes that stall keep nobody else out") {
  Rig& rig = Rig::get();
  std::vector<uint8_t> client_hello(4096);
  {
    auto [near, far] = test::socket_pair();
    auto client = TlsSession::create(TlsSide::client, std::move(near), *rig.client);
    REQUIRE(client.ok());
    CHECK((*client)->handshake().ok());
    ssize_t n = read(far.get(), client_hello.data(), client_hello.size());
    REQUIRE(n > 0);
    client_hello.resize(static_cast<size_t>(n));
  }
  std::vector<std::unique_ptr<Session>> stalled;
  std::vector<Fd> far_ends;
  for (int i = 0; i < 100; ++i) {
    auto [near, far] = test::socket_pair();
    REQUIRE(write_all(far.get(), client_hello).ok());
    auto session = Session::create(std::move(near), rig.config(TlsSide::server, nullptr, nullptr));
    REQUIRE(session.ok());
    CHECK((*session)->step().ok());
    CHECK((*session)->state() == Session::State::handshake);
    stalled.push_back(std::move(*session));
    far_ends.push_back(std::move(far));
  }
  Rogue peer(TlsSide::client, *rig.client, rig.config(TlsSide::server, nullptr, nullptr), nullptr);
  CHECK(peer.handshake());
}

TEST_CASE("a peer that does not speak TLS is dropped") {
  Rig& rig = Rig::get();
  auto [ours, theirs] = test::socket_pair();
  auto session = Session::create(std::move(theirs), rig.config(TlsSide::server, nullptr, nullptr));
  REQUIRE(session.ok());
  REQUIRE(write_all(ours.get(), "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").ok());
  CHECK(test::run_to_end(**session, nullptr).code == Code::tls_failed);
}

}  // namespace
}  // namespace cstl
