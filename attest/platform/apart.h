// Work in a process of its own, forked for it, whose result comes back over a socket pair: for what reads bytes of
// others before the asking process has confined itself, or needs what that process must not have.
//
// What passes is a status (u16 code, u8 origin, u64 foreign number) and, if that is 0, blobs, each u32 size and bytes.
// An error's site is a literal of the process that made it, so only its numbers travel. What comes back is read
// bounded: a child that was taken over can give a wrong result within its size, and nothing else. Blocking; no logging.
#pragma once

#include <functional>
#include <vector>

#include "crypto/base/bytes.h"
#include "crypto/base/fd.h"

namespace cstl {

// How a process gives up what it does not need; it ends when this fails.
using Confine = std::function<Status()>;
using Work = std::function<Result<std::vector<uint8_t>>()>;

// Forks; the child confines itself, then works, and ends. Without `confine` the work is done here. `site`: of errors
// that came from there. Errors: those of `confine` and `work`; child_failed (it ended without a word, or its words are
// none); too_long (over `max` bytes).
Result<std::vector<uint8_t>> work_apart(const Work& work, const Confine& confine, size_t max, const char* site);

// The parts, for a child that answers more than once. `body` runs in the child with its end, all other descriptors but
// 0 to 2 closed, and SIGPIPE ignored; `name`: of the process. Who goes on after the child's end waits for `pid` (may be
// null). Errors: io.
Result<Fd> fork_apart(const char* name, const std::function<void(int fd)>& body, pid_t* pid = nullptr);
Status send_status(int fd, const Status& status);
Status send_blob(int fd, Bytes blob);
// `said`: what the other end says went wrong. Errors: child_failed, too_long.
Status receive_status(int fd, const char* site, Status& said);
Result<std::vector<uint8_t>> receive_blob(int fd, size_t max, const char* site);

}  // namespace cstl
