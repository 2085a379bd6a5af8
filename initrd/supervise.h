// PID 1's last and longest task: the bootstrapper, the programs that it asks for, and everything that they leave
// behind.
//
// The bootstrapper runs with the monitor socket as descriptor 3; its output and that of its children comes through a
// pipe and goes to the console line by line, control bytes escaped. Orphans are reaped. The monitor's request table:
//
//   rekey_request   once, only while the disk is fresh   StateDisk::seal(), then rekey_done, or an error frame
//   start_request   only in a root of our own            Programs::start(), then start_done, or an error frame
//   power_request   any time                             ends supervision
//   anything else                                        error frame frame_type, and the monitor is closed
#pragma once

#include "initrd/statedisk.h"
#include "svc/wire/monitor.h"

namespace cstl {

// Runs until the bootstrapper asks for power off or reboot, or ends (child_failed, with its wait status), or
// supervision itself fails (io). `in_root`: after the switch of root (initrd/root.h).
Result<PowerAction> supervise(StateDisk& disk, bool in_root);

// SIGTERM to everything, five seconds to end (fifteen in a root, where etcd and containers want to), SIGKILL; then
// nothing is mounted any more, the disk is closed, everything flushed, and the machine goes.
[[noreturn]] void leave(PowerAction action, StateDisk* disk, bool in_root);

}  // namespace cstl
