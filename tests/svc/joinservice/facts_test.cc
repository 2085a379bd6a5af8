#include "svc/joinservice/facts.h"

#include "tests/svc/joinservice/folder.h"

namespace cstl {
namespace {

const std::string kHex64(64, 'a');
const std::string kOwner = "04" + std::string(128, 'b');
constexpr const char* kConfig = R"({"cstl":"cluster/1","endpoint":"10.0.2.15:6443","sans":["127.0.0.1","api-0","10.9.9.9"],
  "service_cidr":"10.96.0.0/16","pod_cidr":"10.244.0.0/16"})";

TEST_CASE("the mounted facts are read, and a bad one is named") {
  test::Folder folder;
  folder.write("cluster.json", kConfig);
  folder.write("measurement-salt", kHex64 + "\n");
  folder.write("owner-key", kOwner);
  folder.write("ca-hash", kHex64);
  std::string problem;
  auto facts = ClusterFacts::read(folder.path, &problem);
  REQUIRE(facts.ok());
  CHECK(facts->config == kConfig);
  CHECK(facts->endpoint == "10.0.2.15:6443");
  CHECK(facts->salt[0] == 0xaa);
  struct Row {
    const char* file;
    std::string text;
    Code code;
    const char* problem;
  };
  const Row rows[] = {
      {"measurement-salt", "aa", Code::config_malformed, "measurement-salt"},
      {"owner-key", std::string(130, 'b'), Code::config_malformed, "owner-key"},
      {"ca-hash", "", Code::config_malformed, "ca-hash"},
      {"cluster.json", "[]", Code::config_malformed, "cluster.json"},
      {"cluster.json", "{", Code::bad_json, ""},
      {"cluster.json", "{}", Code::config_malformed, "endpoint"},
      {"cluster.json", R"({"endpoint":"api.example:6443"})", Code::config_malformed, "endpoint"},
      {"cluster.json", R"({"endpoint":"10.0.2.15"})", Code::config_malformed, "endpoint"},
      {"cluster.json", R"({"endpoint":"10.0.2.15:6443","sans":[1]})", Code::config_malformed, "sans"},
      {"cluster.json", R"({"endpoint":"10.0.2.15:6443","pod_cidr":"10.0.0.0/33"})", Code::config_malformed, "pod_cidr"},
  };
  for (const Row& row : rows) {
    INFO((std::string(row.file) + " " + row.text));
    auto before = read_file((folder.path + "/" + row.file).c_str(), 4096);
    REQUIRE(before.ok());
    folder.write(row.file, row.text);
    CHECK(ClusterFacts::read(folder.path, &problem).code() == row.code);
    CHECK(problem == row.problem);
    folder.write(row.file, std::string(Bytes(*before).text()));
  }
  std::filesystem::remove(folder.path + "/ca-hash");
  CHECK(ClusterFacts::read(folder.path, &problem).code() == Code::not_found);
  CHECK(problem == "ca-hash");
}

TEST_CASE("names and addresses that would pass for the API server, or are no host's, are reserved") {
  auto facts = ClusterFacts::parse(kConfig, kHex64, kOwner, kHex64, nullptr);
  REQUIRE(facts.ok());
  for (const char* name : {"kubernetes", "localhost", "api-0"}) CHECK(facts->reserved_name(name));
  CHECK_FALSE(facts->reserved_name("worker-0"));
  for (const char* address : {"10.0.2.15", "127.0.0.1", "10.9.9.9", "10.96.0.1", "10.244.3.4", "0.0.0.0", "127.1.2.3",
                              "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "ff02::1",
                              "::ffff:10.0.2.16"}) {
    INFO(std::string(address));
    auto parsed = parse_node_address(address);
    REQUIRE(parsed.ok());
    CHECK(facts->reserved_address(*parsed));
  }
  for (const char* address : {"10.0.2.16", "192.168.1.1", "fd00::16", "2001:db8::1"}) {
    INFO(std::string(address));
    CHECK_FALSE(facts->reserved_address(*parse_node_address(address)));
  }
}

TEST_CASE("an address has one text") {
  for (const char* text : {"", "10.0.2", "10.0.2.016", "010.0.2.16", "10.0.2.16 ", "FD00::1", "fd00:0::1", "fd00::01", "[fd00::1]",
                           "fe80::1%eth0", "10.0.2.16/24", "::FFFF:1.2.3.4", "worker-0"}) {
    INFO(std::string(text));
    CHECK(parse_node_address(text).code() == Code::bad_value);
  }
}

}  // namespace
}  // namespace cstl
