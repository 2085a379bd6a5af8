#include "tools/cstl/workspace.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"

using namespace cstl;
using namespace cstl::cli;

namespace {
struct Folder {
  char path[32] = "/tmp/cstl-workspace-XXXXXX";
  Folder() { REQUIRE(mkdtemp(path) != nullptr); }
  ~Folder() {
    std::string command = std::string("rm -rf ") + path;
    CHECK(std::system(command.c_str()) == 0);
  }
};
}  // namespace

TEST_CASE("cluster state survives being written and read") {
  Folder folder;
  ClusterState state;
  state.cluster_id[0] = 7;
  state.measurement_salt[31] = 9;
  state.owner_key[0] = 4;
  state.nodes = {{"control-plane-0", Role::control_plane, "127.0.0.1:1", "127.0.0.1:2"}, {"worker-0", Role::worker, "", ""}};
  REQUIRE(store_state(folder.path, state).ok());
  std::string problem;
  auto read = load_state(folder.path, &problem);
  REQUIRE_MESSAGE(read.ok(), problem);
  CHECK(read->cluster_id == state.cluster_id);
  CHECK(read->measurement_salt == state.measurement_salt);
  CHECK(read->owner_key == state.owner_key);
  REQUIRE(read->nodes.size() == 2);
  CHECK(read->nodes[0].verify == "127.0.0.1:1");
  CHECK(read->nodes[1].role == Role::worker);
}

TEST_CASE("the master secret is private, is never overwritten and reads back as it was made") {
  Folder folder;
  auto made = create_owner(folder.path);
  REQUIRE(made.ok());
  struct stat facts {};
  std::string path = std::string(folder.path) + "/cstl-mastersecret.json";
  REQUIRE(stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK(create_owner(folder.path).code() == Code::exists);
  std::string problem;
  auto read = load_owner(folder.path, &problem);
  REQUIRE_MESSAGE(read.ok(), problem);
  CHECK(ct_equal(read->master.key.declassify(), made->master.key.declassify()));
  CHECK(ct_equal(read->master.salt.declassify(), made->master.salt.declassify()));
  CHECK(read->key.point() == made->key.point());

  REQUIRE(chmod(path.c_str(), 0640) == 0);
  CHECK(load_owner(folder.path, &problem).code() == Code::workspace);
  CHECK(problem.find("read by others") != std::string::npos);
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  REQUIRE(write_file_durably(path.c_str(), "{\"cstl\": \"master-secret/1\", \"key\": \"00\"}").ok());
  CHECK(load_owner(folder.path, &problem).code() == Code::workspace);
}
