#include "initrd/logfile.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace cstl {
namespace {

struct Rig {
  Rig() {
    char pattern[] = "/tmp/cstl-log-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    folder = pattern;
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    out = Fd(ends[0]);
    in = Fd(ends[1]);
  }
  ~Rig() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  Status write(LogFile& log, std::string_view text) {
    REQUIRE(write_all(in.get(), text).ok());
    return log.forward(out.get());
  }
  std::string text(const char* name) const {
    auto bytes = read_file((folder + "/" + name).c_str(), 1 << 20);
    return bytes ? std::string(Bytes(*bytes).text()) : "absent";
  }
  std::string folder;
  Fd in, out;
};

}  // namespace

TEST_CASE("log: what is written arrives, byte for byte, behind what was there") {
  Rig rig;
  {
    LogFile log(rig.folder + "/a.log");
    CHECK(rig.write(log, std::string("one\n\0\x1b", 6)).ok());
  }
  LogFile log(rig.folder + "/a.log");
  CHECK(rig.write(log, "two\n").ok());
  CHECK(rig.text("a.log") == std::string("one\n\0\x1btwo\n", 10));
  CHECK(rig.text("a.log.1") == "absent");
}

TEST_CASE("log: a full file makes way, and one old one is kept") {
  Rig rig;
  LogFile log(rig.folder + "/a.log", 10);
  for (const char* text : {"12345678", "90", "second", "third-"}) CHECK(rig.write(log, text).ok());
  CHECK(rig.text("a.log") == "third-");
  CHECK(rig.text("a.log.1") == "second");
  CHECK(std::distance(std::filesystem::directory_iterator(rig.folder), {}) == 2);
}

TEST_CASE("log: trouble is reported once, output is dropped, and it works again") {
  Rig rig;
  std::filesystem::create_directory(rig.folder + "/a.log");
  LogFile log(rig.folder + "/a.log");
  CHECK_FALSE(rig.write(log, "lost").ok());
  CHECK(rig.write(log, "lost too").ok());
  std::filesystem::remove(rig.folder + "/a.log");
  CHECK(rig.write(log, "kept").ok());
  CHECK(rig.text("a.log") == "kept");
}

TEST_CASE("log: a symbolic link is not followed") {
  Rig rig;
  std::filesystem::create_symlink("elsewhere", rig.folder + "/a.log");
  LogFile log(rig.folder + "/a.log");
  CHECK_FALSE(rig.write(log, "text").ok());
  CHECK(rig.text("elsewhere") == "absent");
}

}  // namespace cstl
