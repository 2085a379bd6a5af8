// What tests/svc/metrics_test.sh looks at: attester, keyservice and joinservice as they ship, with a real API server, and a
// known number of machines that came, were admitted or refused. Prints `name=value` lines, then `ready`, and stays until its
// standard input ends. The numbers that it prints are what the metrics must say.
#include <cstdio>

#include <fcntl.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "svc/run/local_server.h"
#include "tests/svc/live/fleet.h"

using namespace cstl;
using namespace cstl::test;

namespace {

[[noreturn]] void give_up(const char* what) {
  std::printf("failed=%s\n", what);
  std::exit(1);
}

void expect(bool fact, const char* what) {
  if (!fact) give_up(what);
}

// As kubelet replaces what is mounted: a new file with the old name.
void replace_references(Fleet& fleet, const std::string& text, const char* event) {
  const std::string path = fleet.folder + "/references/reference-values.json";
  expect(write_file_durably(path.c_str(), Bytes(std::string_view(text)), 0644).ok(), "references");
  expect(fleet.joinservice->logs(event), event);
}

}  // namespace

int main() {
  Fleet& fleet = Fleet::get();
  FleetNode first = fleet.node(Role::worker), second = fleet.node(Role::worker), third = fleet.node(Role::worker);
  expect(fleet.join(first).ok() && fleet.join(second).ok(), "joins");
  JoinRequest wrong_role = third.request();
  wrong_role.role = Role::control_plane;
  expect(fleet.join(third, wrong_role).code == Code::role_refused, "role_refused");
  expect(fleet.rejoin(first, first.disk).ok(), "rejoin");
  expect(fleet.rejoin(third, third.disk).code == Code::unknown_node, "unknown_node");
  // A machine whose image matches nothing any more, a connection without a handshake, and a stranger at the keys' socket.
  ReferenceValues other = fleet.references;
  for (ReferenceSet& set : other.sets) set.pcrs.front().expected.front()[0] ^= 1;
  replace_references(fleet, "{", "references.rejected");
  replace_references(fleet, other.to_json(), "references.loaded");
  expect(fleet.rejoin(first, first.disk).code == Code::reference_mismatch, "reference_mismatch");
  { auto silent = connect_tcp(fleet.endpoint, 5000); expect(silent.ok(), "connect"); }
  expect(fleet.joinservice->logs("\"event\":\"session.failed\",\"peer\":\"127.0.0.1:"), "session.failed");
  { auto stranger = connect_local(fleet.folder + "/keys.sock"); expect(stranger.ok(), "keys.sock"); }
  expect(fleet.keyservice->logs("request.refused"), "request.refused");

  const std::string accepted = fleet.folder + "/accepted.json";
  expect(write_file_durably(accepted.c_str(), Bytes(std::string_view(fleet.accepted.to_json())), 0644).ok(), "accepted");
  std::printf("accepted=%s\n", accepted.c_str());
  std::printf("folder=%s\nserver=%s\nca=%s\nkubeconfig=%s\ncluster_id=%s\n", fleet.folder.c_str(), fleet.plane["server"].c_str(),
              fleet.plane["ca"].c_str(), fleet.plane["kubeconfig"].c_str(), to_hex(fleet.cluster_id).c_str());
  std::printf("ready\n");
  std::fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {}
  return 0;
}
