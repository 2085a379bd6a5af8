#include "svc/joinservice/csr.h"

#include "tests/harness/swtpm.h"
#include "tests/svc/joinservice/folder.h"

namespace cstl {
namespace {

constexpr const char* kSubject = "/O=system:nodes/CN=system:node:n1";

// Requests as OpenSSL makes them, with one key per folder and kind.
struct Maker : test::Folder {
  std::vector<uint8_t> make(const std::string& subject, std::vector<std::string> more = {}, const std::string& key = "EC:prime256v1") {
    std::vector<std::string> argv = {"openssl", "req", "-new", "-nodes", "-sha256", "-outform", "DER", "-out", path + "/out",
                                     "-keyout", path + "/key", "-subj", subject};
    std::vector<std::string> kind = {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:" + key.substr(3)};
    if (key == "RSA") kind = {"-newkey", "rsa:2048"};
    argv.insert(argv.end(), kind.begin(), kind.end());
    argv.insert(argv.end(), more.begin(), more.end());
    REQUIRE(test::run(argv, path + "/log"));
    auto der = read_file((path + "/out").c_str(), 8192);
    REQUIRE(der.ok());
    return *der;
  }
};

TEST_CASE("a kubelet's requests parse, and are that node's alone") {
  Maker maker;
  auto client = parse_certificate_request(maker.make(kSubject));
  REQUIRE(client.ok());
  CHECK(client->organization == "system:nodes");
  CHECK(client->common_name == "system:node:n1");
  CHECK(check_client_request(*client, "n1").ok());
  CHECK(check_client_request(*client, "n").code() == Code::csr_refused);
  CHECK(check_client_request(*client, "n10").code() == Code::csr_refused);
  CHECK(check_serving_request(*client, "n1", "10.0.2.16").code() == Code::csr_refused);

  auto serving = parse_certificate_request(maker.make(kSubject, {"-addext", "subjectAltName=DNS:n1,IP:10.0.2.16"}));
  REQUIRE(serving.ok());
  CHECK(check_serving_request(*serving, "n1", "10.0.2.16").ok());
  CHECK(check_serving_request(*serving, "n1", "10.0.2.17").code() == Code::csr_refused);
  CHECK(check_serving_request(*serving, "n2", "10.0.2.16").code() == Code::csr_refused);
  CHECK(check_serving_request(*serving, "n1", "").code() == Code::csr_refused);
  CHECK(check_client_request(*serving, "n1").code() == Code::csr_refused);
}

TEST_CASE("requests that ask for more, or in another form, are refused with the check that they fail") {
  struct Row {
    const char* name;
    const char* subject;
    std::vector<std::string> more;
    const char* key;
    const char* site;   // of parsing, or of the check for n1
  };
  const Row rows[] = {
      {"another node's name", "/O=system:nodes/CN=system:node:n2", {}, "EC:prime256v1", "csr.common_name"},
      {"masters instead of nodes", "/O=system:masters/CN=system:node:n1", {}, "EC:prime256v1", "csr.organization"},
      {"masters besides nodes", "/O=system:nodes/O=system:masters/CN=system:node:n1", {}, "EC:prime256v1", "csr.subject"},
      {"masters in the same RDN", "/O=system:nodes+O=system:masters/CN=system:node:n1", {"-multivalue-rdn"}, "EC:prime256v1", "csr.rdn_more"},
      {"two names", "/O=system:nodes/CN=system:node:n1/CN=admin", {}, "EC:prime256v1", "csr.subject"},
      {"an e-mail address", "/O=system:nodes/CN=system:node:n1/emailAddress=a@b", {}, "EC:prime256v1", "csr.string"},
      {"no organisation", "/CN=system:node:n1", {}, "EC:prime256v1", "csr.subject"},
      {"a DNS name", kSubject, {"-addext", "subjectAltName=DNS:kubernetes"}, "EC:prime256v1", "csr.has_sans"},
      {"a URI", kSubject, {"-addext", "subjectAltName=URI:https://a"}, "EC:prime256v1", "csr.san_kind"},
      {"a CA", kSubject, {"-addext", "basicConstraints=CA:TRUE"}, "EC:prime256v1", "csr.extension_kind"},
      {"a critical extension", kSubject, {"-addext", "subjectAltName=critical,DNS:n1"}, "EC:prime256v1", "csr.extension_value"},
      {"a second extension", kSubject, {"-addext", "subjectAltName=DNS:n1", "-addext", "extendedKeyUsage=clientAuth"}, "EC:prime256v1", "csr.extension_more"},
      {"another curve", kSubject, {}, "EC:secp384r1", "csr.key_kind"},
      {"an RSA key", kSubject, {}, "RSA", "csr.key_kind"},
      {"SHA-384", kSubject, {"-sha384"}, "EC:prime256v1", "csr.algorithm"},
  };
  Maker maker;
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    auto request = parse_certificate_request(maker.make(row.subject, row.more, row.key));
    Status checked = request.ok() ? check_client_request(*request, "n1") : Status(request.error());
    CHECK(checked.code() == Code::csr_refused);
    if (!checked.ok()) CHECK(std::string(checked.error().site) == row.site);
  }
}

TEST_CASE("no truncation and no flipped bit of a request passes") {
  Maker maker;
  const std::vector<uint8_t> good = maker.make(kSubject, {"-addext", "subjectAltName=DNS:n1,IP:10.0.2.16"});
  for (size_t size = 0; size < good.size(); ++size) {
    CHECK(parse_certificate_request(Bytes(good).first(size)).code() == Code::csr_refused);
  }
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::vector<uint8_t> bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ 1u << (bit % 8));
    CHECK(parse_certificate_request(bad).code() == Code::csr_refused);
  }
  std::vector<uint8_t> more = good;
  more.push_back(0);
  CHECK(parse_certificate_request(more).code() == Code::csr_refused);
}

TEST_CASE("PEM is one block, as it was written") {
  Maker maker;
  const std::vector<uint8_t> der = maker.make(kSubject);
  const std::string pem = certificate_request_pem(der);
  CHECK(parse_certificate_request_pem(pem).ok());
  CHECK(parse_certificate_request_pem("x" + pem).code() == Code::csr_refused);
  CHECK(parse_certificate_request_pem(pem + pem).code() == Code::csr_refused);
  CHECK(parse_certificate_request_pem(pem.substr(0, pem.size() - 20)).code() == Code::csr_refused);
  CHECK(parse_certificate_request_pem("").code() == Code::csr_refused);
}

}  // namespace
}  // namespace cstl
