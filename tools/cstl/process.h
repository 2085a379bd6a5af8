// Running other programs: QEMU, swtpm, mtools. No shell is involved.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "crypto/base/result.h"

namespace cstl::cli {

// A name for a folder that keeps within the length of a socket's path, and stays right when the program leaves its
// working folder, as a daemon does.
constexpr const char* kAnchor = "/proc/self/fd/9";

// Runs `words` in `folder` with output appended to `log`, and waits. The program finds the folder `anchor` (unless it is
// empty) at kAnchor. Errors: no_virtualization with the exit status (or 127 when the program is missing) as foreign
// number; timeout (it is killed).
Status run_program(const std::vector<std::string>& words, const std::string& folder, const std::string& log,
                   int timeout_ms, const std::string& anchor = "");

// Runs `words` in `folder` and gives what it printed, at most `max` bytes; what it said on stderr goes to `log`, which is
// made anew. Errors: as above; too_long.
Result<std::string> read_program(const std::vector<std::string>& words, const std::string& folder,
                                 const std::string& log, int timeout_ms, size_t max);

// Removes the files of `folder` whose names end so. Errors by errno.
Status remove_files(const std::string& folder, const std::string& ending);

// Whether a program of this name is on PATH.
bool program_exists(const std::string& name);

// The process that a pid file names, if it lives and its command line contains `word`; otherwise 0.
pid_t live_process(const std::string& pid_file, const std::string& word);
// Kills it and waits until it is gone. Errors: timeout.
Status kill_process(pid_t pid, int signal_number);

}  // namespace cstl::cli
