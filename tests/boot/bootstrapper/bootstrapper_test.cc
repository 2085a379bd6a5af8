// The program as it ships, against a real software TPM; only the disk behind the monitor is played.
#include <doctest/doctest.h>
#include <csignal>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/reference/appraise.h"
#include "boot/state/node_state.h"
#include "crypto/base/fd.h"
#include "tests/boot/bootstrapper/machine.h"

namespace cstl {
namespace {

using test::Machine;
using test::Owner;
using test::RekeyAnswer;

struct ControlPlane {
  Machine machine{"control-plane-0", Role::control_plane};
  Owner owner;
  ControlPlane() {
    machine.metadata.init_secret_sha256 = owner.init_secret_hash();
    owner.reference_values = test::reference_values_of(machine.pcrs());
  }
  void start() {
    machine.start();
    REQUIRE_MESSAGE(machine.wait_for_log("waiter.waiting"), machine.log());
  }
};

void check_owned(const std::string& path, mode_t mode, uid_t owner) {
  struct stat info {};
  REQUIRE_MESSAGE(stat(path.c_str(), &info) == 0, path);
  CHECK_MESSAGE((info.st_mode & 07777) == mode, path);
  CHECK_MESSAGE(info.st_uid == owner, path);
  CHECK_MESSAGE(info.st_gid == owner, path);
}

void check_entered(Machine& m, const Owner& owner) {
  auto node = NodeState::load((m.state() + "/node.json").c_str(), nullptr);
  REQUIRE(node.ok());
  CHECK(node->cluster_id == owner.cluster_id);
  CHECK(node->owner_key == owner.key.point());
  CHECK(node->name == m.metadata.name);
  CHECK(node->role == m.metadata.role);
  CHECK(m.pcrs()[kClusterPcr] == *cluster_pcr(owner.cluster_id));
  auto rekey = m.rekeyed();
  REQUIRE(rekey);
  auto key = derive_key(owner.request.master, KeyClass::disk, uuid_text(m.disk));
  REQUIRE(key.ok());
  CHECK(ct_equal(rekey->disk_key.declassify(), key->declassify()));
  CHECK(rekey->owner_key == owner.key.point());
  CHECK(access((m.run() + "/entering").c_str(), F_OK) != 0);
}

}  // namespace

TEST_CASE("bootstrapper: init succeeds once, writes everything, re-keys the disk and starts the services") {
  ControlPlane c;
  c.start();
  Owner::Outcome out = c.owner.init(c.machine.init_port);
  REQUIRE_MESSAGE(out.code == Code::ok, out.text << "\n" << c.machine.log());
  CHECK(out.response->cluster_id == c.owner.cluster_id);
  CHECK(out.response->disk == c.machine.disk);
  CHECK(out.progress.size() == 5);
  check_entered(c.machine, c.owner);
  std::string state = c.machine.state();
  check_owned(state + "/keyservice", 0700, 902);
  check_owned(state + "/keyservice/master", 0600, 902);
  check_owned(state + "/joinservice", 0700, 901);
  check_owned(state + "/joinservice/nodes", 0700, 901);
  check_owned(state + "/joinservice/reference-values.json", 0600, 901);
  check_owned(state + "/joinservice/owner.key", 0600, 901);
  for (const char* service : {"attester", "keyservice", "joinservice", "verificationservice"}) {
    CHECK(c.machine.wait_for_log(std::string("service.started service=") + service));
  }
  for (const char* service : {"cstl-attester", "cstl-keyservice", "cstl-joinservice", "cstl-verificationservice"}) {
    CHECK_MESSAGE(c.machine.wait_for_log(std::string(service) + ": info service.ready"), c.machine.log());
  }
  CHECK(c.owner.init(c.machine.init_port).code != Code::ok);

  SUBCASE("and after a reboot the sealed machine starts its services at once") {
    c.machine.next_boot();
    c.machine.extend_cluster_pcr(c.owner.cluster_id);
    c.machine.start();
    CHECK_MESSAGE(c.machine.wait_for_log("cstl-joinservice: info service.ready"), c.machine.log());
  }
  SUBCASE("and after a reboot without PCR 15 it refuses to go on") {
    c.machine.next_boot();
    c.machine.start();
    CHECK(c.machine.wait_for_exit() == 1);
    CHECK(c.machine.log().find("code=cluster_mismatch") != std::string::npos);
  }
  SUBCASE("and a damaged node state is refused, with the field that is wrong") {
    c.machine.next_boot();
    c.machine.extend_cluster_pcr(c.owner.cluster_id);
    REQUIRE(write_file_durably((state + "/node.json").c_str(), "{}").ok());
    c.machine.start();
    CHECK(c.machine.wait_for_exit() == 1);
    CHECK(c.machine.log().find("code=node_state") != std::string::npos);
  }
}

TEST_CASE("bootstrapper: a bad init request changes nothing, has its own code, and a good one succeeds after it") {
  ControlPlane c;
  c.start();
  const std::string good = c.owner.reference_values;
  struct Row { const char* name; Code code; void (*change)(Owner&); };
  const Row rows[] = {
      {"a wrong init secret", Code::init_secret, [](Owner& o) { o.init_secret.fill().data()[0] ^= 1; }},
      {"a wrong owner signature", Code::owner_signature, [](Owner& o) { o.break_signature = true; }},
      {"reference values that are no JSON", Code::bad_json, [](Owner& o) { o.reference_values = "{"; }},
      {"reference values with an unknown field", Code::reference_malformed,
       [](Owner& o) { o.reference_values.insert(1, "\"x\": 1,"); }},
      {"reference values that have expired", Code::reference_expired,
       [](Owner& o) {
         size_t at = o.reference_values.find("\"2096");
         REQUIRE(at != std::string::npos);
         o.reference_values.replace(at, 5, "\"2021");
       }},
  };
  for (const Row& row : rows) {
    Secret<32> secret = c.owner.init_secret.clone();
    row.change(c.owner);
    Owner::Outcome out = c.owner.init(c.machine.init_port);
    CHECK_MESSAGE(out.code == row.code, row.name << ": " << code_name(out.code) << ", " << out.text);
    CHECK_MESSAGE(!out.text.empty(), row.name);
    c.owner.init_secret = std::move(secret);
    c.owner.break_signature = false;
    c.owner.reference_values = good;
    CHECK_MESSAGE(c.machine.pcrs()[kClusterPcr] == Digest32{}, row.name);
    CHECK_MESSAGE(access((c.machine.state() + "/node.json").c_str(), F_OK) != 0, row.name);
  }
  Owner::Outcome out = c.owner.init(c.machine.init_port);
  CHECK_MESSAGE(out.code == Code::ok, out.text << "\n" << c.machine.log());
  check_entered(c.machine, c.owner);
}

TEST_CASE("bootstrapper: with PCR 15 extended the machine refuses at its start, and asks for a reboot") {
  ControlPlane c;
  c.machine.extend_cluster_pcr(c.owner.cluster_id);
  c.machine.start();
  CHECK(c.machine.wait_for_exit() == 1);
  CHECK(c.machine.log().find("code=pcr_not_zero") != std::string::npos);
  CHECK(c.machine.power_asked(5) == PowerAction::reboot);
}

TEST_CASE("bootstrapper: PCR 15 extended while it waits is refused by whoever initialises, and by the node lock") {
  ControlPlane c;
  c.start();
  c.machine.extend_cluster_pcr(c.owner.cluster_id);
  CHECK(c.owner.init(c.machine.init_port).code == Code::pcr_not_zero);
  c.owner.accept_entered = true;
  Owner::Outcome out = c.owner.init(c.machine.init_port);
  CHECK(out.code == Code::already_initialised);
  CHECK(out.text.find("PCR 15 is not zero") != std::string::npos);
  CHECK(access((c.machine.state() + "/node.json").c_str(), F_OK) != 0);
}

TEST_CASE("bootstrapper: a disk that can't be re-keyed is said to the owner, and the machine reboots into a fresh one") {
  ControlPlane c;
  c.machine.rekey_answer = RekeyAnswer::refuse;
  c.start();
  Owner::Outcome out = c.owner.init(c.machine.init_port);
  CHECK(out.code == Code::peer_error);
  CHECK(out.text.find("re-keying the state disk") != std::string::npos);
  CHECK(c.machine.power_asked(5) == PowerAction::reboot);
  CHECK(c.machine.wait_for_exit() == 1);

  c.machine.next_boot();
  c.start();
  out = c.owner.init(c.machine.init_port);
  CHECK_MESSAGE(out.code == Code::ok, out.text);
  check_entered(c.machine, c.owner);
}

namespace {

constexpr const char* kKillPoints[] = {"taking the node lock", "writing the control plane's records",
                                       "writing the node state", "re-keying the state disk", "rekey performed",
                                       "completing the node lock"};

void kill_during_init(ControlPlane& c, const std::string& point) {
  bool performed = point == "rekey performed";  // by cstl-init, whose answer never arrives
  if (performed) c.machine.rekey_answer = RekeyAnswer::do_but_stay_silent;
  // The kill follows a log line, so the program may be further by then: not beyond the re-key, unless that is the point.
  else if (point != "completing the node lock") c.machine.rekey_answer = RekeyAnswer::never_do;
  c.start();
  std::thread client([&] { (void)c.owner.init(c.machine.init_port); });  // its connection ends with the machine
  if (performed) {
    for (int i = 0; i < 3000 && !c.machine.rekeyed(); ++i) usleep(10000);
    c.machine.kill_now();
  } else {
    CHECK(c.machine.kill_at("step=\"" + point));
  }
  client.join();
}

}  // namespace

TEST_CASE("bootstrapper: killed at any step, the next boot is fresh and init repeats, or sealed and serves") {
  for (const char* point : kKillPoints) {
    CAPTURE(point);
    ControlPlane c;
    kill_during_init(c, point);
    bool sealed = c.machine.rekeyed().has_value();
    c.machine.next_boot();
    if (sealed) {
      c.machine.extend_cluster_pcr(c.owner.cluster_id);
      c.machine.start();
      CHECK_MESSAGE(c.machine.wait_for_log("cstl-joinservice: info service.ready"), c.machine.log());
    } else {
      c.start();
      Owner::Outcome out = c.owner.init(c.machine.init_port);
      CHECK_MESSAGE(out.code == Code::ok, out.text << "\n" << c.machine.log());
    }
    check_entered(c.machine, c.owner);
  }
}

TEST_CASE("bootstrapper: killed at a step and started again without a reboot, it refuses and asks for one") {
  for (const char* point : {kKillPoints[2], kKillPoints[3], kKillPoints[4]}) {
    CAPTURE(point);
    ControlPlane c;
    kill_during_init(c, point);
    c.machine.start();
    CHECK(c.machine.wait_for_exit() == 1);
    CHECK(c.machine.log().find("code=lock_taken") != std::string::npos);
    CHECK(c.machine.power_asked(5) == PowerAction::reboot);
  }
}

TEST_CASE("bootstrapper: a worker joins through the control plane's joinservice, and its service gives evidence") {
  ControlPlane c;
  c.start();
  REQUIRE(c.owner.init(c.machine.init_port).code == Code::ok);
  REQUIRE_MESSAGE(c.machine.wait_for_log("cstl-joinservice: info service.ready"), c.machine.log());

  Machine worker("worker-0", Role::worker);
  // The first endpoint has no listener: the poller goes on to the next.
  worker.metadata.join = {*parse_endpoint("127.0.0.1:1"), *parse_endpoint("127.0.0.1:" + std::to_string(c.machine.join_port))};
  worker.start();
  CHECK_MESSAGE(worker.wait_for_log("cstl-verificationservice: info service.ready"), worker.log() << c.machine.log());
  check_entered(worker, c.owner);
  CHECK(access((worker.state() + "/keyservice").c_str(), F_OK) != 0);
  CHECK(access((worker.state() + "/joinservice").c_str(), F_OK) != 0);
  CHECK(c.machine.wait_for_log("node.joined name=worker-0"));
}

TEST_CASE("bootstrapper: a worker whose image differs is refused, says why, and keeps asking") {
  ControlPlane c;
  c.start();
  REQUIRE(c.owner.init(c.machine.init_port).code == Code::ok);
  REQUIRE(c.machine.wait_for_log("cstl-joinservice: info service.ready"));
  Machine worker("worker-0", Role::worker);
  worker.metadata.join = {*parse_endpoint("127.0.0.1:" + std::to_string(c.machine.join_port))};
  worker.extend_pcr(9);
  worker.start();
  CHECK_MESSAGE(worker.wait_for_log("join.failed"), worker.log());
  CHECK(worker.log().find("pcr9") != std::string::npos);
  CHECK(worker.pcrs()[kClusterPcr] == Digest32{});
  CHECK(access((worker.state() + "/node.json").c_str(), F_OK) != 0);
}

TEST_CASE("bootstrapper: what talks to the network has no rights and a filter on its system calls") {
  ControlPlane c;
  c.start();
  std::string status = c.machine.waiter_status();
  for (const char* line : {"Uid:\t904\t904\t904\t904\n", "Gid:\t904\t904\t904\t904\n", "Groups:\t \n",
                           "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n",
                           "NoNewPrivs:\t1\n", "Seccomp:\t2\n"}) {
    CHECK_MESSAGE(status.find(line) != std::string::npos, line << status);
  }
  SUBCASE("and its death ends the bootstrapper with a code") {
    size_t at = status.find("\nPid:\t");
    REQUIRE(at != std::string::npos);
    REQUIRE(kill(static_cast<pid_t>(atoi(status.c_str() + at + 6)), SIGKILL) == 0);
    CHECK(c.machine.wait_for_exit() == 1);
    CHECK(c.machine.log().find("code=child_failed") != std::string::npos);
  }
}

TEST_CASE("bootstrapper: bad settings and metadata end it with a code") {
  Machine m("worker-0", Role::worker);
  SUBCASE("nothing to wait for") {
    m.start();
    CHECK(m.wait_for_exit() == 1);
    CHECK(m.log().find("code=metadata_malformed") != std::string::npos);
  }
  SUBCASE("malformed metadata") {
    m.metadata.name = "Not A Name";
    m.start();
    CHECK(m.wait_for_exit() == 1);
    CHECK(m.log().find("code=metadata_malformed") != std::string::npos);
    CHECK(m.log().find("name: is not a node name") != std::string::npos);
  }
}

}  // namespace cstl
