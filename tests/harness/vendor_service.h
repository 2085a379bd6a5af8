// A vendor's collateral service: a local HTTPS server with an authority of its own, which answers what it was told to, and
// a folder for both, removed at the end.
#pragma once

#include <doctest/doctest.h>
#include <filesystem>
#include <unistd.h>

#include "attest/fetch/https.h"
#include "crypto/base/fd.h"
#include "tests/harness/control_plane.h"

namespace cstl::test {

class VendorService {
 public:
  VendorService() {
    char pattern[] = "/tmp/cstl-vendor-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    folder = pattern;
    make_certificate(folder, "ca", "", "", "/CN=ca");
    make_certificate(folder, "server", folder + "/ca.crt", folder + "/ca.key");
    server = start_bad_server(folder + "/server.crt", folder + "/server.key");
  }
  ~VendorService() { std::filesystem::remove_all(folder); }
  VendorService(const VendorService&) = delete;
  VendorService& operator=(const VendorService&) = delete;

  // That of a client which trusts this service, and is impatient.
  HttpsPolicy policy() const {
    auto ca = read_file((folder + "/ca.crt").c_str(), 65536);
    REQUIRE(ca.ok());
    ca->push_back(0);
    return {*ca, 2000, 4000, 3, 10, 20};
  }
  // What `path` of the server is called; "files" is where the answers are.
  std::string base(const std::string& path) const { return "https://127.0.0.1:" + (*server)["port"] + "/" + path; }
  // What it answers for `url`, which begins with `base`, whatever the query; `header` ("Name: value") comes with it.
  void serve(const std::string& base, const std::string& url, Bytes body, const std::string& header = "") {
    std::string path = folder + "/answer" + std::to_string(answers_++);
    std::string name = url.substr(base.size() + 1, url.find('?') - base.size() - 1);
    REQUIRE(write_file_durably(path.c_str(), body).ok());
    server->command("file " + path + " " + name);
    if (!header.empty()) server->command("header " + name + " " + header);
  }

  std::string folder;
  std::unique_ptr<Helper> server;

 private:
  int answers_ = 0;
};

}  // namespace cstl::test
