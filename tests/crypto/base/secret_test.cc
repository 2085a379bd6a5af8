#include "crypto/base/secret.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace cstl;

static_assert(!std::is_copy_constructible_v<Secret<32>> && !std::is_copy_assignable_v<Secret<32>>);
static_assert(!std::is_copy_constructible_v<SecretBuffer>);

namespace {
bool all_zero(Bytes data) {
  for (uint8_t byte : data) {
    if (byte != 0) return false;
  }
  return true;
}
}  // namespace

TEST_CASE("a secret is wiped where it was moved from") {
  Result<Secret<4>> first = Secret<4>::copy_of("abcd");
  REQUIRE(first.ok());
  Secret<4> second = std::move(*first);
  CHECK(all_zero(first->declassify()));
  CHECK(second.declassify().text() == "abcd");
  Secret<4> third;
  third = std::move(second);
  CHECK(all_zero(second.declassify()));
  CHECK(third.clone().declassify().text() == "abcd");
}

TEST_CASE("a secret is wiped when it ends") {
  alignas(Secret<32>) uint8_t place[sizeof(Secret<32>)];
  auto* secret = new (place) Secret<32>;
  std::memset(secret->fill().data(), 0xaa, 32);
  secret->~Secret<32>();
  CHECK(all_zero(Bytes(place, sizeof place)));
}

TEST_CASE("a secret of another size is refused") {
  CHECK(Secret<4>::copy_of("abc").code() == Code::bad_value);
  CHECK(Secret<4>::copy_of("abcde").code() == Code::bad_value);
}

TEST_CASE("constant-time comparison agrees with the plain one") {
  CHECK(ct_equal("abc", "abc"));
  CHECK(ct_equal("", ""));
  CHECK_FALSE(ct_equal("abc", "abd"));
  CHECK_FALSE(ct_equal("abc", "ab"));
}

TEST_CASE("locked pages are wiped in a child") {
  struct Key { uint8_t bytes[32]; };
  Result<Locked<Key>> locked = Locked<Key>::create();
  REQUIRE(locked.ok());
  std::memset((*locked)->bytes, 0x55, 32);
  pid_t child = fork();
  if (child == 0) _exit(all_zero(Bytes((*locked)->bytes, 32)) ? 0 : 1);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK((*locked)->bytes[31] == 0x55);
}
