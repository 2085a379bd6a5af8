// Results: every function that can fail returns Result<T> or Status.
//
// An Error is small, trivially copyable and owns nothing. It keeps the foreign diagnosis (an mbedTLS code,
// a TSS2_RC, an errno, a libcryptsetup return value, an HTTP status, a CURLcode) as it was. `site` and `detail` are string literals.
// Nothing here allocates, logs or aborts, except trap(), which is for our own broken invariants only.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace cstl {

enum class Code : uint16_t {
  ok = 0,
#define X(number, name, what, advice) name = number,
#include "crypto/base/code.def"
#undef X
};

// Stable lower-case name ("quote_nonce"), what failed, and what to do next. Total: unknown codes get a text too.
const char* code_name(Code code);
const char* code_what(Code code);
const char* code_advice(Code code);

// The code with this stable number; Code::internal if there is none (a peer may be newer than we are).
Code code_from_number(uint16_t number);

enum class Origin : uint8_t { cstl, errno_value, mbedtls, tss, cryptsetup, http, curl };

struct [[nodiscard]] Error {
  Code code = Code::internal;
  Origin origin = Origin::cstl;
  int64_t foreign = 0;      // the foreign number, unchanged; 0 when origin is cstl
  const char* site = "";    // a literal such as "quote.magic": where in the protocol or procedure it failed
};

constexpr Error fail(Code code, const char* site) { return Error{code, Origin::cstl, 0, site}; }
constexpr Error fail(Code code, const char* site, Origin origin, int64_t foreign) {
  return Error{code, origin, foreign, site};
}
// Maps errno to the closest code (ENOENT not_found, EACCES/EPERM denied, ENOSPC/EROFS no_space, EEXIST exists,
// EBUSY busy, ENOMEM no_memory, ETIMEDOUT timeout; otherwise io) and keeps the number.
Error fail_errno(const char* site);
Error fail_errno(const char* site, int number);

// Ends the process (SIGILL) after writing `site` to stderr. Only for invariants of our own code.
[[noreturn]] void trap(const char* site);

template <typename T>
class [[nodiscard]] Result {
  static_assert(!std::is_reference_v<T>);

 public:
  Result(Error error) : error_(error) {}                                   // NOLINT: implicit on purpose
  template <typename U, typename = std::enable_if_t<std::is_constructible_v<T, U&&> &&
                                                    !std::is_same_v<std::decay_t<U>, Error> &&
                                                    !std::is_same_v<std::decay_t<U>, Result>>>
  Result(U&& value) : value_(std::forward<U>(value)) {}                    // NOLINT: implicit on purpose

  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  Error error() const { return error_; }
  Code code() const { return ok() ? Code::ok : error_.code; }

  // Only after ok(); otherwise a trap.
  T& operator*() { check(); return *value_; }
  const T& operator*() const { check(); return *value_; }
  T* operator->() { check(); return &*value_; }
  const T* operator->() const { check(); return &*value_; }

 private:
  void check() const { if (!value_) trap("result.value_of_error"); }
  Error error_;
  std::optional<T> value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(error), failed_(true) {}                    // NOLINT: implicit on purpose
  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  Error error() const { return error_; }
  Code code() const { return ok() ? Code::ok : error_.code; }

 private:
  Error error_;
  bool failed_ = false;
};

using Status = Result<void>;
inline Status success() { return {}; }

}  // namespace cstl

// Statement: returns the error of `expr` from the enclosing function.
#define TRY(expr)                                              \
  do {                                                         \
    if (auto try_result_ = (expr); !try_result_.ok()) return try_result_.error(); \
  } while (0)

// Declaration or assignment: TRY_LET(Bytes quote, r.bytes16(kMaxQuote)); not an expression, on purpose:
// compilers were seen to skip destructors when one returns from the middle of an initialiser.
#define CSTL_CONCAT_(a, b) a##b
#define CSTL_CONCAT(a, b) CSTL_CONCAT_(a, b)
#define TRY_LET(target, expr) TRY_LET_(target, expr, CSTL_CONCAT(try_let_, __COUNTER__))
#define TRY_LET_(target, expr, name)     \
  auto name = (expr);                    \
  if (!name.ok()) return name.error();   \
  target = std::move(*name)
