// The network of the local machines: one LAN, 10.0.2.0/24, that needs no rights on the host. A switch (switch.h) joins the
// machines' datagram sockets; a QEMU process without a machine gives the LAN its way out by user-mode networking
// (10.0.2.2), and ports of 127.0.0.1 that lead in. Both run while any machine does; machines come and go without
// disturbing them. Their files lie in cstl-mini/lan/.
#pragma once

#include <string>

#include "tools/cstl/machine.h"

namespace cstl::cli {

// Starts what does not run, and forwards the machine's ports if that was not done yet. Idempotent.
// Errors: no_virtualization, timeout; `problem` says what QEMU said, or names the log.
Status join_lan(const std::string& workspace, const Machine& machine, std::string* problem);
// Ends the forwarding.
Status leave_lan(const std::string& workspace, const Machine& machine, std::string* problem);

// Writes every frame that crosses the LAN to `path` (pcap, Ethernet; the file is made anew and grows without limit) until
// stop_capture() or another one. Complete when stop_capture() returns. Errors: no_virtualization (the LAN does not run).
Status start_capture(const std::string& workspace, const std::string& path);
Status stop_capture(const std::string& workspace);

Status stop_lan(const std::string& workspace);

}  // namespace cstl::cli
