// Signals as a new program expects them: exec resets caught ones only, and keeps what is blocked or ignored.
#pragma once

namespace cstl {

// Nothing blocked, every signal's action the default, also for those two that libc keeps to itself and refuses to
// name. For a child between fork and exec; nothing fails that a program could do anything about.
void default_signals();

}  // namespace cstl
