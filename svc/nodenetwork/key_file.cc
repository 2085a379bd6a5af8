#include "svc/nodenetwork/key_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

constexpr size_t kText = 44;

// 0..63, or -1 for what is no base64 character (RFC 4648, section 4), without looking anything up.
int digit(uint8_t character) {
  const int c = character;
  const auto within = [c](int low, int high) { return ((low - 1 - c) & (c - high - 1)) >> 8; };  // -1 or 0
  return -1 + (within('A', 'Z') & (c - 'A' + 1)) + (within('a', 'z') & (c - 'a' + 27)) +
         (within('0', '9') & (c - '0' + 53)) + (within('+', '+') & 63) + (within('/', '/') & 64);
}

}  // namespace

Result<WireguardSecret> decode_private_key(Bytes text) {
  if (text.size() == kText + 1 && text[kText] == '\n') text = text.first(kText);
  if (text.size() != kText || text[kText - 1] != '=') return fail(Code::bad_key, "wireguard.key_form");
  WireguardSecret out;
  uint8_t* bytes = out.fill().data();
  int wrong = 0;
  for (size_t group = 0; group < kText / 4; ++group) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) {
      const uint8_t character = group * 4 + i == kText - 1 ? 'A' : text[group * 4 + i];
      const int six = digit(character);
      wrong |= six;                              // negative once one was
      value = value << 6 | (static_cast<uint32_t>(six) & 63);
    }
    bytes[group * 3] = static_cast<uint8_t>(value >> 16);
    bytes[group * 3 + 1] = static_cast<uint8_t>(value >> 8);
    if (group * 3 + 2 < WireguardSecret::size()) {
      bytes[group * 3 + 2] = static_cast<uint8_t>(value);
    } else if ((value & 0xff) != 0) {
      wrong = -1;                                // unused bits
    }
  }
  uint8_t any = 0;
  for (uint8_t byte : out.declassify()) any = static_cast<uint8_t>(any | byte);
  if (wrong < 0 || any == 0) return fail(Code::bad_key, "wireguard.key_form");
  return out;
}

Result<WireguardSecret> read_private_key(const char* path) {
  TRY_LET(Fd fd, open_file(path, O_RDONLY | O_NOFOLLOW));
  Secret<kText + 2> text;                        // one more than there may be
  size_t used = 0;
  while (used < text.size()) {
    const ssize_t n = read(fd.get(), text.fill().data() + used, text.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("wireguard.key_read");
    if (n == 0) break;
    used += static_cast<size_t>(n);
  }
  return decode_private_key(text.declassify().first(used));
}

}  // namespace cstl
