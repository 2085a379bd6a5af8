#include "initrd/console.h"

#include <cerrno>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl {

bool ConsoleLines::forward(int from, int to) {
  constexpr size_t kLongest = 1000;
  constexpr int kTurns = 16;  // then the caller looks at its other descriptors
  constexpr char kHex[] = "0123456789abcdef";
  uint8_t space[4096];
  for (int turn = 0; turn < kTurns; ++turn) {
    const ssize_t n = read(from, space, sizeof space);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    for (ssize_t i = 0; i < n; ++i) {
      const uint8_t c = space[i];
      if (c == '\n' || line_.size() >= kLongest) {
        (void)write_all(to, line_ + "\n");  // a console that is gone takes nothing away from us
        line_.clear();
        if (c == '\n') continue;
      }
      if ((c >= 0x20 && c < 0x7f) || c == '\t') {
        line_ += static_cast<char>(c);
      } else {
        line_ += {'\\', 'x', kHex[c >> 4], kHex[c & 15]};
      }
    }
    if (n == 0) {
      if (!line_.empty()) (void)write_all(to, line_ + "\n");
      line_.clear();
      return false;
    }
  }
  return true;
}

}  // namespace cstl
