#include <cstdlib>

#include "attest/tpm/uefi.h"
#include "crypto/name_text.h"

namespace {
void printable(const std::string& text, size_t max) {
  if (text.size() > max) abort();
  for (char c : text) {
    if (c < 0x20 || c > 0x7e) abort();
  }
}
}  // namespace

// The structures inside events' data, each read from the same bytes: bounded, and printable when shown.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl::tpm;
  cstl::Bytes input(data, size);
  auto variable = Variable::decode(input);
  if (variable) printable(utf16_text(variable->name, 64), 64);
  for (cstl::Bytes lists : {input, variable ? variable->data : cstl::Bytes()}) {
    SignatureLists cursor(lists);
    SignatureEntry entry;
    for (auto more = cursor.next(entry); more && *more;) more = cursor.next(entry);
  }
  auto option = LoadOption::decode(input);
  auto load = ImageLoad::decode(input);
  for (cstl::Bytes path : {input, option ? option->path : input, load ? load->path : input}) {
    printable(device_path_text(path, 200), 200);
    printable(device_path_file(path, 200), 200);
  }
  auto table = PartitionTable::decode(input);
  for (size_t i = 0; table && i < table->count; ++i) printable(partition_type_text(table->at(i).type), 40);
  (void)TaggedEvent::decode(input);  // borrows; nothing more to look at
  printable(plain_text(input, 99) + guid_text(Guid{}), 99 + 36);
  printable(cstl::name_text(input, 100), 100);
  return 0;
}
