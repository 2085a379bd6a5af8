// Makes a running process call the kernel: the proof that its sandbox bites is taken on the process itself.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>

namespace cstl::test {

struct Injected {
  bool stopped = false;   // the process could be stopped at a system call
  bool alive = false;     // it lived on, and was put back where it was
  int signal = 0;         // what killed it
  long result = 0;        // of the call, when alive
};

// Stops `pid` where it waits in poll(2) or read(2), has it make the call `number`, puts its registers back and lets it run on.
// kPath as an argument stands for the address of `path`, which is written below the process's stack.
constexpr unsigned long kPath = ~0UL - 7;
Injected inject(pid_t pid, long number, std::array<unsigned long, 6> arguments, const std::string& path = "");

}  // namespace cstl::test
