#include "initrd/console.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

std::string through(std::string_view text, bool* open) {
  int in[2], out[2];
  REQUIRE(pipe(in) == 0);
  REQUIRE(pipe(out) == 0);
  const Fd in_read(in[0]), out_read(out[0]);
  Fd in_write(in[1]), out_write(out[1]);
  REQUIRE(write_all(in_write.get(), text).ok());
  (void)in_write.close();
  ConsoleLines lines;
  *open = lines.forward(in_read.get(), out_write.get());
  (void)out_write.close();
  auto seen = read_fd(out_read.get(), 64 * 1024);
  REQUIRE(seen.ok());
  return std::string(Bytes(*seen).text());
}

}  // namespace

TEST_CASE("console: what children write comes out as printable lines") {
  struct Row {
    const char* name;
    std::string in, out;
  };
  const Row rows[] = {
      {"lines pass", "one\ntwo\n", "one\ntwo\n"},
      {"a last line without its end is ended", "one", "one\n"},
      {"control bytes are escaped", "a\x1b[2Jb\rc\n", "a\\x1b[2Jb\\x0dc\n"},
      {"bytes beyond ASCII are escaped", "\xc3\xa4\n", "\\xc3\\xa4\n"},
      {"tabs stay", "a\tb\n", "a\tb\n"},
      {"a line is broken after 1000 bytes", std::string(1001, 'x') + "\n", std::string(1000, 'x') + "\nx\n"},
      {"empty lines stay", "\n\n", "\n\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    bool open = true;
    CHECK(through(row.in, &open) == row.out);
    CHECK_FALSE(open);
  }
}

}  // namespace cstl
