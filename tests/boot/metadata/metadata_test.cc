#include "boot/metadata/metadata.h"

#include <doctest/doctest.h>
#include <fstream>
#include <unistd.h>

namespace cstl {
namespace {

constexpr const char* kHash = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

std::string valid() {
  return std::string(R"({"cstl":"metadata/1","name":"worker-0","role":"worker","variant":"qemu-vtpm",)") +
         R"("network":{"address":"10.0.2.15/24","gateway":"10.0.2.2","dns":["10.0.2.3","fd00::3"]},)" +
         R"("join":["10.0.2.2:19090","[fd00::2]:9090"],)" +
         R"("init_secret_sha256":")" + kHash + "\"}";
}

std::string with(std::string_view from, std::string_view to) {
  std::string text = valid();
  size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("metadata: a valid document gives every field") {
  std::string problem;
  auto m = Metadata::parse(valid(), &problem);
  REQUIRE_MESSAGE(m.ok(), problem);
  CHECK(m->name == "worker-0");
  CHECK(m->role == Role::worker);
  CHECK(m->variant == Variant::qemu_vtpm);
  CHECK(ip_text(m->address.address) == "10.0.2.15");
  CHECK(m->address.length == 24);
  REQUIRE(m->gateway);
  CHECK(ip_text(*m->gateway) == "10.0.2.2");
  REQUIRE(m->dns.size() == 2);
  CHECK(ip_text(m->dns[0]) == "10.0.2.3");
  CHECK(ip_text(m->dns[1]) == "fd00::3");
  REQUIRE(m->join.size() == 2);
  CHECK(endpoint_text(m->join[0]) == "10.0.2.2:19090");
  CHECK(endpoint_text(m->join[1]) == "[fd00::2]:9090");
  REQUIRE(m->init_secret_sha256);
  CHECK(to_hex(*m->init_secret_sha256) == kHash);

  auto again = Metadata::parse(m->to_json(), &problem);
  REQUIRE_MESSAGE(again.ok(), problem);
  CHECK(again->to_json() == m->to_json());
}

TEST_CASE("metadata: gateway, name servers, endpoints and init secret may be absent") {
  auto m = Metadata::parse(R"({"cstl":"metadata/1","name":"a","role":"control-plane","variant":"tpm",)"
                           R"("network":{"address":"fd00::15/64"}})", nullptr);
  REQUIRE(m.ok());
  CHECK(m->address.address.family == 6);
  CHECK(!m->gateway);
  CHECK(m->dns.empty());
  CHECK(m->join.empty());
  CHECK(!m->init_secret_sha256);
}

TEST_CASE("metadata: each bad field is refused and named") {
  struct Row { const char* name; std::string text; const char* problem; };
  std::string nine = "[";
  for (int i = 0; i < 9; ++i) nine += std::string(i ? "," : "") + "\"10.0.0.1:1\"";
  nine += "]";
  const std::string network = R"({"address":"10.0.2.15/24","gateway":"10.0.2.2","dns":["10.0.2.3","fd00::3"]})";
  const std::string servers = R"(["10.0.2.3","fd00::3"])";
  const std::string endpoints = R"(["10.0.2.2:19090","[fd00::2]:9090"])";
  const Row rows[] = {
      {"empty text", "", "it is not valid JSON"},
      {"text after the document", valid() + "x", "it is not valid JSON"},
      {"a list instead of an object", "[]", ": is not an object"},
      {"a repeated field", with("\"role\"", "\"name\":\"b\",\"role\""), "it is not valid JSON"},
      {"an unknown field", with("\"role\"", "\"roles\":1,\"role\""), ": holds an unknown member: roles"},
      {"more than 16 KiB", with("{", "{" + std::string(kMaxMetadata, ' ')), "it is larger than 16 KiB"},
      {"deep nesting", with(endpoints, "[[[[[[]]]]]]"), "it is not valid JSON"},
      {"another version", with("metadata/1", "metadata/2"), "cstl: has an unknown value"},
      {"no version", with("\"cstl\":\"metadata/1\",", ""), "cstl: is missing"},
      {"an empty name", with("worker-0", ""), "name: is empty"},
      {"a name with capitals", with("worker-0", "Worker"), "name: is not a node name ([a-z0-9-], at most 63)"},
      {"a name with a slash", with("worker-0", "a/b"), "name: is not a node name ([a-z0-9-], at most 63)"},
      {"a name of 64 characters", with("worker-0", std::string(64, 'a')), "name: is too long"},
      {"a name that is a number", with("\"worker-0\"", "7"), "name: is not a string"},
      {"an unknown role", with("\"role\":\"worker\"", "\"role\":\"master\""), "role: is neither control-plane nor worker"},
      {"no role", with("\"role\":\"worker\",", ""), "role: is missing"},
      {"an unknown variant", with("qemu-vtpm", "sgx"), "variant: is not a variant of this build"},
      {"no network", with("\"network\":" + network + ",", ""), "network: is missing"},
      {"a network that is a string", with(network, "\"x\""), "network.: is not an object"},
      {"an unknown network field", with("\"gateway\"", "\"mtu\":1500,\"gateway\""),
       "network.: holds an unknown member: mtu"},
      {"name servers that are no list", with(servers, "\"10.0.2.3\""), "network.dns: is not a list"},
      {"four name servers", with(servers, R"(["::1","::2","::3","::4"])"),
       "network.dns: holds more than 3 name servers"},
      {"a name server that is a number", with(servers, "[1]"), "network.dns: holds an entry that is not an IP address"},
      {"a name server with a port", with("10.0.2.3", "10.0.2.3:53"),
       "network.dns: holds an entry that is not an IP address"},
      {"an address without prefix length", with("10.0.2.15/24", "10.0.2.15"),
       "network.address: is not an IP address with a prefix length"},
      {"a prefix length of 33", with("/24", "/33"), "network.address: is not an IP address with a prefix length"},
      {"a prefix length of 0", with("/24", "/0"), "network.address: is not an IP address with a prefix length"},
      {"a prefix length with a sign", with("/24", "/+24"), "network.address: is not an IP address with a prefix length"},
      {"an address that is a name", with("10.0.2.15/24", "localhost/24"),
       "network.address: is not an IP address with a prefix length"},
      {"a gateway of the other family", with("\"gateway\":\"10.0.2.2\"", "\"gateway\":\"fd00::1\""),
       "network.gateway: is of another family than the address"},
      {"a gateway that is no address", with("\"gateway\":\"10.0.2.2\"", "\"gateway\":\"10.0.2\""),
       "network.gateway: is not an IP address"},
      {"endpoints that are no list", with(endpoints, "\"10.0.2.2:1\""), "join: is not a list"},
      {"nine endpoints", with(endpoints, nine), "join: holds more than 8 endpoints"},
      {"an endpoint that is a number", with(endpoints, "[1]"), "join: holds an entry that is not address:port"},
      {"an endpoint without port", with(endpoints, "[\"10.0.2.2\"]"), "join: holds an entry that is not address:port"},
      {"port 0", with("10.0.2.2:19090", "10.0.2.2:0"), "join: holds an entry that is not address:port"},
      {"port 65536", with("10.0.2.2:19090", "10.0.2.2:65536"), "join: holds an entry that is not address:port"},
      {"an IPv6 endpoint without brackets", with("[fd00::2]:9090", "fd00::2:9090"),
       "join: holds an entry that is not address:port"},
      {"an IPv4 endpoint in brackets", with("10.0.2.2:19090", "[10.0.2.2]:19090"),
       "join: holds an entry that is not address:port"},
      {"a name as endpoint", with("10.0.2.2:19090", "example:19090"), "join: holds an entry that is not address:port"},
      {"a short init secret hash", with(kHash, "00"), "init_secret_sha256: is not hexadecimal of the right length"},
      {"a long init secret hash", with(kHash, std::string(66, '0')), "init_secret_sha256: is too long"},
      {"an init secret hash that is not hexadecimal", with(kHash, std::string(64, 'g')),
       "init_secret_sha256: is not hexadecimal of the right length"},
  };
  for (const Row& row : rows) {
    std::string problem;
    auto m = Metadata::parse(row.text, &problem);
    CHECK_MESSAGE(m.code() == Code::metadata_malformed, row.name);
    CHECK_MESSAGE(problem == row.problem, row.name);
  }
}

TEST_CASE("metadata: every truncation is refused") {
  std::string text = valid();
  for (size_t n = 0; n < text.size(); ++n) {
    CHECK(Metadata::parse(std::string_view(text).substr(0, n), nullptr).code() == Code::metadata_malformed);
  }
}

TEST_CASE("metadata: the fw_cfg provider reads a file, and says when there is none") {
  std::string path = "/tmp/cstl-metadata-" + std::to_string(getpid());
  { std::ofstream(path) << valid(); }
  std::string problem;
  CHECK(FwCfgMetadata(path).read(&problem).ok());
  { std::ofstream(path) << std::string(kMaxMetadata + 1, ' '); }
  CHECK(FwCfgMetadata(path).read(&problem).code() == Code::metadata_malformed);
  unlink(path.c_str());
  CHECK(FwCfgMetadata(path).read(&problem).code() == Code::not_found);
}

TEST_CASE("addresses: the sockaddr of an endpoint is in network order") {
  sockaddr_storage out;
  auto v4 = parse_endpoint("1.2.3.4:258");
  REQUIRE(v4.ok());
  CHECK(v4->fill(&out) == sizeof(sockaddr_in));
  CHECK(reinterpret_cast<sockaddr_in*>(&out)->sin_port == htons(258));
  CHECK(reinterpret_cast<sockaddr_in*>(&out)->sin_addr.s_addr == htonl(0x01020304));
  auto v6 = parse_endpoint("[::1]:1");
  REQUIRE(v6.ok());
  CHECK(v6->fill(&out) == sizeof(sockaddr_in6));
  CHECK(reinterpret_cast<sockaddr_in6*>(&out)->sin6_addr.s6_addr[15] == 1);
  CHECK(parse_ip(std::string_view("1.2.3.4\0", 8)).code() == Code::bad_value);
  CHECK(parse_ip("fe80::1%eth0").code() == Code::bad_value);
}

}  // namespace cstl
