// The whole line on this machine: shipped services, real TPM evidence on both sides.
#include <doctest/doctest.h>
#include <unistd.h>

#include <ctime>

#include "crypto/base/fd.h"
#include "svc/run/local_server.h"
#include "svc/wire/verify.h"
#include "tests/svc/live/line.h"

namespace cstl {
namespace {

using test::Line;
using test::Machine;

constexpr int kTimeoutMs = 20'000;
const Uuid kDisk = *parse_uuid("0b1c7a52-3f5e-4c11-9d80-6d2f1f0e0a01");
const Uuid kOtherDisk = *parse_uuid("0b1c7a52-3f5e-4c11-9d80-6d2f1f0e0a02");

Result<Joined> join_as(Machine& machine, const Uuid& disk, Role role, const char* name, std::string* why) {
  return join(Line::get().join_endpoint, machine.party(), disk, role, name, kTimeoutMs, why);
}

Result<RejoinTicket> rejoin_as(Machine& machine, const Uuid& disk, std::string* why) {
  return rejoin(Line::get().join_endpoint, machine.party(), disk, kTimeoutMs, why);
}

bool key_of_disk(const Key32& key, const Uuid& disk) {
  auto derived = derive_key(Line::get().master, KeyClass::disk, uuid_text(disk));
  return derived.ok() && ct_equal(derived->declassify(), key.declassify());
}

Code peers_code(const Error& error) {
  return error.code == Code::peer_error || error.code == Code::peer_refused
             ? code_from_number(static_cast<uint16_t>(error.foreign))
             : Code::ok;
}

TEST_CASE("a machine that never joined is not known at rejoin") {
  std::string why;
  auto ticket = rejoin_as(Line::get().worker, kDisk, &why);
  REQUIRE_FALSE(ticket.ok());
  CHECK(peers_code(ticket.error()) == Code::unknown_node);
}

TEST_CASE("a worker whose evidence passes gets the key of its own disk") {
  Line& line = Line::get();
  std::string why;
  auto joined = join_as(line.worker, kDisk, Role::worker, "worker-0", &why);
  INFO(why);
  REQUIRE(joined.ok());
  CHECK(key_of_disk(joined->ticket.disk_key, kDisk));
  auto cluster = derive_cluster_id(joined->ticket.measurement_key, joined->ticket.measurement_salt);
  REQUIRE(cluster.ok());
  CHECK(*cluster == line.cluster_id);
  CHECK(joined->ticket.owner_key == line.owner);
  CHECK_FALSE(joined->ticket.kubernetes.has_value());
  CHECK(line.joinservice->logs("node.joined name=worker-0 role=worker disk=0b1c7a52"));
  CHECK(line.keyservice->logs("key.released class=disk id=0b1c7a52"));
}

TEST_CASE("a join may be repeated, and the machine rejoins with the same key") {
  Line& line = Line::get();
  std::string why;
  CHECK(join_as(line.worker, kDisk, Role::worker, "worker-0", &why).ok());
  auto ticket = rejoin_as(line.worker, kDisk, &why);
  REQUIRE(ticket.ok());
  CHECK(key_of_disk(ticket->disk_key, kDisk));
}

TEST_CASE("records outlive the joinservice") {
  Line& line = Line::get();
  line.start_services();
  std::string why;
  CHECK(line.joinservice->logs("nodes=1"));
  CHECK(rejoin_as(line.worker, kDisk, &why).ok());
}

TEST_CASE("a machine with another initrd is refused, and the verdict names PCR 9 and the initrd") {
  Line& line = Line::get();
  // It asks a joinservice that it would accept, as a changed image may accept anything.
  JoinParty party = line.other_image.party();
  party.accepted = &line.worker.accepted;
  std::string why;
  auto joined = join(line.join_endpoint, party, kOtherDisk, Role::worker, "worker-1", kTimeoutMs, &why);
  REQUIRE_FALSE(joined.ok());
  CHECK(joined.code() == Code::peer_refused);
  CHECK(peers_code(joined.error()) == Code::reference_mismatch);
  CHECK(why.find("pcr9") != std::string::npos);
  CHECK(why.find("initrd") != std::string::npos);
  CHECK(line.joinservice->logs("session.failed"));
}

TEST_CASE("another machine, however good, gets neither the disk nor the record of the first") {
  Line& line = Line::get();
  std::string why;
  auto rejoined = rejoin_as(line.other_worker, kDisk, &why);
  REQUIRE_FALSE(rejoined.ok());
  CHECK(peers_code(rejoined.error()) == Code::identity_mismatch);
  auto joined = join_as(line.other_worker, kDisk, Role::worker, "worker-1", &why);
  REQUIRE_FALSE(joined.ok());
  CHECK(peers_code(joined.error()) == Code::disk_taken);
}

TEST_CASE("a role that the matched set does not admit is refused") {
  std::string why;
  auto joined = join_as(Line::get().other_worker, kOtherDisk, Role::control_plane, "control-1", &why);
  REQUIRE_FALSE(joined.ok());
  CHECK(peers_code(joined.error()) == Code::role_refused);
}

TEST_CASE("a machine with a fresh disk is the same node, and its old disk's key is gone") {
  Line& line = Line::get();
  std::string why;
  REQUIRE(join_as(line.other_worker, kOtherDisk, Role::worker, "worker-1", &why).ok());
  const Uuid fresh = *parse_uuid("0b1c7a52-3f5e-4c11-9d80-6d2f1f0e0a03");
  auto joined = join_as(line.other_worker, fresh, Role::worker, "worker-1", &why);
  REQUIRE(joined.ok());
  CHECK(key_of_disk(joined->ticket.disk_key, fresh));
  auto old = rejoin_as(line.other_worker, kOtherDisk, &why);
  REQUIRE_FALSE(old.ok());
  CHECK(peers_code(old.error()) == Code::unknown_node);
}

TEST_CASE("new reference values count without a restart, bad ones never do") {
  Line& line = Line::get();
  const std::string path = line.folder + "/store/reference-values.json";
  std::string why;
  REQUIRE(write_file_durably(path.c_str(), "{}", 0644).ok());
  CHECK(line.joinservice->logs("references.rejected"));
  CHECK(rejoin_as(line.worker, kDisk, &why).ok());

  ReferenceValues stricter = line.references;
  stricter.sets[0].pcrs[1].expected[0][0] ^= 1;
  REQUIRE(write_file_durably(path.c_str(), stricter.to_json(), 0644).ok());
  CHECK(line.joinservice->logs("references.loaded"));
  CHECK_FALSE(rejoin_as(line.worker, kDisk, &why).ok());
  REQUIRE(write_file_durably(path.c_str(), line.references.to_json(), 0644).ok());
  line.start_services();
  CHECK(rejoin_as(line.worker, kDisk, &why).ok());
}

TEST_CASE("without the keyservice nothing is given out and nothing is recorded") {
  Line& line = Line::get();
  line.keyservice.reset();
  std::string why;
  const Uuid disk = *parse_uuid("0b1c7a52-3f5e-4c11-9d80-6d2f1f0e0a04");
  CHECK_FALSE(join_as(line.other_worker, disk, Role::worker, "worker-1", &why).ok());
  CHECK(access((line.folder + "/store/nodes/" + uuid_text(disk) + ".json").c_str(), F_OK) != 0);
  line.start_services();
}

TEST_CASE("the keyservice answers the joinservice's user and nobody else, not even root") {
  Line& line = Line::get();
  auto connection = connect_local(line.folder + "/keys.sock");
  REQUIRE(connection.ok());
  auto answer = receive_frame(connection->get(), 5000);
  CHECK(answer.code() == Code::peer_error);
  CHECK(code_from_number(static_cast<uint16_t>(answer.error().foreign)) == Code::peer_credentials);
  CHECK(line.keyservice->logs("request.refused uid=0"));
}

TEST_CASE("a service that is not started as root says so and ends") {
  for (const char* name : {"cstl-keyservice", "cstl-joinservice", "cstl-verificationservice"}) {
    INFO(std::string(name));
    std::string log = Line::get().folder + "/not-root.log";
    std::string zeros(64, '0');
    std::vector<std::string> argv = {"setpriv", "--reuid", "65534", "--clear-groups", test::programs() + "/" + name};
    if (argv.back().find("join") != std::string::npos) argv.insert(argv.end(), {"--salt", zeros});
    if (argv.back().find("verif") != std::string::npos) {
      argv.insert(argv.end(), {"--cluster-id", zeros, "--role", "worker", "--name", "w"});
    }
    CHECK_FALSE(test::run(argv, log));
    auto text = read_file(log.c_str(), 1 << 16);
    REQUIRE(text.ok());
    CHECK(std::string(Bytes(*text).text()).find("code=denied site=service.not_root") != std::string::npos);
    CHECK(unlink(log.c_str()) == 0);
  }
}

TEST_CASE("anyone can verify a machine of the cluster from outside") {
  Line& line = Line::get();
  auto identity = TlsIdentity::create();
  REQUIRE(identity.ok());
  ReferenceValues values = line.references;
  values.sets[0].ek_roots = {line.verified.tpm->root()};
  AppraisalPolicy policy;
  policy.values = &values;
  policy.cluster = ClusterRule::exactly;
  policy.cluster_id = line.cluster_id;
  policy.now = time(nullptr);
  SessionConfig config;
  config.identity = identity->get();
  config.demand = &policy;
  auto verify = [&]() -> Result<Code> {
    TRY_LET(Fd fd, connect_tcp(endpoint_text(line.verify_endpoint), kTimeoutMs));
    TRY_LET(std::unique_ptr<Session> session, Session::create(std::move(fd), config));
    TRY(drive_to_open(*session, nullptr));
    TRY(session->send(FrameType::verify_request, {}));
    TRY(drive_to_drained(*session));
    TRY_LET(Frame frame, drive_to_frame(*session, FrameType::verify_response));
    TRY_LET(VerifyResponse response, VerifyResponse::decode(frame.body.declassify()));
    CHECK(response.cluster_id == line.cluster_id);
    CHECK(response.role == Role::worker);
    CHECK(equal(response.name, "worker-7"));
    CHECK(session->peer_verdict()->endorsed);
    return session->peer_verdict()->code;
  };
  auto verified = verify();
  REQUIRE(verified.ok());
  CHECK(*verified == Code::ok);
  CHECK(line.verificationservice->logs("session.served"));
  policy.cluster_id[0] ^= 1;
  CHECK(verify().code() == Code::cluster_mismatch);
}

}  // namespace
}  // namespace cstl
