#include "attest/atls/frame.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "attest/atls/messages.h"
#include "crypto/base/fd.h"
#include "tests/attest/atls/rig.h"

namespace cstl {
namespace {

TEST_CASE("every type's maximum is enforced in the header, to the byte") {
  int types = 0;
  for (unsigned type = 0; type < 256; ++type) {
    CAPTURE(type);
    std::optional<size_t> max = max_body(static_cast<uint8_t>(type));
    std::array<uint8_t, kFrameHeader> bytes{};
    auto decode = [&](size_t length) {
      Writer w(bytes);
      w.u32(static_cast<uint32_t>(length));
      w.u8(kProtocolVersion);
      w.u8(static_cast<uint8_t>(type));
      return FrameHeader::decode(bytes);
    };
    if (!max) {
      CHECK(decode(2).code() == Code::frame_type);
      CHECK(encode_frame(static_cast<FrameType>(type), {}).code() == Code::frame_type);
      continue;
    }
    ++types;
    CHECK(*max <= kMaxEvidence);
    CHECK(decode(2)->body == 0);
    CHECK(decode(2 + *max)->body == *max);
    CHECK(decode(2 + *max + 1).code() == Code::frame_size);
    CHECK(decode(1).code() == Code::frame_size);
    CHECK(decode(0).code() == Code::frame_size);
    const std::vector<uint8_t> body(*max + 1);
    CHECK(encode_frame(static_cast<FrameType>(type), body).code() == Code::frame_size);
    auto frame = encode_frame(static_cast<FrameType>(type), Bytes(body).first(*max));
    REQUIRE(frame.ok());
    CHECK(FrameHeader::decode(frame->declassify().first(kFrameHeader))->body == *max);
  }
  CHECK(types == 32);
}

TEST_CASE("a header of another size or version is refused") {
  const std::array<uint8_t, 7> bytes{0, 0, 0, 2, 1, 26, 0};
  for (size_t n = 0; n < kFrameHeader; ++n) CHECK(FrameHeader::decode(Bytes(bytes).first(n)).code() == Code::truncated);
  CHECK(FrameHeader::decode(Bytes(bytes).first(6)).ok());
  CHECK(FrameHeader::decode(bytes).code() == Code::trailing);
  std::array<uint8_t, 6> other{0, 0, 0, 2, 2, 26};
  CHECK(FrameHeader::decode(other).code() == Code::frame_version);
}

TEST_CASE("blocking frames over a local socket and a pipe") {
  auto [a, b] = test::socket_pair();
  CHECK(send_frame(a.get(), FrameType::key_request, "abc", 100).ok());
  auto got = receive_frame(b.get(), 100);
  REQUIRE(got.ok());
  CHECK(got->type == FrameType::key_request);
  CHECK(equal(got->body.declassify(), "abc"));

  CHECK(receive_frame(b.get(), 10).code() == Code::timeout);
  REQUIRE(write_all(a.get(), std::string(2, '\0')).ok());
  CHECK(receive_frame(b.get(), 10).code() == Code::timeout);
  const std::vector<uint8_t> large(kMaxEvidence);
  CHECK(send_frame(b.get(), FrameType::evidence, large, 20).code() == Code::timeout);
  a = Fd();
  CHECK(receive_frame(b.get(), 100).code() == Code::closed);
  CHECK(send_frame(b.get(), FrameType::key_request, "abc", 100).code() == Code::closed);

  int ends[2];
  REQUIRE(pipe(ends) == 0);
  Fd read_end(ends[0]), write_end(ends[1]);
  CHECK(send_frame(write_end.get(), FrameType::rekey_request, std::string(97, 'k'), 100).ok());
  CHECK(receive_frame(read_end.get(), 100)->body.size() == 97);
}

TEST_CASE("a received error frame is the peer's error") {
  auto [a, b] = test::socket_pair();
  CHECK(send_frame(a.get(), FrameType::error, std::string("\x01\xf7\0\x02no", 6), 100).ok());
  auto got = receive_frame(b.get(), 100);
  CHECK(got.code() == Code::peer_error);
  CHECK(got.error().foreign == 503);
  CHECK(send_frame(a.get(), FrameType::error, "", 100).ok());
  CHECK(receive_frame(b.get(), 100).code() == Code::truncated);
}

TEST_CASE("hello and verdict decode to what was encoded, and nothing else does") {
  Hello hello;
  hello.nonce[31] = 9;
  hello.demanded = 0x401;
  hello.offered = 1;
  std::array<uint8_t, 40> space;
  auto bytes = hello.encode(space);
  REQUIRE(bytes.ok());
  auto back = Hello::decode(*bytes);
  REQUIRE(back.ok());
  CHECK((back->nonce == hello.nonce && back->demanded == 0x401 && back->offered == 1));
  for (size_t n = 0; n < bytes->size(); ++n) CHECK(Hello::decode(bytes->first(n)).code() == Code::truncated);
  CHECK(Hello::decode(std::string(41, 'x')).code() == Code::trailing);

  VerdictMessage verdict;
  verdict.code = 306;
  const std::string text(kMaxErrorText + 1, 'x');
  verdict.text = Bytes(text);
  std::vector<uint8_t> large(1024);
  CHECK(verdict.encode(large).code() == Code::too_long);
  verdict.text = Bytes(text).first(kMaxErrorText);
  auto encoded = verdict.encode(large);
  REQUIRE(encoded.ok());
  CHECK(encoded->size() == *max_body(static_cast<uint8_t>(FrameType::verdict)));
  for (size_t n = 0; n < encoded->size(); n += 7) CHECK(VerdictMessage::decode(encoded->first(n)).code() == Code::truncated);
  std::vector<uint8_t> longer(4 + text.size());
  Writer w(longer);
  w.u16(1);
  w.bytes16(text);
  CHECK(VerdictMessage::decode(longer).code() == Code::too_long);
}

}  // namespace
}  // namespace cstl
