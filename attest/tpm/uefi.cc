#include "attest/tpm/uefi.h"

namespace cstl::tpm {

namespace {
constexpr size_t kSignatureListHeader = 28, kOwnerSize = 16;
constexpr size_t kPartitionTableHeader = 92, kPartitionEntry = 128, kMaxPartitionEntry = 4096;

Guid guid_at(Bytes data) {
  Guid out{};
  std::memcpy(out.data(), data.data(), data.size() < out.size() ? data.size() : out.size());
  return out;
}

struct TypeName {
  const char* guid;
  const char* name;
};
// UEFI 5.3.3 and the Discoverable Partitions Specification.
constexpr TypeName kPartitionTypes[] = {
    {"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system"},
    {"21686148-6449-6e6f-744e-656564454649", "BIOS boot"},
    {"bc13c2ff-59e6-4262-a352-b275fd6f7172", "extended boot loader"},
    {"0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux data"},
    {"4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "root (x86-64)"},
    {"2c7357ed-ebd2-46d9-aec1-23d437ec2bf5", "root verity (x86-64)"},
    {"41092b05-9fc8-4523-994f-2def0408b176", "root verity signature (x86-64)"},
    {"8484680c-9521-48c6-9c11-b0720656f69e", "usr (x86-64)"},
    {"77ff5f63-e7b6-4633-acf4-1565b864c0e6", "usr verity (x86-64)"},
    {"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "swap"},
    {"e6d6d379-f507-44c2-a23c-238f2a3df928", "LVM"},
    {"a19d880f-05fc-4d3b-a006-743f0f84911e", "RAID"},
    {"ca7d7ccb-63ed-4c53-861c-1742536059cc", "LUKS"},
    {"e3c9e316-0b5c-4db8-817d-f92df00215ae", "Microsoft reserved"},
    {"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Microsoft basic data"},
    {"de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery"},
    {"fe3a2a5d-4f32-41a7-b725-accc3285a309", "ChromeOS kernel"},
    {"3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec", "ChromeOS root"},
    {"cab6e88e-abf3-4102-a07a-d4bb9be3c1d3", "ChromeOS firmware"},
    {"2e0a753d-9e48-43b0-8337-b15192cb1b5e", "ChromeOS reserved"},
};
}  // namespace

const Guid kGlobalVariable{0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                           0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
const Guid kImageSecurityDatabase{0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
                                  0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};
const Guid kShimLock{0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43, 0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23};
const Guid kCertX509{0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
const Guid kCertSha256{0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};

std::string guid_text(const Guid& guid) {
  constexpr size_t kOrder[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  Uuid uuid{};
  for (size_t i = 0; i < uuid.size(); ++i) uuid[i] = guid[kOrder[i]];
  return uuid_text(uuid);
}

std::string utf16_text(Bytes text, size_t max) {
  std::string out;
  for (size_t i = 0; i + 1 < text.size() && out.size() < max; i += 2) {
    uint8_t low = text[i], high = text[i + 1];
    if (low == 0 && high == 0) break;
    out += high == 0 && low >= 0x20 && low < 0x7f ? static_cast<char>(low) : '.';
  }
  return out;
}

std::string plain_text(Bytes text, size_t max) {
  bool wide = text.size() >= 4 && text[0] != 0 && text[1] == 0 && (text[3] == 0 || text.size() < 6);
  if (wide) return utf16_text(text, max);
  std::string out;
  for (size_t i = 0; i < text.size() && out.size() < max && text[i] != 0; ++i) {
    out += text[i] >= 0x20 && text[i] < 0x7f ? static_cast<char>(text[i]) : '.';
  }
  return out;
}

Result<Variable> Variable::decode(Bytes input) {
  Reader r(input);
  Variable out;
  TRY_LET(out.vendor, r.fixed<16>());
  TRY_LET(uint64_t units, r.u64le());
  TRY_LET(uint64_t size, r.u64le());
  if (units > kMaxVariableName) return fail(Code::too_long, "variable.name");
  TRY_LET(out.name, r.bytes(static_cast<size_t>(units) * 2));
  if (size > r.remaining()) return fail(Code::truncated, "variable.data");
  TRY_LET(out.data, r.bytes(static_cast<size_t>(size)));
  out.trailing = r.rest();
  return out;
}

bool Variable::is(const Guid& of, std::string_view ascii) const {
  if (vendor != of || name.size() != ascii.size() * 2) return false;
  for (size_t i = 0; i < ascii.size(); ++i) {
    if (name[2 * i] != static_cast<uint8_t>(ascii[i]) || name[2 * i + 1] != 0) return false;
  }
  return true;
}

Result<bool> SignatureLists::next(SignatureEntry& entry) {
  while (inner_.remaining() == 0) {
    if (outer_.remaining() == 0) return false;
    TRY_LET(type_, outer_.fixed<16>());
    TRY_LET(uint32_t list_size, outer_.u32le());
    TRY_LET(uint32_t header_size, outer_.u32le());
    TRY_LET(entry_size_, outer_.u32le());
    if (list_size < kSignatureListHeader) return fail(Code::bad_value, "signature_list.size");
    TRY_LET(Bytes body, outer_.bytes(list_size - kSignatureListHeader));
    if (header_size > body.size()) return fail(Code::bad_value, "signature_list.header");
    inner_ = Reader(body.skip(header_size));
    if (inner_.remaining() == 0) continue;
    if (entry_size_ <= kOwnerSize || inner_.remaining() % entry_size_ != 0) {
      return fail(Code::bad_value, "signature_list.entry");
    }
  }
  if (count_++ == kMaxSignatures) return fail(Code::too_long, "signature_list.entries");
  entry.type = type_;
  TRY_LET(entry.owner, inner_.fixed<16>());
  TRY_LET(entry.data, inner_.bytes(entry_size_ - kOwnerSize));
  return true;
}

Result<LoadOption> LoadOption::decode(Bytes input) {
  Reader r(input);
  LoadOption out;
  TRY_LET(out.attributes, r.u32le());
  TRY_LET(uint16_t path_size, r.u16le());
  Bytes rest = r.rest();
  size_t end = 0;
  while (end + 1 < rest.size() && (rest[end] != 0 || rest[end + 1] != 0)) end += 2;
  if (end + 1 >= rest.size()) return fail(Code::truncated, "load_option.description");
  out.description = rest.first(end);
  Reader tail(rest.skip(end + 2));
  TRY_LET(out.path, tail.bytes(path_size));
  out.optional = tail.rest();
  return out;
}

Result<ImageLoad> ImageLoad::decode(Bytes input) {
  Reader r(input);
  ImageLoad out;
  TRY_LET(out.address, r.u64le());
  TRY_LET(out.size, r.u64le());
  TRY_LET(uint64_t link, r.u64le());
  (void)link;
  TRY_LET(uint64_t path_size, r.u64le());
  if (path_size > r.remaining()) return fail(Code::truncated, "image_load.path");
  TRY_LET(out.path, r.bytes(static_cast<size_t>(path_size)));
  return out;
}

Result<PartitionTable> PartitionTable::decode(Bytes input) {
  Reader r(input);
  PartitionTable out;
  TRY_LET(Bytes header, r.bytes(kPartitionTableHeader));
  if (header.first(8).text() != "EFI PART") return fail(Code::bad_value, "gpt.signature");
  out.disk = guid_at(header.skip(56));
  Reader size(header.skip(84));
  TRY_LET(out.entry_size, size.u32le());
  if (out.entry_size < kPartitionEntry || out.entry_size > kMaxPartitionEntry) {
    return fail(Code::bad_value, "gpt.entry");
  }
  TRY_LET(out.count, r.u64le());
  if (out.count > kMaxPartitions) return fail(Code::too_long, "gpt.count");
  TRY_LET(out.entries, r.bytes(static_cast<size_t>(out.count) * out.entry_size));
  return out;
}

Partition PartitionTable::at(size_t index) const {
  Partition out;
  if (index >= count) return out;
  Reader r(entries.skip(index * entry_size).first(kPartitionEntry));
  // decode() has checked that every entry is there.
  Result<Guid> type = r.fixed<16>(), id = r.fixed<16>();
  Result<uint64_t> first = r.u64le(), last = r.u64le(), attributes = r.u64le();
  if (!type.ok() || !id.ok() || !first.ok() || !last.ok() || !attributes.ok()) return out;
  out.type = *type;
  out.id = *id;
  out.first = *first;
  out.last = *last;
  out.name = r.rest();
  return out;
}

std::string partition_type_text(const Guid& type) {
  std::string text = guid_text(type);
  for (const TypeName& row : kPartitionTypes) {
    if (text == row.guid) return row.name;
  }
  return text;
}

Result<TaggedEvent> TaggedEvent::decode(Bytes input) {
  Reader r(input);
  TaggedEvent out;
  TRY_LET(out.id, r.u32le());
  TRY_LET(uint32_t size, r.u32le());
  TRY_LET(out.data, r.bytes(size));
  return out;
}

}  // namespace cstl::tpm
