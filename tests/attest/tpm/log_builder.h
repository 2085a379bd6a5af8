// Event logs made by tests: a header, events with made-up or with real digests, and the structures inside their data.
#pragma once

#include "attest/tpm/eventlog.h"
#include "attest/tpm/uefi.h"
#include "tests/attest/vectors.h"

namespace cstl::test {

inline void put_u16(Buffer& out, unsigned v) {
  out.insert(out.end(), {static_cast<uint8_t>(v), static_cast<uint8_t>(v >> 8)});
}
inline void put_u32(Buffer& out, uint32_t v) {
  put_u16(out, v & 0xffff);
  put_u16(out, v >> 16);
}
inline void put(Buffer& out, std::string_view text) { out.insert(out.end(), text.begin(), text.end()); }

struct Bank {
  unsigned id, size;
};
constexpr Bank kSha256{0x000b, 32}, kSha1{0x0004, 20};

inline Buffer header(std::vector<Bank> banks = {kSha256}, std::string_view signature = {"Spec ID Event03\0", 16}) {
  Buffer spec;
  put(spec, signature);
  put_u32(spec, 0);
  spec.insert(spec.end(), {0, 2, 0, 2});
  put_u32(spec, static_cast<uint32_t>(banks.size()));
  for (Bank bank : banks) {
    put_u16(spec, bank.id);
    put_u16(spec, bank.size);
  }
  spec.push_back(0);
  Buffer out;
  put_u32(out, 0);
  put_u32(out, 3);
  out.insert(out.end(), 20, 0);
  put_u32(out, static_cast<uint32_t>(spec.size()));
  out.insert(out.end(), spec.begin(), spec.end());
  return out;
}

inline Buffer event(uint32_t pcr, uint32_t type, std::string_view data = "x", std::vector<Bank> banks = {kSha256}) {
  Buffer out;
  put_u32(out, pcr);
  put_u32(out, type);
  put_u32(out, static_cast<uint32_t>(banks.size()));
  for (Bank bank : banks) {
    put_u16(out, bank.id);
    out.insert(out.end(), bank.size, 0x11);
  }
  put_u32(out, static_cast<uint32_t>(data.size()));
  put(out, data);
  return out;
}

inline Buffer operator+(Buffer a, const Buffer& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline void put_u64(Buffer& out, uint64_t v) {
  put_u32(out, static_cast<uint32_t>(v));
  put_u32(out, static_cast<uint32_t>(v >> 32));
}

// An event whose SHA-256 digest is that of `measured`.
inline Buffer measured(uint32_t pcr, uint32_t type, const Buffer& data, const Buffer& measured_bytes) {
  Buffer out = event(pcr, type, {reinterpret_cast<const char*>(data.data()), data.size()});
  Digest32 digest = *sha256({measured_bytes});
  std::memcpy(out.data() + 14, digest.data(), digest.size());
  return out;
}
inline Buffer measured(uint32_t pcr, uint32_t type, const Buffer& data) { return measured(pcr, type, data, data); }
inline Buffer text(std::string_view t) { return Buffer(t.begin(), t.end()); }

inline Buffer utf16(std::string_view ascii) {
  Buffer out;
  for (char c : ascii) put_u16(out, static_cast<uint8_t>(c));
  return out;
}

inline Buffer variable(const tpm::Guid& vendor, std::string_view name, const Buffer& data) {
  Buffer out(vendor.begin(), vendor.end());
  put_u64(out, name.size());
  put_u64(out, data.size());
  return out + utf16(name) + data;
}

// One EFI_SIGNATURE_LIST; all entries are of one size.
inline Buffer signature_list(const tpm::Guid& type, const std::vector<Buffer>& entries) {
  size_t size = entries.empty() ? 0 : entries[0].size() + 16;
  Buffer out(type.begin(), type.end());
  put_u32(out, static_cast<uint32_t>(28 + size * entries.size()));
  put_u32(out, 0);
  put_u32(out, static_cast<uint32_t>(size));
  for (const Buffer& entry : entries) out = out + Buffer(16, 0x0f) + entry;
  return out;
}

}  // namespace cstl::test
