#include "boot/kubernetes/profiles.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl::kubernetes {
namespace {

struct Folder {
  Folder() {
    char pattern[] = "/tmp/cstl-profiles-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    path = pattern;
    image = path + "/image";
    link = path + "/kubelet/seccomp/cstl";
    REQUIRE(mkdir(image.c_str(), 0755) == 0);
    REQUIRE(write_file_durably((image + "/a.json").c_str(), Bytes(std::string_view("new")), 0644).ok());
  }
  ~Folder() { (void)!system(("rm -rf " + path).c_str()); }

  std::string target() const {
    char text[256];
    const ssize_t n = readlink(link.c_str(), text, sizeof text);
    return n < 0 ? "" : std::string(text, static_cast<size_t>(n));
  }
  std::string read() const {
    auto bytes = read_file((link + "/a.json").c_str(), 16);
    return bytes.ok() ? std::string(Bytes(*bytes).text()) : "";
  }

  std::string path, image, link;
};

}  // namespace

TEST_CASE("profiles: the kubelet's folder is a link to the image's, made with what is above it, and again") {
  Folder f;
  for (int i = 0; i < 2; ++i) {
    CHECK(link_profiles(f.image, f.link).ok());
    CHECK(f.target() == f.image);
    CHECK(f.read() == "new");
  }
  CHECK(access((f.link + ".new").c_str(), F_OK) != 0);
}

TEST_CASE("profiles: after a wipe of the kubelet's folder the link comes back") {
  Folder f;
  REQUIRE(link_profiles(f.image, f.link).ok());
  REQUIRE(system(("rm -rf " + f.path + "/kubelet").c_str()) == 0);
  CHECK(access((f.image + "/a.json").c_str(), F_OK) == 0);  // what wipes the disk's folder does not reach the image
  CHECK(link_profiles(f.image, f.link).ok());
  CHECK(f.read() == "new");
}

TEST_CASE("profiles: what stands there already gives way to the image's") {
  Folder f;
  REQUIRE(make_folders(f.link, 0755).ok());
  REQUIRE(write_file_durably((f.link + "/a.json").c_str(), Bytes(std::string_view("old")), 0644).ok());
  CHECK(link_profiles(f.image, f.link).ok());
  CHECK(f.read() == "new");

  REQUIRE(unlink(f.link.c_str()) == 0);
  REQUIRE(symlink("/nonexistent", f.link.c_str()) == 0);
  REQUIRE(symlink("/nonexistent", (f.link + ".new").c_str()) == 0);  // a cut in between left it
  CHECK(link_profiles(f.image, f.link).ok());
  CHECK(f.read() == "new");

  REQUIRE(unlink(f.link.c_str()) == 0);
  REQUIRE(write_file_durably(f.link.c_str(), Bytes(std::string_view("a file")), 0644).ok());
  CHECK(link_profiles(f.image, f.link).ok());
  CHECK(f.read() == "new");
}

TEST_CASE("profiles: a folder of folders is nobody's we know, and stays") {
  Folder f;
  REQUIRE(make_folders(f.link + "/deep", 0755).ok());
  Status linked = link_profiles(f.image, f.link);
  CHECK(linked.code() == Code::io);
  CHECK(linked.error().foreign == ENOTEMPTY);
  CHECK(access((f.link + "/deep").c_str(), F_OK) == 0);
}

}  // namespace cstl::kubernetes
