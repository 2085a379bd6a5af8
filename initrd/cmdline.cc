#include "initrd/cmdline.h"

namespace cstl {

Result<CommandLine> parse_command_line(std::string_view text) {
  if (text.size() > kMaxCommandLine) return fail(Code::too_long, "cmdline");
  constexpr std::string_view kSpace = " \t\n", kRoot = "roothash=", kDelay = "cstl.failure_delay=";
  CommandLine out;
  bool delay = false;
  while (true) {
    const size_t start = text.find_first_not_of(kSpace);
    if (start == std::string_view::npos) return out;
    text.remove_prefix(start);
    std::string_view word = text.substr(0, text.find_first_of(kSpace));
    text.remove_prefix(word.size());
    if (word.substr(0, kRoot.size()) == kRoot) {
      Digest32 hash{};
      const std::string_view hex = word.substr(kRoot.size());
      if (out.roothash || hex.size() != 2 * hash.size() || !from_hex(hex, hash).ok())
        return fail(Code::bad_value, "cmdline.roothash");
      out.roothash = hash;
    } else if (word.substr(0, kDelay.size()) == kDelay) {
      const std::string_view digits = word.substr(kDelay.size());
      if (delay || digits.empty() || digits.size() > 4) return fail(Code::bad_value, "cmdline.failure_delay");
      int seconds = 0;
      for (char c : digits) {
        if (c < '0' || c > '9') return fail(Code::bad_value, "cmdline.failure_delay");
        seconds = seconds * 10 + (c - '0');
      }
      if (seconds > 3600) return fail(Code::bad_value, "cmdline.failure_delay");
      out.failure_delay = seconds;
      delay = true;
    }
  }
}

}  // namespace cstl
