#include <cstdlib>

#include "attest/exchange/describe.h"

// Any file as evidence: it is told apart, described in printable text, and what was saved reads back to itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cstl::Bytes input(data, size);
  std::array<uint8_t, cstl::kPcrValues> pcrs{};
  (void)cstl::read_pcr_file(input, &pcrs);  // total
  (void)cstl::read_public_file(input);
  auto file = cstl::EvidenceFile::detect(input);
  if (!file) return 0;
  if (file->content.size() > size || file->table.size() > size) abort();
  if (file->kind == cstl::FileKind::saved) {
    auto saved = cstl::SavedEvidence::decode(file->content);
    if (saved && !cstl::equal(saved->encode(), input)) abort();
  }
  auto description = cstl::describe(*file);
  if (!description) return 0;
  for (char c : description->to_text()) {
    if (c != '\n' && (c < 0x20 || c > 0x7e)) abort();
  }
  (void)description->to_json();
  return 0;
}
