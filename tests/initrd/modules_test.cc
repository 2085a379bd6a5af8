#include "initrd/modules.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>
#include <unistd.h>
#include <vector>

namespace cstl {
namespace {

// What a list gives on this machine; nothing on it can really be loaded.
struct Outcome {
  Result<ModuleCount> count = ModuleCount{};
  std::vector<std::string> refused;
};

Outcome load(const std::string& list) {
  char path[] = "/tmp/cstl-modules-XXXXXX";
  const int fd = mkstemp(path);
  REQUIRE(fd >= 0);
  (void)close(fd);
  std::ofstream(path) << list;
  Outcome out;
  out.count = load_modules(path, [&](const std::string& name, const Error& error) {
    CHECK(error.code == Code::module_failed);
    out.refused.push_back(name);
  });
  (void)unlink(path);
  return out;
}

}  // namespace

TEST_CASE("modules: an image without a list loads nothing") {
  auto count = load_modules("/nonexistent/modules", [](const std::string&, const Error&) { CHECK(false); });
  REQUIRE(count.ok());
  CHECK(count->loaded == 0);
}

TEST_CASE("modules: a list that cannot be read is an error") {
  CHECK(load_modules("/proc/self", [](const std::string&, const Error&) {}).code() == Code::module_failed);
}

TEST_CASE("modules: what cannot be loaded is named, and the next is tried") {
  const Outcome out = load("/nonexistent/a.ko\n\nrelative.ko\n/nonexistent/b.ko.xz");
  REQUIRE(out.count.ok());
  CHECK(out.refused == std::vector<std::string>{"/nonexistent/a.ko", "relative.ko", "/nonexistent/b.ko.xz"});
}

}  // namespace cstl
