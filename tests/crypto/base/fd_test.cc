#include "crypto/base/fd.h"

#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace cstl;

namespace {
struct Folder {
  Folder() { path = mkdtemp(name); }
  ~Folder() { (void)!std::system(("rm -rf " + path).c_str()); }
  std::string in(const char* file) const { return path + "/" + file; }
  char name[32] = "/tmp/cstl-fd-XXXXXX";
  std::string path;
};

std::string content(const std::string& path) {
  Result<std::vector<uint8_t>> data = read_file(path.c_str(), 1 << 20);
  return data.ok() ? std::string(data->begin(), data->end()) : code_name(data.code());
}
}  // namespace

TEST_CASE("a durable write replaces the file whole, with its mode, and leaves no temporary file") {
  Folder folder;
  std::string path = folder.in("node.json");
  CHECK(write_file_durably(path.c_str(), "one").ok());
  CHECK(write_file_durably(path.c_str(), "two").ok());
  CHECK(content(path) == "two");
  struct stat info {};
  CHECK(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(access((path + ".tmp").c_str(), F_OK) != 0);
}

TEST_CASE("what an interrupted write left behind is replaced, and never followed") {
  Folder folder;
  std::string path = folder.in("node.json");
  std::string victim = folder.in("victim");
  CHECK(write_file_durably(victim.c_str(), "untouched").ok());
  CHECK(symlink(victim.c_str(), (path + ".tmp").c_str()) == 0);
  CHECK(write_file_durably(path.c_str(), "new").ok());
  CHECK(content(path) == "new");
  CHECK(content(victim) == "untouched");
}

TEST_CASE("a failed durable write keeps the old content") {
  Folder folder;
  CHECK(write_file_durably(folder.in("none/node.json").c_str(), "x").code() == Code::not_found);
  CHECK(mkdir(folder.in("full").c_str(), 0700) == 0);
  std::string path = folder.in("full/node.json");
  if (mount("none", folder.in("full").c_str(), "tmpfs", 0, "size=64k") != 0) {
    MESSAGE("not root: the full disk is not tested");
    return;
  }
  CHECK(write_file_durably(path.c_str(), "old").ok());
  std::vector<uint8_t> big(256 * 1024);
  CHECK(write_file_durably(path.c_str(), big).code() == Code::no_space);
  CHECK(content(path) == "old");
  CHECK(access((path + ".tmp").c_str(), F_OK) != 0);
  CHECK(mount("none", folder.in("full").c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0);
  CHECK(write_file_durably(path.c_str(), "new").code() == Code::no_space);
  CHECK(content(path) == "old");
  CHECK(umount(folder.in("full").c_str()) == 0);
}

TEST_CASE("a killed writer leaves the old or the new content") {
  Folder folder;
  std::string path = folder.in("node.json");
  std::string a(100000, 'a');
  std::string b(100000, 'b');
  CHECK(write_file_durably(path.c_str(), a).ok());
  for (int round = 0; round < 20; ++round) {
    pid_t child = fork();
    if (child == 0) {
      for (bool odd = false;; odd = !odd) (void)write_file_durably(path.c_str(), odd ? a : b);
    }
    usleep(static_cast<useconds_t>(1000 + 700 * round));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    std::string seen = content(path);
    CHECK((seen == a || seen == b));
  }
}

TEST_CASE("reads are bounded and files of unknown size are read whole") {
  Folder folder;
  std::string path = folder.in("f");
  CHECK(write_file_durably(path.c_str(), "12345").ok());
  CHECK(read_file(path.c_str(), 5).ok());
  CHECK(read_file(path.c_str(), 4).code() == Code::too_long);
  CHECK(read_file(folder.in("none").c_str(), 4).code() == Code::not_found);
  CHECK(read_file("/proc/self/status", 65536)->size() > 100);
  CHECK(read_file(folder.path.c_str(), 4).code() == Code::io);
}

TEST_CASE("descriptors are close-on-exec and read_exact says closed at the end") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  Fd in(ends[0]);
  Fd out(ends[1]);
  CHECK(write_all(out.get(), "abc").ok());
  CHECK(out.close().ok());
  CHECK_FALSE(out.valid());
  std::array<uint8_t, 4> four{};
  CHECK(read_exact(in.get(), four).code() == Code::closed);
  Result<Fd> file = open_file("/dev/null", O_RDONLY);
  REQUIRE(file.ok());
  CHECK((fcntl(file->get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("missing folders are made, existing ones accepted") {
  Folder folder;
  CHECK(make_folders(folder.in("a/b/c")).ok());
  CHECK(make_folders(folder.in("a/b/c")).ok());
  CHECK(write_file_durably(folder.in("a/b/c/f").c_str(), "x").ok());
  CHECK_FALSE(make_folders(folder.in("a/b/c/f/g")).ok());
}
