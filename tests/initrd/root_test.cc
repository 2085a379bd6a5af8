#include "initrd/root.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/mount.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl {
namespace fs = std::filesystem;

TEST_CASE("root: an initramfs is emptied, links are not followed, and other devices are left alone") {
  char pattern[] = "/tmp/cstl-root-XXXXXX", outside[] = "/tmp/cstl-root-XXXXXX";
  REQUIRE(mkdtemp(pattern) != nullptr);
  REQUIRE(mkdtemp(outside) != nullptr);
  const fs::path root = pattern, other = outside;
  fs::create_directories(root / "usr/lib/deep/deeper");
  std::ofstream(root / "init") << "x";
  std::ofstream(root / "usr/lib/deep/deeper/file") << "x";
  std::ofstream(other / "kept") << "x";
  fs::create_symlink(other, root / "usr/link");
  fs::create_directories(root / "mounted");
  const bool mounted = mount("tmpfs", (root / "mounted").c_str(), "tmpfs", 0, nullptr) == 0;  // only as root
  if (mounted) std::ofstream(root / "mounted/kept") << "x";
  {
    auto folder = open_file(root.c_str(), O_RDONLY | O_DIRECTORY);
    REQUIRE(folder.ok());
    empty_folder(folder->get());
  }
  CHECK(fs::exists(other / "kept"));
  if (mounted) {
    CHECK(fs::exists(root / "mounted/kept"));
    CHECK(std::distance(fs::directory_iterator(root), {}) == 1);
    CHECK(umount((root / "mounted").c_str()) == 0);
  } else {
    CHECK(fs::is_empty(root));
  }
  fs::remove_all(root);
  fs::remove_all(other);
}

}  // namespace cstl
