#include "crypto/base/result.h"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace cstl {

namespace {
struct CodeText {
  Code code;
  const char* name;
  const char* what;
  const char* advice;
};

constexpr CodeText kTexts[] = {
    {Code::ok, "ok", "nothing failed", "nothing"},
#define X(number, name, what, advice) {Code::name, #name, what, advice},
#include "crypto/base/code.def"
#undef X
};

const CodeText& text_of(Code code) {
  for (const CodeText& text : kTexts) {
    if (text.code == code) return text;
  }
  return kTexts[1];
}
}  // namespace

const char* code_name(Code code) { return text_of(code).name; }
const char* code_what(Code code) { return text_of(code).what; }
const char* code_advice(Code code) { return text_of(code).advice; }

Code code_from_number(uint16_t number) { return text_of(static_cast<Code>(number)).code; }

Error fail_errno(const char* site) { return fail_errno(site, errno); }

Error fail_errno(const char* site, int number) {
  Code code = Code::io;
  switch (number) {
    case ENOENT: code = Code::not_found; break;
    case EACCES:
    case EPERM: code = Code::denied; break;
    case ENOSPC:
    case EDQUOT:
    case EROFS: code = Code::no_space; break;
    case EEXIST: code = Code::exists; break;
    case EBUSY:
    case EADDRINUSE: code = Code::busy; break;
    case ENOMEM: code = Code::no_memory; break;
    case ETIMEDOUT: code = Code::timeout; break;
    default: break;
  }
  return fail(code, site, Origin::errno_value, number);
}

void trap(const char* site) {
  (void)!::write(2, "trap: ", 6);
  (void)!::write(2, site, std::strlen(site));  // best effort: we are about to die
  (void)!::write(2, "\n", 1);
  __builtin_trap();
}

}  // namespace cstl

// libstdc++'s handler prints the demangled type of an uncaught exception. There are none here, and it brings 50 KB.
namespace __gnu_cxx {
void __verbose_terminate_handler() { cstl::trap("terminate"); }
}  // namespace __gnu_cxx
