// The program as it ships on machines that are more than a plain TPM, or have none: what their waiter needs is open
// before it is confined, and the node lock is whatever register the machine has.
#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>

#include "boot/state/node_state.h"
#include "crypto/base/fd.h"
#include "tests/attest/platform/machine.h"
#include "tests/boot/bootstrapper/machine.h"

namespace cstl {
namespace {

using test::CloudMachine;
using test::Machine;
using test::Owner;

// The platform of `cloud` around a machine.
void place(Machine& machine, CloudMachine& cloud) {
  machine.metadata.variant = cloud.variant;
  machine.platform = {"--configfs", cloud.paths.configfs, "--collateral", cloud.paths.collateral, "--sev-guest", "/nonexistent"};
}

std::string values_of(const ReferenceSet& set) {
  ReferenceValues values;
  values.sets = {set};
  return values.to_json();
}

ReferenceSet for_all_roles(ReferenceSet set) {
  set.roles = (1 << static_cast<unsigned>(Role::control_plane)) | (1 << static_cast<unsigned>(Role::worker));
  return set;
}

struct ControlPlane {
  explicit ControlPlane(Variant variant) : cloud(variant, {}, true) {
    place(machine, cloud);
    owner.demand = for_all_roles(cloud.set);
    owner.reference_values = values_of(*owner.demand);
    machine.metadata.init_secret_sha256 = owner.init_secret_hash();
  }
  void start() {
    machine.start();
    REQUIRE_MESSAGE(machine.wait_for_log("waiter.waiting"), machine.log());
  }
  CloudMachine cloud;
  Machine machine{"control-plane-0", Role::control_plane};
  Owner owner;
};

std::vector<uint8_t> register_of(const Machine& machine) {
  auto value = read_file((machine.run() + "/cluster-register").c_str(), kRegisters);
  return value.ok() ? *value : std::vector<uint8_t>();
}

}  // namespace

TEST_CASE("bootstrapper: sev-snp machines without TPM found a cluster, join it, and find their register after a restart") {
  ControlPlane c(Variant::sev_snp);
  c.start();
  CHECK(register_of(c.machine).empty());
  Owner::Outcome out = c.owner.init(c.machine.init_port);
  REQUIRE_MESSAGE(out.code == Code::ok, out.text << "\n" << c.machine.log());
  REQUIRE_MESSAGE(c.machine.wait_for_log("cstl-joinservice: info service.ready"), c.machine.log());
  CHECK(register_of(c.machine) == Bytes(*cluster_pcr(c.owner.cluster_id)).copy());
  auto node = NodeState::load((c.machine.state() + "/node.json").c_str(), nullptr);
  REQUIRE(node.ok());
  CHECK(node->variant == Variant::sev_snp);

  SUBCASE("a worker on another processor joins: both reports are verified, under the image's roots") {
    CloudMachine cloud(Variant::sev_snp, {}, true);
    Machine worker("worker-0", Role::worker);
    place(worker, cloud);
    worker.baked = values_of(for_all_roles(cloud.set));
    worker.metadata.join = {*parse_endpoint("127.0.0.1:" + std::to_string(c.machine.join_port))};
    worker.start();
    CHECK_MESSAGE(worker.wait_for_log("cstl-verificationservice: info service.ready"), worker.log() << c.machine.log());
    CHECK(register_of(worker) == Bytes(*cluster_pcr(c.owner.cluster_id)).copy());
    CHECK(c.machine.wait_for_log("node.joined name=worker-0"));
  }
  SUBCASE("a worker without roots in its image does not even ask: its own report is not AMD's") {
    CloudMachine cloud(Variant::sev_snp, {}, true);
    Machine worker("worker-0", Role::worker);
    place(worker, cloud);
    worker.metadata.join = {*parse_endpoint("127.0.0.1:" + std::to_string(c.machine.join_port))};
    worker.start();
    CHECK(worker.wait_for_exit() == 1);
    CHECK_MESSAGE(worker.log().find("give the image reference values") != std::string::npos, worker.log());
    CHECK(register_of(worker).empty());
  }
  SUBCASE("started again, it goes on; with another cluster's register, or none, it does not") {
    const std::vector<uint8_t> entered = register_of(c.machine);
    const std::string path = c.machine.run() + "/cluster-register";
    c.machine.kill_now();
    c.machine.start();
    CHECK_MESSAGE(c.machine.wait_for_log("cstl-joinservice: info service.ready"), c.machine.log());
    c.machine.kill_now();
    std::vector<uint8_t> other = entered;
    other[0] ^= 1;
    REQUIRE(write_file_durably(path.c_str(), other).ok());
    c.machine.start();
    CHECK(c.machine.wait_for_exit() == 1);
    CHECK(c.machine.log().find("code=cluster_mismatch") != std::string::npos);
    c.machine.kill_now();
    REQUIRE(unlink(path.c_str()) == 0);
    c.machine.start();
    CHECK(c.machine.wait_for_exit() == 1);
    CHECK(c.machine.log().find("code=cluster_mismatch") != std::string::npos);
  }
}

TEST_CASE("bootstrapper: a register that does not take the cluster's value ends it in a reboot, with nothing sealed") {
  ControlPlane c(Variant::tdx);
  // A file, which keeps what is written instead of extending it.
  const std::string rtmr = c.machine.run() + "/rtmr3";
  REQUIRE(write_file_durably(rtmr.c_str(), Bytes(Digest48{})).ok());
  c.machine.platform.insert(c.machine.platform.end(), {"--rtmr3", rtmr, "--ccel", ""});
  c.start();
  Owner::Outcome out = c.owner.init(c.machine.init_port);
  CHECK(out.code == Code::mismatch);
  CHECK(c.machine.power_asked(10) == PowerAction::reboot);
  CHECK_FALSE(c.machine.rekeyed());
  CHECK(c.machine.wait_for_exit() == 1);
  // Without a reboot it stays out.
  c.machine.kill_now();
  c.machine.start();
  CHECK(c.machine.wait_for_exit() == 1);
  CHECK(c.machine.log().find("code=lock_taken") != std::string::npos);
}

TEST_CASE("bootstrapper: a machine whose report device is missing says so before it waits") {
  ControlPlane c(Variant::sev_snp);
  c.machine.platform[1] = "/nonexistent";
  c.machine.start();
  CHECK(c.machine.wait_for_exit() == 1);
  CHECK_MESSAGE(c.machine.log().find("code=tee_missing") != std::string::npos, c.machine.log());
}

}  // namespace cstl
