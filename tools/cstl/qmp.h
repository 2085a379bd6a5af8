// A client of QEMU's machine protocol (QMP) over a unix socket: what mini needs to change a gateway that runs. The peer
// is a process that mini started itself; its answers are bounded all the same (64 KiB a line, 10 s each).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "crypto/base/fd.h"

namespace cstl::cli {

class Qmp {
 public:
  // Connects to folder/name (the folder's path may be longer than a socket's) and leaves the negotiation behind.
  // Errors: no_virtualization (nobody listens), timeout, bad_json.
  static Result<Qmp> connect(const std::string& folder, const std::string& name);

  // One command. Errors: no_virtualization (QEMU refused: `problem` holds its words, made printable), timeout, bad_json.
  Status command(const std::string& name, const nlohmann::json& arguments, std::string* problem);
  // One line for QEMU's human monitor; anything that it prints counts as a refusal.
  Status monitor(const std::string& line, std::string* problem);

 private:
  explicit Qmp(Fd fd) : fd_(std::move(fd)) {}
  Result<nlohmann::json> read_line();
  Result<nlohmann::json> exchange(const std::string& name, const nlohmann::json& arguments, std::string* problem);

  Fd fd_;
  std::string pending_;  // bytes after the last line
};

}  // namespace cstl::cli
