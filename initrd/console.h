// What children write, on its way to the console: whole lines, printable, bounded.
#pragma once

#include <string>

namespace cstl {

class ConsoleLines {
 public:
  // Reads what is there from the non-blocking descriptor `from` and writes complete lines to `to`. Bytes outside
  // printable ASCII (tabs excepted) become "\xNN"; a line breaks after 1000 bytes. False at end of file.
  bool forward(int from, int to);

 private:
  std::string line_;
};

}  // namespace cstl
