#include "tools/cstl/workspace.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "tools/cstl/yaml.h"

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

const std::string kGood =
    "cstl: config/1\nname: demo\nvariant: qemu-vtpm\nreference_values: r.json\n"
    "mini:\n  image: a\n  firmware_code: b\n  firmware_vars: c\n";
}  // namespace

TEST_CASE("the generated template is a valid configuration") {
  std::string problem;
  auto config = parse_config(config_template("prod-1"), &problem);
  CHECK_MESSAGE(config.ok(), problem);
  CHECK(config->name == "prod-1");
  CHECK(config->mini.workers == 1);
  CHECK(config->mini.disk_gib == 4);
}

TEST_CASE("a configuration with a fault is refused and the place is named") {
  struct Row { const char* name; std::string text; const char* place; };
  const Row rows[] = {
      {"empty file", "", "empty"},
      {"unknown field", kGood + "color: blue\n", "color"},
      {"unknown field of mini", kGood + "  color: blue\n", "mini.: holds an unknown member: color"},
      {"missing name", "cstl: config/1\nvariant: qemu-vtpm\nreference_values: r\n", "name"},
      {"wrong kind", "cstl: state/1\nname: a\nvariant: tpm\nreference_values: r\n", "cstl"},
      {"name with capitals", "cstl: config/1\nname: Demo\nvariant: tpm\nreference_values: r\n", "name"},
      {"unknown variant", "cstl: config/1\nname: a\nvariant: vtpm\nreference_values: r\n", "variant"},
      {"a variant that this build cannot verify", "cstl: config/1\nname: a\nvariant: aws-sev-snp\nreference_values: r\n",
       "variant"},
      {"a second control plane", kGood + "  control_planes: 2\n", "mini.control_planes"},
      {"workers beyond the bound", kGood + "  workers: 33\n", "mini.workers"},
      {"workers as text", kGood + "  workers: \"1\"\n", "mini.workers"},
      {"a key twice", kGood + "name: demo\n", "twice"},
      {"an alias", "cstl: &a config/1\nname: *a\n", "anchors"},
      {"a tag", "cstl: !!str config/1\n", "tags"},
      {"a list instead of a mapping", "- a\n", "is not an object"},
      {"two documents", "cstl: config/1\n---\na: b\n", "second"},
      {"not YAML", "a: [b\n", "line"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    std::string problem;
    auto config = parse_config(row.text, &problem);
    CHECK(config.code() == Code::config_malformed);
    CHECK_MESSAGE(problem.find(row.place) != std::string::npos, problem);
  }
  std::string problem;
  CHECK(parse_config(std::string(kMaxYaml + 1, 'a'), &problem).code() == Code::too_long);
}

TEST_CASE("deep nesting is refused, not followed") {
  std::string problem;
  CHECK(parse_yaml(std::string(5000, '['), &problem).code() == Code::config_malformed);
}

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
