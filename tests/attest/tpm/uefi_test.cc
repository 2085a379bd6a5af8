// What firmware puts into its events, piece by piece.
#include "attest/tpm/uefi.h"

#include "tests/attest/tpm/log_builder.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tpm;

namespace {
Buffer node(unsigned type, unsigned subtype, const Buffer& data) {
  Buffer out{static_cast<uint8_t>(type), static_cast<uint8_t>(subtype)};
  put_u16(out, static_cast<unsigned>(data.size() + 4));
  return out + data;
}
const Buffer kEndNode = node(0x7f, 0xff, {});

Buffer le32(uint32_t v) {
  Buffer out;
  put_u32(out, v);
  return out;
}

Result<size_t> count_entries(const Buffer& lists) {
  SignatureLists cursor(lists);
  SignatureEntry entry;
  for (size_t n = 0;; ++n) {
    TRY_LET(bool more, cursor.next(entry));
    if (!more) return n;
  }
}

Buffer partition_table(uint64_t count, uint32_t entry_size, size_t entries) {
  Buffer out = text("EFI PART");
  out.resize(56);
  out.insert(out.end(), 16, 0xd1);
  out.resize(84);
  put_u32(out, entry_size);
  put_u32(out, 0);
  put_u64(out, count);
  for (size_t i = 0; i < entries; ++i) {
    Buffer entry(16, 0xaa);
    entry.insert(entry.end(), 16, static_cast<uint8_t>(i));
    put_u64(entry, 34);
    put_u64(entry, 2047);
    put_u64(entry, 0);
    entry = entry + utf16("data");
    entry.resize(entry_size);
    out = out + entry;
  }
  return out;
}
}  // namespace

TEST_CASE("uefi: variables") {
  Buffer good = variable(kGlobalVariable, "SecureBoot", {1});
  Result<Variable> v = Variable::decode(good);
  REQUIRE(v.ok());
  CHECK(v->is(kGlobalVariable, "SecureBoot"));
  CHECK(!v->is(kImageSecurityDatabase, "SecureBoot"));
  CHECK(!v->is(kGlobalVariable, "SecureBoo"));
  CHECK(!v->is(kGlobalVariable, "SecureBoos"));
  CHECK(equal(v->data, Buffer{1}));
  Buffer longer = good + Buffer{9};
  CHECK(equal(Variable::decode(longer)->trailing, Buffer{9}));
  for (size_t n = 0; n < good.size(); ++n) CHECK(Variable::decode(Bytes(good).first(n)).code() == Code::truncated);
  Buffer huge_name = good, huge_data = good;
  huge_name[23] = 0xff;
  huge_data[31] = 0xff;
  CHECK(Variable::decode(huge_name).code() == Code::too_long);
  CHECK(Variable::decode(huge_data).code() == Code::truncated);
  Buffer long_name = variable(kGlobalVariable, std::string(kMaxVariableName + 1, 'x'), {});
  CHECK(Variable::decode(long_name).code() == Code::too_long);
  // Another script, or garbage: shown as dots, never compared by them.
  Buffer garbage = variable(kGlobalVariable, "SecureBoot", {1});
  garbage[32 + 1] = 1;
  CHECK(!Variable::decode(garbage)->is(kGlobalVariable, "SecureBoot"));
  CHECK(utf16_text(Variable::decode(garbage)->name, 64) == ".ecureBoot");
}

TEST_CASE("uefi: signature lists") {
  Buffer hash(32, 7), certificate(40, 8);
  Buffer two = signature_list(kCertSha256, {hash, hash}) + signature_list(kCertX509, {certificate});
  CHECK(*count_entries(two) == 3);
  CHECK(*count_entries({}) == 0);
  SignatureLists cursor(two);
  SignatureEntry entry;
  CHECK(*cursor.next(entry));
  CHECK(entry.type == kCertSha256);
  CHECK(equal(entry.data, hash));
  CHECK(*cursor.next(entry));
  CHECK(*cursor.next(entry));
  CHECK(entry.type == kCertX509);
  CHECK(equal(entry.data, certificate));
  CHECK(!*cursor.next(entry));

  Buffer with_header = signature_list(kCertSha256, {hash});
  with_header.insert(with_header.begin() + 28, 5, 0xee);
  with_header[16] = static_cast<uint8_t>(with_header[16] + 5);
  with_header[20] = 5;
  struct Row {
    const char* name;
    Buffer list;
    Code code;
    size_t entries;
  };
  auto changed = [&](size_t at, uint8_t to) {
    Buffer out = signature_list(kCertSha256, {hash, hash});
    out[at] = to;
    return out;
  };
  const Row rows[] = {
      {"an empty list", signature_list(kCertSha256, {}), Code::ok, 0},
      {"a list with a header of its own", with_header, Code::ok, 1},
      {"a list shorter than its frame", changed(16, 27), Code::bad_value, 0},
      {"a list longer than the variable", changed(17, 0xff), Code::truncated, 0},
      {"a header longer than the list", changed(20, 0xff), Code::bad_value, 0},
      {"entries of no size", changed(24, 0), Code::bad_value, 0},
      {"entries that are only an owner", changed(24, 16), Code::bad_value, 0},
      {"entries that do not fill the list", changed(24, 47), Code::bad_value, 0},
      {"a frame cut short", Buffer(27, 0), Code::truncated, 0},
      {"zeros behind the lists", signature_list(kCertSha256, {hash}) + Buffer(28, 0), Code::bad_value, 0},
      {"too many entries", signature_list(kCertSha256, std::vector<Buffer>(kMaxSignatures + 1, Buffer(1))),
       Code::too_long, 0},
  };
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    Result<size_t> n = count_entries(row.list);
    CHECK(named(n.code()) == named(row.code));
    if (n.ok()) CHECK(*n == row.entries);
  }
}

TEST_CASE("uefi: device paths as people write them") {
  Guid guid{};
  for (size_t i = 0; i < guid.size(); ++i) guid[i] = static_cast<uint8_t>(i);
  Buffer id(guid.begin(), guid.end());
  Buffer drive = le32(15) + Buffer(16, 0) + id + Buffer{2, 2};
  Buffer mbr = le32(1) + Buffer(16, 0) + Buffer{0x78, 0x56, 0x34, 0x12} + Buffer(12, 0) + Buffer{1, 1};
  struct Row {
    Buffer path;
    const char* words;
    const char* file;
  };
  const Row rows[] = {
      {{}, "", ""},
      {kEndNode, "", ""},
      {node(2, 1, le32(0x0a0341d0) + le32(0)) + node(1, 1, {2, 0x1f}) + node(3, 18, {1, 0, 0xff, 0xff, 0, 0}) +
           node(4, 1, drive) + node(4, 4, utf16("\\EFI\\BOOT\\BOOTX64.EFI") + Buffer(2, 0)) + kEndNode,
       "PciRoot(0x0)/Pci(0x1f,0x2)/Sata(1,65535,0)/"
       "HD(15,GPT,03020100-0504-0706-0809-0a0b0c0d0e0f)/\\EFI\\BOOT\\BOOTX64.EFI",
       "\\EFI\\BOOT\\BOOTX64.EFI"},
      {node(4, 1, mbr), "HD(1,MBR,0x12345678)", ""},
      {node(3, 23, le32(1) + Buffer(8, 0xee)), "NVMe(1,eeeeeeeeeeeeeeee)", ""},
      {node(4, 4, utf16("\\EFI")) + node(4, 4, utf16("x.efi")), "\\EFI/x.efi", "\\EFI\\x.efi"},
      {node(4, 7, id) + node(4, 6, id),
       "Fv(03020100-0504-0706-0809-0a0b0c0d0e0f)/FvFile(03020100-0504-0706-0809-0a0b0c0d0e0f)", ""},
      {node(4, 8, Buffer(4, 0) + Buffer(8, 1) + Buffer(8, 2)), "Offset(0x101010101010101,0x202020202020202)", ""},
      {node(5, 1, Buffer(4, 0) + text("Legacy")), "BBS(Legacy)", ""},
      {node(1, 1, {0, 1}) + node(0x7f, 1, {}) + node(1, 1, {0, 2}) + kEndNode, "Pci(0x1,0x0),Pci(0x2,0x0)", ""},
      {node(9, 9, {1, 2, 3}), "Path(9,9)", ""},
      {node(2, 1, {}), "Acpi(0x0,0x0)", ""},                    // shorter than its kind: read as zeros
      {node(1, 1, {0, 1}) + Buffer{1, 1}, "Pci(0x1,0x0)/...", ""},
      {Buffer{1, 1, 3, 0}, "...", ""},                          // a node shorter than its own header
      {Buffer{1, 1, 0xff, 0xff, 0}, "...", ""},
      {node(4, 4, utf16("\x1b[2J")), ".[2J", ".[2J"},
  };
  for (const Row& row : rows) {
    CHECK(device_path_text(row.path, 200) == row.words);
    CHECK(device_path_file(row.path, 200) == row.file);
    CHECK(device_path_text(row.path, 10).size() <= 10);
  }
  Buffer endless;
  for (int i = 0; i < 1000; ++i) endless = endless + node(1, 1, {0, 1});
  std::string words = device_path_text(endless, 100000);
  CHECK(words.size() < 64 * 16);
  CHECK(words.compare(words.size() - 4, 4, "/...") == 0);
}

TEST_CASE("uefi: boot options, image loads, tagged events") {
  Buffer option = le32(1);
  put_u16(option, 4);
  option = option + utf16("Linux") + Buffer(2, 0) + kEndNode + text("extra");
  Result<LoadOption> o = LoadOption::decode(option);
  REQUIRE(o.ok());
  CHECK(utf16_text(o->description, 99) == "Linux");
  CHECK(o->path.size() == 4);
  CHECK(o->optional.text() == "extra");
  for (size_t n = 0; n < option.size() - 5; ++n) {
    CHECK(LoadOption::decode(Bytes(option).first(n)).code() == Code::truncated);
  }

  Buffer load;
  for (uint64_t v : {0x1000u, 0x2000u, 0u, 4u}) put_u64(load, v);
  load = load + kEndNode + text("more");
  Result<ImageLoad> l = ImageLoad::decode(load);
  REQUIRE(l.ok());
  CHECK(l->address == 0x1000);
  CHECK(l->size == 0x2000);
  CHECK(l->path.size() == 4);
  for (size_t n = 0; n < 36; ++n) CHECK(ImageLoad::decode(Bytes(load).first(n)).code() == Code::truncated);

  Buffer tag = le32(0x8f3b22ec) + le32(2) + text("ab");
  CHECK(TaggedEvent::decode(tag)->data.text() == "ab");
  for (size_t n = 0; n < tag.size(); ++n) CHECK(TaggedEvent::decode(Bytes(tag).first(n)).code() == Code::truncated);
}

TEST_CASE("uefi: partition tables") {
  Buffer good = partition_table(2, 128, 2);
  Result<PartitionTable> t = PartitionTable::decode(good);
  REQUIRE(t.ok());
  CHECK(t->count == 2);
  CHECK(guid_text(t->disk) == "d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1");
  CHECK(t->at(1).id[0] == 1);
  CHECK(t->at(1).first == 34);
  CHECK(t->at(1).last == 2047);
  CHECK(utf16_text(t->at(1).name, 99) == "data");
  CHECK(t->at(2).id == Guid{});
  CHECK(PartitionTable::decode(partition_table(1, 256, 1)).ok());
  for (size_t n = 0; n < good.size(); ++n) {
    CHECK(PartitionTable::decode(Bytes(good).first(n)).code() == Code::truncated);
  }
  CHECK(PartitionTable::decode(partition_table(1, 127, 1)).code() == Code::bad_value);
  CHECK(PartitionTable::decode(partition_table(1, 4097, 1)).code() == Code::bad_value);
  CHECK(PartitionTable::decode(partition_table(kMaxPartitions + 1, 128, 1)).code() == Code::too_long);
  CHECK(PartitionTable::decode(partition_table(UINT64_MAX, 128, 1)).code() == Code::too_long);
  good[0] = 'e';
  CHECK(PartitionTable::decode(good).code() == Code::bad_value);
  Guid system{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};
  CHECK(partition_type_text(system) == "EFI system");
}
