#include <cstdlib>

#include "attest/atls/frame.h"

using namespace cstl;

// A header that is accepted, with as much body as it announces, is what the encoder writes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes input(data, size);
  Result<FrameHeader> header = FrameHeader::decode(input.first(kFrameHeader));
  if (!header.ok()) return 0;
  std::optional<size_t> max = max_body(static_cast<uint8_t>(header->type));
  if (!max || header->body > *max) abort();
  Bytes body = input.skip(kFrameHeader);
  if (body.size() < header->body) return 0;
  Result<SecretBuffer> again = encode_frame(header->type, body.first(header->body));
  if (!again.ok() || !equal(again->declassify(), input.first(kFrameHeader + header->body))) abort();
  return 0;
}
