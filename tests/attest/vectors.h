// The vectors of tests/data, as evidence. Tests run in the repository's root.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "attest/evidence.h"
#include "attest/reference/appraise.h"
#include "crypto/base/fd.h"

namespace cstl::test {

using Buffer = std::vector<uint8_t>;

inline Buffer load(const std::string& path) {
  Result<Buffer> data = read_file(("tests/data/" + path).c_str(), size_t{1} << 20);
  REQUIRE_MESSAGE(data.ok(), "tests/data/", path);
  return data.ok() ? *data : Buffer();
}

// For messages: doctest prints a char pointer as a number.
inline std::string named(Code code) { return code_name(code); }

// 00 01 … 1f: what the quotes of tests/data/tpm were made for.
inline Digest32 test_binding() {
  Digest32 out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(i);
  return out;
}

struct Parts {
  Variant variant = Variant::qemu_vtpm;
  Buffer quote, signature, ak_public, ek_certificate, ek_chain, pcr_values, event_log, merkle;

  static Parts of(const std::string& name) {
    Parts p;
    p.quote = load("tpm/" + name + ".quote");
    p.signature = load("tpm/" + name + ".signature");
    p.ak_public = load("tpm/" + name + ".public");
    p.pcr_values = load(name == "joined" ? "tpm/joined-pcrs.bin" : "tpm/pcrs.bin");
    p.event_log = load("boot/eventlog.bin");
    p.merkle = load(name == "ecc-tree" ? "tpm/tree-merkle.bin" : "tpm/merkle.bin");
    return p;
  }
  // With the endorsement certificate and, as its chain, who issued it (not the root).
  Parts endorsed() const {
    Parts p = *this;
    p.ek_certificate = load("tpm/ek.der");
    Buffer issuer = load("tpm/issuer.der");
    p.ek_chain = {static_cast<uint8_t>(issuer.size() >> 8), static_cast<uint8_t>(issuer.size())};
    p.ek_chain.insert(p.ek_chain.end(), issuer.begin(), issuer.end());
    return p;
  }
  Evidence view() const {
    Evidence e;
    e.variant = variant;
    e.quote = quote;
    e.signature = signature;
    e.ak_public = ak_public;
    e.ek_certificate = ek_certificate;
    e.ek_chain = ek_chain;
    e.pcr_values = pcr_values;
    e.event_log = event_log;
    e.merkle = merkle;
    return e;
  }
  Buffer encode() const {
    Buffer out(kMaxEvidence);
    Result<Bytes> done = view().encode(out);
    REQUIRE(done.ok());
    out.resize(done.ok() ? done->size() : 0);
    return out;
  }
};

// Calls `with` with every prefix of `original`, then with every version in which one bit is flipped.
inline void each_damage(const Buffer& original, const std::function<void(const Buffer&, const std::string&)>& with) {
  for (size_t n = 0; n < original.size(); ++n) {
    with(Buffer(original.begin(), original.begin() + static_cast<std::ptrdiff_t>(n)), "cut to " + std::to_string(n));
  }
  Buffer longer = original;
  longer.push_back(0);
  with(longer, "one byte more");
  for (size_t bit = 0; bit < original.size() * 8; ++bit) {
    Buffer flipped = original;
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1u << (bit % 8)));
    with(flipped, "bit " + std::to_string(bit));
  }
}

constexpr int64_t kNow = 1800000000;  // 2027-01-15

// The set that fits the vectors: what predict.py computed for the image that made boot/eventlog.bin.
inline ReferenceSet reference_set() {
  ReferenceSet set;
  set.id = "test-1";
  set.not_before = kNow - 86400;
  set.not_after = kNow + 86400;
  set.roles = 1 << static_cast<unsigned>(Role::control_plane) | 1 << static_cast<unsigned>(Role::worker);
  set.allow_unendorsed_ak = true;
  Buffer file = load("boot/predicted.txt");
  std::string_view text = Bytes(file).text();
  const char* components4[] = {"boot attempt", "separator", "unified kernel image", "kernel"};
  const char* components9[] = {"kernel command line", "initrd"};
  std::vector<ReferenceEvent> events[kPcrCount];
  while (!text.empty()) {
    std::string line(text.substr(0, text.find('\n')));
    text.remove_prefix(line.size() + 1);
    bool value = line.compare(0, 4, "pcr ") == 0;
    if (value) line.erase(0, 4);
    size_t index = static_cast<size_t>(std::atoi(line.c_str()));
    Digest32 digest{};
    REQUIRE(from_hex(std::string_view(line).substr(line.find(' ') + 1), digest).ok());
    if (value) {
      PcrReference pcr;
      pcr.index = static_cast<uint8_t>(index);
      pcr.expected = {digest};
      pcr.events = events[index];
      set.pcrs.push_back(pcr);
      continue;
    }
    size_t at = events[index].size();
    std::string component = index == 4 ? components4[at] : index == 9 ? components9[at] : "section " + std::to_string(at);
    events[index].push_back({digest, component});
  }
  return set;
}

}  // namespace cstl::test
