// A temporary folder, removed with the object.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "crypto/base/fd.h"

namespace cstl::test {

struct Folder {
  Folder() {
    char pattern[] = "/tmp/cstl-store-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  void write(const std::string& name, const std::string& text) {
    REQUIRE(write_file_durably((path + "/" + name).c_str(), text).ok());
  }
  bool has(const std::string& name) const { return access((path + "/" + name).c_str(), F_OK) == 0; }

  std::string path;
};

}  // namespace cstl::test
