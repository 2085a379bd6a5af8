// Machines of every variant that come to a joinservice as it ships, over real aTLS: an honest one gets a ticket, and
// each lie of the table of lies (tests/attest/platform/lies.cc) is refused with its own error, which the machine is
// told. The joinservice's machine is a qemu-vtpm; the machines that come are those of tests/attest/platform/machine.h.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>

#include "crypto/base/fd.h"
#include "crypto/base/log.h"
#include "svc/run/lockdown.h"
#include "tests/attest/platform/lies.h"
#include "tests/svc/live/line.h"

namespace cstl {
namespace {

using test::CloudFacts;
using test::CloudMachine;
using test::kAllVariants;
using test::Lie;
using test::OwnedEvidence;

constexpr int kTimeoutMs = 30'000;

// What a machine would send, changed on its way.
class Tampered final : public LocalAttester {
 public:
  Tampered(LocalAttester& honest, std::function<void(OwnedEvidence&)> change)
      : honest_(honest), change_(std::move(change)) {}
  Variant variant() const override { return honest_.variant(); }
  size_t max_bindings() const override { return honest_.max_bindings(); }
  Result<std::vector<uint8_t>> activate(Bytes credential) override { return honest_.activate(credential); }
  Result<EvidenceList> sign(const std::vector<Digest32>& bindings, size_t wanted) override {
    TRY_LET(EvidenceList list, honest_.sign(bindings, wanted));
    if (!change_) return list;
    for (auto& evidence : list) {
      OwnedEvidence parts = OwnedEvidence::of(evidence);
      change_(parts);
      evidence = parts.encode();
    }
    return list;
  }

 private:
  LocalAttester& honest_;
  std::function<void(OwnedEvidence&)> change_;
};

// A joinservice that admits workers of every variant.
struct Cloud {
  static Cloud& get() {
    static Cloud out;
    return out;
  }
  Cloud() {
    test::Line& line = test::Line::get();
    store = line.folder + "/clouds";
    REQUIRE(make_folders(store).ok());
    REQUIRE(write_file_durably((store + "/owner.key").c_str(), line.owner).ok());
    ReferenceValues values;
    for (Variant variant : kAllVariants) values.sets.push_back(CloudMachine(variant).set);
    REQUIRE(write_file_durably((store + "/reference-values.json").c_str(), values.to_json()).ok());
    for (const char* name : {"", "/owner.key", "/reference-values.json"}) {
      REQUIRE(lchown((store + name).c_str(), kJoinserviceUid, kJoinserviceUid) == 0);
    }
    endpoint = *parse_endpoint("127.0.0.1:" + std::to_string(20000 + getpid() % 10000));
    joinservice = std::make_unique<test::Service>(
        "cstl-joinservice",
        test::monitored({"--listen", endpoint_text(endpoint), "--store", store, "--salt", to_hex(line.salt),
                         "--keyservice", line.folder + "/keys.sock", "--attester", line.folder + "/attester.sock"}, 9193),
        line.folder + "/clouds.log");
  }
  std::string store;
  Endpoint endpoint;
  std::unique_ptr<test::Service> joinservice;
};

Uuid disk_of(Variant variant) {
  Uuid out = *parse_uuid("0b1c7a52-3f5e-4c11-9d80-6d2f1f0e0b00");
  out.back() = static_cast<uint8_t>(variant);
  return out;
}

// As a node's bootstrapper asks. `why`: what the joinservice said.
Result<Joined> join_as(LocalAttester& attester, Variant variant, const std::string& name, std::string* why) {
  QuoteBatch batch(attester);
  auto identity = TlsIdentity::create();
  REQUIRE(identity.ok());
  JoinParty party;
  party.identity = identity->get();
  party.attester = &batch;
  party.accepted = &test::Line::get().worker.accepted;
  party.now = time(nullptr);
  return join(Cloud::get().endpoint, party, disk_of(variant), Role::worker, name, kTimeoutMs, why);
}

TEST_CASE("a worker of every variant joins, with an identity of its platform's") {
  Cloud& cloud = Cloud::get();
  for (Variant variant : kAllVariants) {
    const std::string name = "worker-" + std::to_string(static_cast<int>(variant));
    CAPTURE(std::string(variant_name(variant)));
    CloudMachine machine(variant);
    REQUIRE(machine.open().ok());
    std::string why;
    auto joined = join_as(*machine.attester, variant, name, &why);
    INFO(why);
    INFO(describe(joined.error()));
    REQUIRE(joined.ok());
    CHECK(cloud.joinservice->logs("node.joined name=" + name + " role=worker"));
    // Into the cluster: nobody joins twice in one boot.
    auto cluster = derive_cluster_id(joined->ticket.measurement_key, joined->ticket.measurement_salt);
    REQUIRE(cluster.ok());
    REQUIRE(machine.platform->enter_cluster(*cluster).ok());
    auto again = join_as(*machine.attester, variant, name, &why);
    CHECK(again.code() == Code::peer_refused);
    CHECK(std::string(code_name(code_from_number(static_cast<uint16_t>(again.error().foreign)))) == "pcr_not_zero");
  }
}

TEST_CASE("each lie of the table is refused with its own error") {
  size_t told = 0;
  std::map<Variant, size_t> refused;
  for (const Lie& lie : test::lies()) {
    CAPTURE(std::string(variant_name(lie.variant)));
    CAPTURE(lie.name);
    CloudFacts facts;
    if (lie.platform) lie.platform(facts);
    CloudMachine machine(lie.variant, facts);
    REQUIRE(machine.open().ok());
    if (lie.in_cluster) REQUIRE(machine.platform->enter_cluster(Digest32{0xc1}).ok());
    Tampered attester(*machine.attester, lie.evidence);
    std::string why;
    auto joined = join_as(attester, lie.variant, "liar", &why);
    REQUIRE_FALSE(joined.ok());
    INFO(describe(joined.error()));
    INFO(why);
    const Error& error = joined.error();
    CHECK(error.code == Code::peer_refused);
    CHECK(std::string(code_name(code_from_number(static_cast<uint16_t>(error.foreign)))) == code_name(lie.code));
    const bool names_it = why.find(code_name(lie.code)) != std::string::npos;
    CHECK(names_it);
    told += names_it;
    ++refused[lie.variant];
  }
  CHECK(told == test::lies().size());
  CHECK(refused.size() == std::size(kAllVariants));
  // Nobody of them is on record.
  CHECK(Cloud::get().joinservice->log().find("name=liar") == std::string::npos);
}

TEST_CASE("the table of joins in docs/platforms.md is what this run refused") {
  std::map<Variant, size_t> rows;
  for (const Lie& lie : test::lies()) ++rows[lie.variant];
  auto page = read_file("docs/platforms.md", 1 << 20);
  REQUIRE(page.ok());
  const std::string text(Bytes(*page).text());
  for (Variant variant : kAllVariants) {
    const std::string row = std::string("| ") + variant_name(variant) + " | " + std::to_string(rows[variant]) + " |";
    INFO(row);
    CHECK(text.find(row) != std::string::npos);
  }
}

}  // namespace
}  // namespace cstl
