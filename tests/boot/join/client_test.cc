// The join client against peers that are not what it accepts. That it joins and rejoins at a real joinservice is shown in
// tests/boot/bootstrapper and tests/svc/live.
#include "boot/join/client.h"

#include <doctest/doctest.h>
#include <atomic>
#include <fstream>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "attest/tpm/issue.h"
#include "crypto/base/fd.h"
#include "svc/run/server.h"
#include "tests/harness/swtpm.h"

namespace cstl {
namespace {

struct Node {
  std::unique_ptr<test::Swtpm> tpm = test::Swtpm::start();
  std::unique_ptr<tpm::Device> device = std::move(*tpm::Device::open(tpm->device()));
  std::unique_ptr<tpm::Issuer> issuer = std::move(*tpm::Issuer::create(*device, tpm::IssueConfig{Variant::qemu_vtpm, ""}));
  QuoteBatch batch{*issuer};
  std::unique_ptr<TlsIdentity> identity = std::move(*TlsIdentity::create());
  ReferenceValues accepted = *accepted_from_joinservice(*issuer, "/nonexistent", 0, nullptr);
  JoinParty party() { return JoinParty{identity.get(), &batch, &accepted, time(nullptr)}; }
};

Endpoint local_endpoint(int listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return *parse_endpoint("127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
}

Fd any_port() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(listen(fd.get(), 4) == 0);
  return fd;
}

// Serves rejoins with `answer` in a thread of its own.
class Joinservice {
 public:
  Joinservice(Node& node, const AppraisalPolicy* demand, FrameType answer, std::vector<uint8_t> body) {
    Fd listener = any_port();
    endpoint = local_endpoint(listener.get());
    ServerConfig config;
    config.identity = node.identity.get();
    config.attester = &node.batch;
    config.demand = demand;
    config.requests.push_back({FrameType::rejoin_request, 1, [answer, body](Exchange& e) -> Status {
                                 return e.session.send(answer, body);
                               }});
    server_ = std::move(*Server::create(std::move(listener), std::move(config)));
    loop_.add(*server_);
    thread_ = std::thread([this] {
      while (!stop_) (void)loop_.poll_once(20);  // poll itself does not fail
    });
  }
  ~Joinservice() {
    stop_ = true;
    thread_.join();
  }
  Endpoint endpoint;

 private:
  Loop loop_;
  std::unique_ptr<Server> server_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("join client: what is accepted is the node's own image, or the file that the image holds, never a bad file") {
  Node node;
  for (uint32_t i : std::initializer_list<uint32_t>{4, 9, 11, 12}) REQUIRE(node.device->pcr_event(i, std::to_string(i)).ok());
  const auto pcrs = *node.device->read_pcrs();
  std::string problem;
  auto own = accepted_from_joinservice(*node.issuer, "/nonexistent", 1, &problem);
  REQUIRE(own.ok());
  REQUIRE(own->sets.size() == 1);
  CHECK(own->sets[0].variant == Variant::qemu_vtpm);
  CHECK(own->sets[0].allow_unendorsed_ak);
  REQUIRE(own->sets[0].pcrs.size() == 4);
  const uint8_t indices[] = {4, 9, 11, 12};
  for (size_t i = 0; i < 4; ++i) {
    const PcrReference& pcr = own->sets[0].pcrs[i];
    CHECK(pcr.index == indices[i]);
    CHECK(pcr.enforce);
    CHECK(pcr.expected == std::vector<Digest32>{pcrs[indices[i]]});
  }
  // Evidence of another moment, as a relay on the way to the TPM would answer, is no measure.
  class Stale final : public LocalAttester {
   public:
    explicit Stale(LocalAttester& issuer) : issuer_(issuer) {}
    Variant variant() const override { return issuer_.variant(); }
    size_t max_bindings() const override { return issuer_.max_bindings(); }
    Result<EvidenceList> sign(const std::vector<Digest32>&, size_t wanted) override {
      return issuer_.sign({Digest32{1}}, wanted);
    }
    Result<std::vector<uint8_t>> activate(Bytes credential) override { return issuer_.activate(credential); }

   private:
    LocalAttester& issuer_;
  } stale(*node.issuer);
  CHECK(accepted_from_joinservice(stale, "/nonexistent", 1, &problem).code() == Code::quote_nonce);
  CHECK(problem.find("own evidence") != std::string::npos);
  auto strict = tpm::Issuer::create(*node.device, tpm::IssueConfig{Variant::tpm, ""});
  REQUIRE(strict.ok());
  CHECK(accepted_from_joinservice(**strict, "/nonexistent", 1, &problem).code() == Code::ek_chain);
  CHECK(problem.find("EK roots") != std::string::npos);
  std::string path = "/tmp/cstl-baked-" + std::to_string(getpid());
  ReferenceValues baked;
  baked.sets = own->sets;
  baked.sets[0].id = "release";
  baked.sets[0].not_after = 4000000000;
  { std::ofstream(path) << baked.to_json(); }
  auto from_file = accepted_from_joinservice(*node.issuer, path.c_str(), 1790000000, &problem);
  REQUIRE_MESSAGE(from_file.ok(), problem);
  CHECK(from_file->sets[0].id == "release");
  CHECK(accepted_from_joinservice(*node.issuer, path.c_str(), 4100000000, &problem).code() == Code::reference_expired);
  { std::ofstream(path) << "{}"; }
  CHECK(accepted_from_joinservice(*node.issuer, path.c_str(), 1, &problem).code() == Code::reference_malformed);
  { std::ofstream(path) << std::string(kMaxReferenceValues + 1, ' '); }
  CHECK(accepted_from_joinservice(*node.issuer, path.c_str(), 1, &problem).code() == Code::too_long);
  unlink(path.c_str());
}

TEST_CASE("join client: peers that are no joinservice of a cluster of this image are refused, each with its code") {
  Node node, other;
  const Uuid disk{};
  std::string why;
  JoinParty party = node.party();
  CHECK(JoinAttempt::join(*parse_endpoint("127.0.0.1:1"), party, disk, Role::worker, "Bad").code() == Code::bad_value);
  CHECK(rejoin(*parse_endpoint("127.0.0.1:1"), party, disk, 1000, &why).code() == Code::io);

  SUBCASE("a silent one, after the caller's own deadline") {
    Fd silent = any_port();
    int64_t start = monotonic_ms();
    CHECK(rejoin(local_endpoint(silent.get()), party, disk, 300, &why).code() == Code::timeout);
    CHECK(monotonic_ms() - start < 3000);
  }
  SUBCASE("one that speaks no TLS") {
    Fd listener = any_port();
    std::thread peer([&] {
      Fd connection(accept(listener.get(), nullptr, nullptr));
      CHECK(write_all(connection.get(), "HTTP/1.1 400 Bad Request\r\n\r\n").ok());
      usleep(200000);
    });
    CHECK(rejoin(local_endpoint(listener.get()), party, disk, 3000, &why).code() == Code::tls_failed);
    peer.join();
  }
  AppraisalPolicy demand;
  demand.values = &other.accepted;
  demand.cluster = ClusterRule::outside;
  demand.now = time(nullptr);
  RejoinTicket ticket;
  auto encoded = ticket.encode();
  REQUIRE(encoded.ok());
  std::vector<uint8_t> good = encoded->declassify().copy();
  SUBCASE("one outside of any cluster") {
    Joinservice service(other, &demand, FrameType::rejoin_ticket, good);
    CHECK(rejoin(service.endpoint, party, disk, 10000, &why).code() == Code::cluster_mismatch);
    CHECK(why.find("cluster") != std::string::npos);
  }
  SUBCASE("one in a cluster, which answers") {
    REQUIRE(other.device->pcr_event(kClusterPcr, "a cluster").ok());
    SUBCASE("with a ticket, to a node of its image") {
      Joinservice service(other, &demand, FrameType::rejoin_ticket, good);
      CHECK(rejoin(service.endpoint, party, disk, 10000, &why).ok());
    }
    SUBCASE("without asking for evidence: it would give keys to anyone") {
      Joinservice service(other, nullptr, FrameType::rejoin_ticket, good);
      CHECK(rejoin(service.endpoint, party, disk, 10000, &why).code() == Code::peer_refused);
    }
    SUBCASE("with a ticket of another kind") {
      Joinservice service(other, &demand, FrameType::join_ticket, good);
      CHECK(rejoin(service.endpoint, party, disk, 10000, &why).code() == Code::frame_type);
    }
    SUBCASE("with a ticket cut short") {
      std::vector<uint8_t> cut(good.begin(), good.end() - 1);
      Joinservice service(other, &demand, FrameType::rejoin_ticket, cut);
      CHECK(rejoin(service.endpoint, party, disk, 10000, &why).code() == Code::truncated);
    }
    SUBCASE("from another image") {
      REQUIRE(other.device->pcr_event(9, "another initrd").ok());
      Joinservice service(other, &demand, FrameType::rejoin_ticket, good);
      CHECK(rejoin(service.endpoint, party, disk, 10000, &why).code() == Code::reference_mismatch);
      CHECK(why.find("pcr9") != std::string::npos);
    }
    SUBCASE("to a node that entered a cluster already") {
      REQUIRE(node.device->pcr_event(kClusterPcr, "a cluster").ok());
      Joinservice service(other, &demand, FrameType::rejoin_ticket, good);
      auto refused = rejoin(service.endpoint, party, disk, 10000, &why);
      CHECK(refused.code() == Code::peer_refused);
      CHECK(refused.error().foreign == static_cast<int64_t>(Code::pcr_not_zero));
    }
  }
}

}  // namespace cstl
