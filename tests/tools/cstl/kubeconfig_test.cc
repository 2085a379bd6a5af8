#include "tools/cstl/kubeconfig.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"

using namespace cstl;
using namespace cstl::cli;

namespace {
struct Folder {
  char path[32] = "/tmp/cstl-kubeconfig-XXXXXX";
  Folder() { REQUIRE(mkdtemp(path) != nullptr); }
  ~Folder() {
    (void)unlink(kubeconfig_path(path).c_str());
    CHECK(rmdir(path) == 0);
  }
};

const std::string kConfig =
    "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: AAAA\n    server: https://10.0.2.15:6443\n"
    "  name: demo\nusers:\n- name: server:\n";

std::string stored(const Folder& folder) {
  auto data = read_file(kubeconfig_path(folder.path).c_str(), 65536);
  REQUIRE(data.ok());
  return std::string(Bytes(*data).text());
}
}  // namespace

TEST_CASE("the administrator's kubeconfig is private, and names the API where the operator reaches it") {
  Folder folder;
  REQUIRE(store_kubeconfig(folder.path, kConfig, "https://127.0.0.1:40123").ok());
  std::string expected = kConfig;
  expected.replace(expected.find("https://10.0.2.15:6443"), 22, "https://127.0.0.1:40123");
  CHECK(stored(folder) == expected);
  struct stat facts {};
  REQUIRE(stat(kubeconfig_path(folder.path).c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  REQUIRE(store_kubeconfig(folder.path, kConfig, "").ok());
  CHECK(stored(folder) == kConfig);
}

TEST_CASE("a kubeconfig without exactly one server is not kept") {
  Folder folder;
  CHECK(store_kubeconfig(folder.path, "apiVersion: v1\n", "https://127.0.0.1:1").code() == Code::bad_value);
  CHECK(store_kubeconfig(folder.path, kConfig + "  server: https://192.0.2.1\n", "").code() == Code::bad_value);
  CHECK(store_kubeconfig(folder.path, "", "").code() == Code::bad_value);
  CHECK(access(kubeconfig_path(folder.path).c_str(), F_OK) != 0);
}
