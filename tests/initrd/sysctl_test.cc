#include "initrd/sysctl.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace cstl {
namespace {

struct Folder {
  Folder() {
    char pattern[] = "/tmp/cstl-sysctl-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

std::string text_of(const std::string& path) {
  std::stringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("sysctl: what the kernel does not have is named, and the rest is set") {
  Folder proc;
  std::filesystem::create_directories(proc.path + "/vm");
  std::filesystem::create_directories(proc.path + "/kernel");
  std::ofstream(proc.path + "/vm/overcommit_memory") << "0\n";
  std::ofstream(proc.path + "/kernel/core_pattern") << "core\n";
  std::map<std::string, Code> refused;
  apply_sysctls(proc.path.c_str(), [&](const char* name, const Error& error) { refused[name] = error.code; });
  CHECK(text_of(proc.path + "/vm/overcommit_memory") == "1\n");
  CHECK(text_of(proc.path + "/kernel/core_pattern") == "\n");
  CHECK(refused.count("vm.overcommit_memory") == 0);
  REQUIRE(refused.count("net.ipv4.ip_forward") == 1);
  CHECK(refused["net.ipv4.ip_forward"] == Code::not_found);
}

}  // namespace cstl
