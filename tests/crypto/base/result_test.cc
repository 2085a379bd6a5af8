#include "crypto/base/result.h"

#include <cerrno>
#include <doctest/doctest.h>
#include <memory>
#include <set>
#include <string>

#include "crypto/base/log.h"

using namespace cstl;

namespace {
Result<int> half(int n) {
  if (n % 2 != 0) return fail(Code::bad_value, "half.odd");
  return n / 2;
}

Result<int> quarter(int n) {
  TRY_LET(int first, half(n));
  TRY(half(first));
  return half(first);
}
}  // namespace

TEST_CASE("TRY passes the first error on, with its site") {
  CHECK(*quarter(8) == 2);
  CHECK(quarter(6).code() == Code::bad_value);
  CHECK(std::string(quarter(6).error().site) == "half.odd");
}

TEST_CASE("a result owns what cannot be copied") {
  Result<std::unique_ptr<int>> r = std::make_unique<int>(7);
  CHECK(r.ok());
  CHECK(**r == 7);
}

TEST_CASE("errno keeps its number and maps to the closest code") {
  struct Row { int number; Code code; } rows[] = {
      {ENOENT, Code::not_found}, {EACCES, Code::denied}, {EPERM, Code::denied},     {ENOSPC, Code::no_space},
      {EROFS, Code::no_space},   {EEXIST, Code::exists}, {EBUSY, Code::busy},       {ENOMEM, Code::no_memory},
      {ETIMEDOUT, Code::timeout}, {EIO, Code::io},       {ECONNREFUSED, Code::io},
  };
  for (const Row& row : rows) {
    Error error = fail_errno("test.site", row.number);
    CAPTURE(row.number);
    CHECK(error.code == row.code);
    CHECK(error.origin == Origin::errno_value);
    CHECK(error.foreign == row.number);
  }
}

TEST_CASE("codes have unique numbers and names, a text and an advice") {
  std::set<std::string> names;
  std::set<int> numbers;
#define X(number, name, what, advice)          \
  CHECK(numbers.insert(number).second);        \
  CHECK(names.insert(#name).second);           \
  CHECK(code_from_number(number) == Code::name); \
  CHECK(std::string(code_name(Code::name)) == #name); \
  CHECK(std::string(code_what(Code::name)) != ""); \
  CHECK(std::string(code_advice(Code::name)) != "");
#include "crypto/base/code.def"
#undef X
  CHECK(code_from_number(9999) == Code::internal);
  CHECK(std::string(code_name(static_cast<Code>(9999))) == "internal");
}

TEST_CASE("an error describes itself with its foreign number") {
  CHECK(describe(fail(Code::quote_nonce, "quote.nonce")) ==
        "quote_nonce (306) at quote.nonce: the quote does not sign this session");
  CHECK(describe(fail(Code::tls_failed, "tls.x", Origin::mbedtls, -80)).find("(mbedtls -80)") != std::string::npos);
}
