#include "crypto/base/bytes.h"

#include <doctest/doctest.h>

using namespace cstl;

TEST_CASE("hexadecimal reads back, either case, and refuses all else with its code") {
  CHECK(to_hex(std::array<uint8_t, 3>{0, 0xff, 0x1a}) == "00ff1a");
  std::array<uint8_t, 2> out{};
  CHECK(from_hex("aBcD", out).ok());
  CHECK(to_hex(out) == "abcd");
  struct Row { const char* text; Code code; } rows[] = {
      {"", Code::bad_value},     {"ab", Code::bad_value},    {"abc", Code::bad_value},   {"abcde", Code::bad_value},
      {"abcdef", Code::too_long}, {"abcg", Code::bad_value}, {"ab d", Code::bad_value}, {"0xab", Code::bad_value},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.text));
    CHECK(from_hex(row.text, out).code() == row.code);
  }
}

TEST_CASE("only the one lower-case form of a UUID is taken") {
  const char* text = "01234567-89ab-cdef-0123-456789abcdef";
  Result<Uuid> uuid = parse_uuid(text);
  REQUIRE(uuid.ok());
  CHECK(uuid_text(*uuid) == text);
  for (const char* bad : {"", "01234567-89AB-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdef",
                          "01234567-89ab-cdef-0123-456789abcde", "01234567-89ab-cdef-0123-456789abcdef0",
                          "0123456-789ab-cdef-0123-456789abcdef", "g1234567-89ab-cdef-0123-456789abcdef",
                          "{1234567-89ab-cdef-0123-456789abcde}"}) {
    CAPTURE(std::string(bad));
    CHECK(parse_uuid(bad).code() == Code::bad_value);
  }
}

TEST_CASE("integers are read in their byte order") {
  const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8};
  Bytes all(data, sizeof data);
  CHECK(*Reader(all).u8() == 0x01);
  CHECK(*Reader(all).u16() == 0x0102);
  CHECK(*Reader(all).u32() == 0x01020304);
  CHECK(*Reader(all).u64() == 0x0102030405060708);
  CHECK(*Reader(all).u16le() == 0x0201);
  CHECK(*Reader(all).u32le() == 0x04030201);
  CHECK(*Reader(all).u64le() == 0x0807060504030201);
}

TEST_CASE("a reader says truncated, too long and trailing, and never reads beyond") {
  const uint8_t data[] = {0, 3, 'a', 'b', 'c'};
  Bytes all(data, sizeof data);
  CHECK(Reader(all).bytes16(3)->text() == "abc");
  CHECK(Reader(all).bytes16(2).code() == Code::too_long);
  CHECK(Reader(all.first(4)).bytes16(3).code() == Code::truncated);
  CHECK(Reader(all.first(1)).bytes16(3).code() == Code::truncated);
  CHECK(Reader(Bytes()).u8().code() == Code::truncated);
  CHECK(Reader(all).u64().code() == Code::truncated);
  CHECK(Reader(all).bytes(SIZE_MAX).code() == Code::truncated);
  CHECK(Reader(all).fixed<6>().code() == Code::truncated);
  CHECK(Reader(all).finish().code() == Code::trailing);
  Reader r(all);
  CHECK(r.bytes(5).ok());
  CHECK(r.finish().ok());
  const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0};
  CHECK(Reader(Bytes(huge, 5)).bytes32(SIZE_MAX).code() == Code::truncated);
  CHECK(Reader(Bytes(huge, 5)).bytes8(254).code() == Code::too_long);
}

TEST_CASE("a writer that overflowed stays failed") {
  std::array<uint8_t, 6> space{};
  Writer w(space);
  w.u8(1);
  w.u16(0x0203);
  w.bytes8("x");
  Result<Bytes> out = w.finish();
  REQUIRE(out.ok());
  CHECK(to_hex(*out) == "0102030178");
  w.u16(7);
  CHECK(w.finish().code() == Code::too_long);
  w.u8(1);
  CHECK(w.finish().code() == Code::too_long);
}

TEST_CASE("a field longer than its length prefix can say is not written") {
  std::vector<uint8_t> big(70000);
  std::vector<uint8_t> space(140000);
  Writer eight(space);
  eight.bytes8(Bytes(big).first(256));
  CHECK(eight.finish().code() == Code::too_long);
  Writer sixteen(space);
  sixteen.bytes16(big);
  CHECK(sixteen.finish().code() == Code::too_long);
  Writer thirty_two(space);
  thirty_two.bytes32(big);
  CHECK(thirty_two.finish().ok());
}
