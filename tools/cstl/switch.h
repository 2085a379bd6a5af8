// An Ethernet switch between unix datagram sockets, for machines that user-mode networking alone cannot bring together:
// that answers for every address that it sees, so it must be shown only what is meant for it. The switch has one socket,
// cstl-mini/lan/switch.sock; machine NAME has cstl-mini/NAME/lan.sock, and whoever has one is connected. It learns which
// machine a MAC address belongs to from what it sends. Frames are forwarded or dropped, never kept: a machine that does
// not take its frames loses them, and slows others down by at most 5 ms a frame.
// Nothing here is trusted or checked beyond the addresses of a frame: the network is hostile by definition.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <unordered_map>

#include "crypto/base/fd.h"

namespace cstl::cli {

// The folder of the way out, which plays the part of a machine's name.
constexpr const char* kUplink = "lan";

// QEMU's words for the socket pair of this port ("local.type=unix,…"), with the folder cstl-mini at kAnchor.
std::string lan_port(const std::string& name);

// Where frames go. At most 1024 addresses are remembered; then it starts anew.
class MacTable {
 public:
  enum class Kind : uint8_t { one, machines, all, none };
  struct Way {
    Kind kind = Kind::none;  // machines: all but the way out, which answers for everyone's address
    std::string name;        // for one
  };
  // Learns from a frame that `from` sent, and says where it goes; never back to where it came from.
  Way route(Bytes frame, const std::string& from);

 private:
  std::unordered_map<uint64_t, std::string> names_;
};

// `cstl mini switch`, started by lan.cc in cstl-mini/lan with cstl-mini at kAnchor: binds, writes switch.pid and goes on
// in the background. Returns an exit code, or does not return.
int run_switch();

// Starts a capture into `file`, or stops it when that is not valid. Returns when the switch has done so.
Status tell_switch(const std::string& folder, Fd file);

}  // namespace cstl::cli
