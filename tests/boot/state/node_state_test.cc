#include "boot/state/node_state.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

NodeState sample() {
  NodeState s;
  s.name = "control-plane-0";
  s.role = Role::control_plane;
  s.variant = Variant::tpm;
  for (size_t i = 0; i < 32; ++i) {
    s.cluster_id[i] = static_cast<uint8_t>(i);
    s.measurement_salt[i] = static_cast<uint8_t>(255 - i);
  }
  s.owner_key.fill(7);
  s.owner_key[0] = 4;
  return s;
}

std::string with(std::string_view from, std::string_view to) {
  std::string text = sample().to_json();
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("node state: what is written is read back") {
  NodeState s = sample();
  std::string problem;
  auto again = NodeState::parse(s.to_json(), &problem);
  REQUIRE_MESSAGE(again.ok(), problem);
  CHECK(again->name == s.name);
  CHECK(again->role == s.role);
  CHECK(again->variant == s.variant);
  CHECK(again->cluster_id == s.cluster_id);
  CHECK(again->measurement_salt == s.measurement_salt);
  CHECK(again->owner_key == s.owner_key);
  CHECK(again->to_json() == s.to_json());
  CHECK(!again->kubernetes);

  s.kubernetes = true;
  again = NodeState::parse(s.to_json(), &problem);
  REQUIRE_MESSAGE(again.ok(), problem);
  CHECK(again->kubernetes);
  CHECK(again->to_json() == s.to_json());
}

TEST_CASE("node state: each bad field is refused and named") {
  std::string id = to_hex(sample().cluster_id), salt = to_hex(sample().measurement_salt), key = to_hex(sample().owner_key);
  struct Row { const char* name; std::string text; const char* problem; };
  const Row rows[] = {
      {"empty text", "", "it is not valid JSON"},
      {"text after the document", sample().to_json() + "{}", "it is not valid JSON"},
      {"a list", "[]", ": is not an object"},
      {"larger than 4 KiB", with("{", "{" + std::string(kMaxNodeState, ' ')), "it is larger than 4 KiB"},
      {"another version", with("node-state/1", "node-state/2"), "cstl: has an unknown value"},
      {"an unknown field", with("\"role\"", "\"x\":1,\"role\""), ": holds an unknown member: x"},
      {"a repeated field", with("\"role\"", "\"name\":\"b\",\"role\""), "it is not valid JSON"},
      {"no name", with("\"name\": \"control-plane-0\",", ""), "name: is missing"},
      {"a bad name", with("control-plane-0", "-a"), "name: is not a node name"},
      {"a bad role", with("\"role\": \"control-plane\"", "\"role\": \"both\""), "role: is neither control-plane nor worker"},
      {"a bad variant", with("\"tpm\"", "\"tpm2\""), "variant: is not a variant of this build"},
      {"a short clusterID", with(id, id.substr(2)), "cluster_id: is not hexadecimal of the right length"},
      {"a clusterID that is a number", with("\"" + id + "\"", "1"), "cluster_id: is not a string"},
      {"a long salt", with(salt, salt + "00"), "measurement_salt: is too long"},
      {"a salt that is not hexadecimal", with(salt, "zz" + salt.substr(2)),
       "measurement_salt: is not hexadecimal of the right length"},
      {"a compressed owner key", with(key, "02" + key.substr(2)), "owner_key: is not an uncompressed point"},
      {"a node with Kubernetes perhaps", with("\"role\"", "\"kubernetes\":1,\"role\""), "kubernetes: is neither true nor false"},
      {"no owner key", with(",\n  \"owner_key\": \"" + key + "\"", ""), "owner_key: is missing"},
  };
  for (const Row& row : rows) {
    std::string problem;
    auto s = NodeState::parse(row.text, &problem);
    CHECK_MESSAGE(s.code() == Code::node_state, row.name);
    CHECK_MESSAGE(problem == row.problem, row.name);
  }
}

TEST_CASE("node state: every truncation is refused") {
  std::string text = sample().to_json();
  text.pop_back();  // the newline, which may be missing
  for (size_t n = 0; n < text.size(); ++n) {
    CHECK(NodeState::parse(std::string_view(text).substr(0, n), nullptr).code() == Code::node_state);
  }
}

TEST_CASE("node state: store and load; absent, oversize and unwritable files have their own codes") {
  char folder[] = "/tmp/cstl-node-state-XXXXXX";
  REQUIRE(mkdtemp(folder));
  std::string path = std::string(folder) + "/node.json";
  std::string problem;
  CHECK(NodeState::load(path.c_str(), &problem).code() == Code::not_found);
  CHECK(sample().store(path.c_str()).ok());
  CHECK(sample().store(path.c_str()).ok());
  auto loaded = NodeState::load(path.c_str(), &problem);
  REQUIRE(loaded.ok());
  CHECK(loaded->to_json() == sample().to_json());
  struct stat info {};
  CHECK(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0644);
  CHECK(write_file_durably(path.c_str(), std::string(kMaxNodeState + 1, ' ')).ok());
  CHECK(NodeState::load(path.c_str(), &problem).code() == Code::node_state);
  unlink(path.c_str());
  rmdir(folder);
  CHECK(sample().store(path.c_str()).code() == Code::not_found);
}

}  // namespace cstl
