// Runs one program to its end: bounded output, a deadline, a line callback. Blocking; for the bootstrapper's root process.
// The child gets /dev/null as standard input, one pipe for output and error, no other descriptor, a fixed PATH and a group
// of its own, which is killed at the deadline and when the program ends. Output is told line by line as it comes, made
// printable (UTF-8 kept out: bytes that are not printable ASCII become '?'), at most 240 bytes of a line, and the last
// kKeptLines lines are kept.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "crypto/base/result.h"

namespace cstl::kubernetes {

constexpr size_t kKeptLines = 40;
constexpr size_t kMaxLine = 240;

struct CommandEnd {
  int exit_code = -1;            // -1: ended by a signal
  int signal = 0;
  std::deque<std::string> last;  // lines
};

struct Command {
  std::vector<std::string> arguments;     // [0]: path of the program
  int timeout_ms = 60'000;
  std::function<void(const std::string& line)> on_line;  // may be empty
  std::function<void()> on_tick;          // about every 200 ms; may be empty
};

// Success: it ended, however. Errors: timeout, not_found or denied (not executable), io.
Result<CommandEnd> run_command(const Command& command);

// The program `name` in /opt/cstl/bin (components) or /usr/bin or /usr/sbin (the image). Errors: kubernetes_missing.
Result<std::string> find_program(const std::string& name);

// The last `lines` lines of a file, as the lines above; reads at most 64 KiB of its end. None when it cannot be read.
std::vector<std::string> last_lines(const std::string& path, size_t lines);

// Printable ASCII, at most kMaxLine bytes.
std::string printable_line(std::string_view line);

}  // namespace cstl::kubernetes
