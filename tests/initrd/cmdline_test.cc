#include "initrd/cmdline.h"

#include <doctest/doctest.h>

namespace cstl {

TEST_CASE("cmdline: each line gives what it says") {
  const std::string hash(64, 'a');
  struct Row {
    const char* name;
    std::string text;
    Code code;
    bool root;
    int delay;
  };
  const Row rows[] = {
      {"nothing of ours gives the defaults", "console=ttyS0 quiet", Code::ok, false, 10},
      {"an empty line too", "\n", Code::ok, false, 10},
      {"a root hash is taken", "quiet roothash=" + hash + "\n", Code::ok, true, 10},
      {"a delay is taken", "cstl.failure_delay=0", Code::ok, false, 0},
      {"the longest delay is an hour", "cstl.failure_delay=3600", Code::ok, false, 3600},
      {"tabs separate", "\tcstl.failure_delay=7\troothash=" + hash, Code::ok, true, 7},
      {"another word that ends alike is not ours", "xroothash=1", Code::ok, false, 10},
      {"a short root hash is refused", "roothash=aa", Code::bad_value, false, 0},
      {"a root hash that is no hexadecimal is refused", "roothash=" + std::string(64, 'g'), Code::bad_value, false, 0},
      {"two root hashes are refused", "roothash=" + hash + " roothash=" + hash, Code::bad_value, false, 0},
      {"a delay beyond an hour is refused", "cstl.failure_delay=3601", Code::bad_value, false, 0},
      {"a delay that is no number is refused", "cstl.failure_delay=-1", Code::bad_value, false, 0},
      {"an empty delay is refused", "cstl.failure_delay=", Code::bad_value, false, 0},
      {"two delays are refused", "cstl.failure_delay=1 cstl.failure_delay=1", Code::bad_value, false, 0},
      {"a line beyond 4096 bytes is refused", std::string(4097, ' '), Code::too_long, false, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    auto line = parse_command_line(row.text);
    CHECK(line.code() == row.code);
    if (!line.ok()) continue;
    CHECK(line->roothash.has_value() == row.root);
    CHECK(line->failure_delay == row.delay);
  }
}

}  // namespace cstl
