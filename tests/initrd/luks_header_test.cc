#include "initrd/luks_header.h"

#include <doctest/doctest.h>
#include <string>

#include "crypto/base/fd.h"
#include "tests/initrd/luks_image.h"

namespace cstl {
namespace {

// Headers that cstl-init wrote in a virtual machine: tests/e2e/disk_test.sh keeps its disk, and
// { head -c 512 disk; dd if=disk bs=4096 skip=1 count=3 | tr -d '\0'; } makes the small form of it.
std::vector<uint8_t> seed(const char* name) {
  auto small = read_file((std::string("fuzz/corpus/luks_header/") + name).c_str(), kLuksCopy);
  REQUIRE(small.ok());
  return *small;
}

std::vector<uint8_t> with_json(std::string_view from, std::string_view to) {
  std::vector<uint8_t> small = seed("sealed");
  std::string json(Bytes(small).skip(test::kSector).text());
  const size_t at = json.find(from);
  REQUIRE_MESSAGE(at != std::string::npos, std::string(from));
  json.replace(at, from.size(), to);
  small.resize(test::kSector);
  small.insert(small.end(), json.begin(), json.end());
  return test::expand(small);
}

std::vector<uint8_t> with_sector(size_t at, std::string_view bytes) {
  std::vector<uint8_t> small = seed("sealed");
  std::memcpy(small.data() + at, bytes.data(), bytes.size());
  return test::expand(small);
}

void expect(const char* name, const std::vector<uint8_t>& headers, const char* site) {
  CAPTURE(name);
  auto header = read_luks_header(headers);
  CHECK(header.code() == Code::disk_header);
  CHECK(std::string(header.error().site) == site);
}

// The two copies of a disk, each with its own JSON and sequence number.
std::vector<uint8_t> two_copies(const char* first, uint8_t first_sequence, const char* second, uint8_t second_sequence) {
  std::vector<uint8_t> a = seed(first), b = seed(second), out(kLuksHeaders);
  constexpr size_t kSequence = 6 + 2 + 8 + 7;
  a[kSequence] = first_sequence;
  b[kSequence] = second_sequence;
  test::put_copy(out.data(), Bytes(a).first(test::kSector), Bytes(a).skip(test::kSector), false);
  test::put_copy(out.data() + kLuksCopy, Bytes(b).first(test::kSector), Bytes(b).skip(test::kSector), true);
  return out;
}

}  // namespace

TEST_CASE("luks_header: a sealed header of ours gives UUID and owner") {
  auto header = read_luks_header(test::expand(seed("sealed")));
  REQUIRE_MESSAGE(header.ok(), header.error().site);
  CHECK(header->state == DiskState::sealed);
  CHECK(header->owner_key[0] == 4);
  CHECK_FALSE(equal(header->uuid, Uuid{}));
}

TEST_CASE("luks_header: fresh headers are fresh") {
  for (const char* name : {"fresh", "no_token"}) {
    CAPTURE(name);
    auto header = read_luks_header(test::expand(seed(name)));
    REQUIRE_MESSAGE(header.ok(), header.error().site);
    CHECK(header->state == DiskState::fresh);
  }
}

TEST_CASE("luks_header: zeros are blank, and the size is exact") {
  std::vector<uint8_t> zeros(kLuksHeaders);
  CHECK(read_luks_header(zeros)->state == DiskState::blank);
  zeros.push_back(0);
  CHECK(read_luks_header(zeros).code() == Code::trailing);
  zeros.resize(kLuksHeaders - 1);
  CHECK(read_luks_header(zeros).code() == Code::truncated);
}

TEST_CASE("luks_header: each lie in the metadata is refused with its own site") {
  struct Row {
    const char* name;
    const char* from;
    const char* to;
    const char* site;
  };
  const Row rows[] = {
      {"a null cipher for the data", R"("iv_tweak":"0","encryption":"aes-xts-plain64")",
       R"("iv_tweak":"0","encryption":"cipher_null-ecb")", "luks.segment.encryption"},
      {"another cipher for the data", R"("iv_tweak":"0","encryption":"aes-xts-plain64")",
       R"("iv_tweak":"0","encryption":"aes-cbc-plain64")", "luks.segment.encryption"},
      {"a linear segment", R"("type":"crypt")", R"("type":"linear")", "luks.segment.type"},
      {"no integrity", R"x(,"integrity":{"type":"hmac(sha256)","journal_encryption":"none","journal_integrity":"none"})x", "",
       "luks.segment.type"},
      {"a checksum instead of a MAC", R"x("type":"hmac(sha256)")x", R"("type":"crc32c")", "luks.segment.integrity"},
      {"integrity of none", R"x("type":"hmac(sha256)")x", R"("type":"none")", "luks.segment.integrity"},
      {"another member of the integrity", R"("journal_integrity":"none")", R"("journal_integrity":"none","x":1)",
       "luks.segment.integrity"},
      {"other sectors", R"("sector_size":4096)", R"("sector_size":512)", "luks.segment.sector_size"},
      {"sectors as text", R"("sector_size":4096)", R"("sector_size":"4096")", "luks.segment.sector_size"},
      {"sectors as a fraction", R"("sector_size":4096)", R"("sector_size":4096.0)", "luks.segment.sector_size"},
      {"moved data", R"("offset":"2097152")", R"("offset":"33554432")", "luks.segment.offset"},
      {"data of a fixed size", R"("size":"dynamic")", R"("size":"4096")", "luks.segment.offset"},
      {"another tweak", R"("iv_tweak":"0")", R"("iv_tweak":"8")", "luks.segment.offset"},
      {"segment flags", R"("iv_tweak":"0")", R"("flags":["backup-final"],"iv_tweak":"0")", "luks.segment.type"},
      {"two segments", R"("segments":{)", R"("segments":{"1":{"type":"crypt"},)", "luks.segments"},
      {"a segment of another number", R"("segments":{"0":)", R"("segments":{"1":)", "luks.segments"},
      {"a null cipher for the keyslot", R"("size":"385024","encryption":"aes-xts-plain64")",
       R"("size":"385024","encryption":"cipher_null-ecb")", "luks.keyslot.encryption"},
      {"a keyslot outside of its area", R"("offset":"32768")", R"("offset":"1081344")", "luks.keyslot.area"},
      {"a keyslot within the headers", R"("offset":"32768")", R"("offset":"4096")", "luks.keyslot.area"},
      {"a keyslot of a huge offset", R"("offset":"32768")", R"("offset":"99999999999999999999")", "luks.keyslot.area"},
      {"a keyslot of a negative offset", R"("offset":"32768")", R"("offset":"-4096")", "luks.keyslot.area"},
      {"a shorter volume key", R"("key_size":96)", R"("key_size":64)", "luks.keyslot.key_size"},
      {"a keyslot type for reencryption", R"("type":"luks2")", R"("type":"reencrypt")", "luks.keyslot.type"},
      {"a keyslot priority", R"("key_size":96)", R"("priority":2,"key_size":96)", "luks.keyslot.type"},
      {"fewer stripes", R"("stripes":4000)", R"("stripes":1)", "luks.keyslot.af"},
      {"another KDF", R"("type":"argon2id")", R"("type":"pbkdf2")", "luks.keyslot.kdf"},
      {"a cheap KDF", R"("time":4)", R"("time":1)", "luks.keyslot.kdf_cost"},
      {"an endless KDF", R"("time":4)", R"("time":4294967295)", "luks.keyslot.kdf_cost"},
      {"a KDF that eats all memory", R"("memory":65536)", R"("memory":4194304)", "luks.keyslot.kdf_cost"},
      {"a negative KDF cost", R"("memory":65536)", R"("memory":-1)", "luks.keyslot.kdf_cost"},
      {"a second keyslot", R"("keyslots":{)", R"("keyslots":{"1":{"type":"luks2"},)", "luks.keyslots"},
      {"another keyslot number", R"("keyslots":{"0":)", R"("keyslots":{"7":)", "luks.keyslots"},
      {"a digest for another segment", R"("segments":["0"])", R"("segments":["1"])", "luks.digest.of"},
      {"a digest for no keyslot", R"("keyslots":["0"])", R"("keyslots":[])", "luks.digest.of"},
      {"another digest", R"("type":"pbkdf2")", R"("type":"none")", "luks.digest.type"},
      {"requirements", R"("config":{)", R"("config":{"requirements":{"mandatory":["online-reencrypt"]},)", "luks.config"},
      {"flags", R"("config":{)", R"("config":{"flags":["allow-discards"]},"x":{)", "luks.json"},
      {"flags within the configuration", R"("config":{)", R"("config":{"flags":["allow-discards"],)", "luks.config"},
      {"another JSON size", R"("json_size":"12288")", R"("json_size":"28672")", "luks.config"},
      {"another token beside ours", R"("tokens":{)", R"("tokens":{"1":{"type":"systemd-tpm2","keyslots":["0"]},)", "luks.tokens"},
      {"no token of ours", R"("type":"cstl")", R"("type":"systemd-tpm2")", "luks.token.type"},
      {"a token for a keyslot", R"("type":"cstl","keyslots":[])", R"("type":"cstl","keyslots":["0"])", "luks.token.type"},
      {"an unknown state", R"("state":"sealed")", R"("state":"open")", "luks.token.type"},
      {"an owner key that is no point", R"("owner_key":"04)", R"("owner_key":"02)", "luks.token.owner_key"},
      {"a short owner key", R"("owner_key":"04)", R"("owner_key":")", "luks.token.owner_key"},
      {"a member twice", R"("json_size":"12288")", R"("json_size":"12288","json_size":"12288")", "luks.json"},
      {"a comment", R"("config":)", R"(/**/"config":)", "luks.json"},
      {"text after the end", "\"keyslots_size\":\"1048576\"}}", "\"keyslots_size\":\"1048576\"}}x", "luks.json"},
      {"no keyslots at all", R"("keyslots":{)", R"("keyslots":[],"x":{)", "luks.json"},
  };
  for (const Row& row : rows) expect(row.name, with_json(row.from, row.to), row.site);
}

TEST_CASE("luks_header: each lie in the binary header is refused with its own site") {
  using std::string_view;
  expect("LUKS1", with_sector(6, string_view("\0\1", 2)), "luks.version");
  expect("a version to come", with_sector(6, string_view("\0\3", 2)), "luks.version");
  expect("a larger header", with_sector(8, string_view("\0\0\0\0\0\0\x80\0", 8)), "luks.size");
  expect("a header elsewhere", with_sector(262, "\x40"), "luks.offset");
  expect("another label", with_sector(24, "data"), "luks.subsystem");
  expect("a longer label", with_sector(24 + 10, "2"), "luks.subsystem");
  expect("another subsystem", with_sector(208, "luks"), "luks.subsystem");
  expect("another checksum", with_sector(72, "sha512"), "luks.checksum_alg");
  expect("no UUID", with_sector(168, "x"), "luks.uuid");
  expect("something behind the UUID", with_sector(168 + 36, "x"), "luks.uuid");
  expect("something in the padding", with_sector(264, "x"), "luks.padding");
}

TEST_CASE("luks_header: a byte behind the end of the text is refused") {
  std::vector<uint8_t> headers = test::expand(seed("sealed"));
  headers[kLuksCopy - 1] = headers[kLuksHeaders - 1] = 'x';
  test::seal_checksum(headers.data());
  test::seal_checksum(headers.data() + kLuksCopy);
  expect("bytes behind the text", headers, "luks.json");
}

TEST_CASE("luks_header: of two copies the later counts, and a damaged one does not") {
  CHECK(read_luks_header(two_copies("sealed", 9, "fresh", 8))->state == DiskState::sealed);
  CHECK(read_luks_header(two_copies("fresh", 8, "sealed", 9))->state == DiskState::sealed);
  CHECK(read_luks_header(two_copies("fresh", 9, "sealed", 8))->state == DiskState::fresh);
  std::vector<uint8_t> disk = two_copies("sealed", 9, "fresh", 8);
  disk[5000] ^= 1;  // the cut in the middle of the seal's first write
  CHECK(read_luks_header(disk)->state == DiskState::fresh);
  disk = two_copies("sealed", 9, "fresh", 8);
  disk[kLuksCopy + 5000] ^= 1;  // in the middle of its second
  CHECK(read_luks_header(disk)->state == DiskState::sealed);
  disk[5000] ^= 1;
  expect("both damaged", disk, "luks.checksum");
}

TEST_CASE("luks_header: an intact copy that is not ours spoils the other") {
  std::vector<uint8_t> disk = two_copies("sealed", 9, "sealed", 8);
  disk[kLuksCopy + 24] ^= 1;  // the label
  test::seal_checksum(disk.data() + kLuksCopy);
  expect("another label on the secondary", disk, "luks.subsystem");
}

TEST_CASE("luks_header: every cut of the first format leaves a disk that is formatted again") {
  const std::vector<uint8_t> whole = test::expand(seed("no_token"));
  // As libcryptsetup writes: header without checksum, JSON, header with checksum; then the same for the secondary.
  for (size_t written = 1; written <= kLuksHeaders / 512; ++written) {
    CAPTURE(written);
    std::vector<uint8_t> disk(kLuksHeaders);
    std::memcpy(disk.data(), whole.data(), written * 512);
    if (written * 512 < kLuksCopy) std::memset(disk.data() + test::kSumAt, 0, 64);
    auto header = read_luks_header(disk);
    REQUIRE(header.ok());
    CHECK(header->state == DiskState::fresh);
  }
}

TEST_CASE("luks_header: every cut of erasing a fresh disk leaves a fresh or a blank one") {
  const std::vector<uint8_t> whole = test::expand(seed("fresh"));
  const auto check = [](const std::vector<uint8_t>& disk) {
    auto header = read_luks_header(disk);
    REQUIRE(header.ok());
    CHECK(header->state != DiskState::sealed);
  };
  std::vector<uint8_t> disk = whole;
  for (size_t at : {kLuksCopy, kLuksBinary}) {
    for (size_t end = at == kLuksCopy ? kLuksHeaders : kLuksCopy; at < end; at += 512) {
      std::memset(disk.data() + at, 0, 512);
      check(disk);
    }
  }
  std::memset(disk.data(), 0, kLuksBinary);
  CHECK(read_luks_header(disk)->state == DiskState::blank);
}

TEST_CASE("luks_header: no single changed bit of a sealed disk makes it fresh or blank") {
  const std::vector<uint8_t> whole = test::expand(seed("sealed"));
  const size_t used = kLuksBinary + seed("sealed").size();
  for (size_t bit = 0; bit < used * 8; bit += 7) {
    std::vector<uint8_t> disk = whole;
    disk[bit / 8] = static_cast<uint8_t>(disk[bit / 8] ^ 1 << bit % 8);
    auto header = read_luks_header(disk);
    if (!header.ok()) continue;
    CHECK(header->state == DiskState::sealed);
  }
}

TEST_CASE("luks_header: what is not LUKS at all is foreign") {
  std::vector<uint8_t> disk(kLuksHeaders);
  disk[1080] = 0x53;
  disk[1081] = 0xef;
  expect("ext4", disk, "disk.foreign");
}

TEST_CASE("luks_header: tokens say what they are read as") {
  CHECK(luks_token(nullptr) == R"({"type":"cstl","keyslots":[],"state":"fresh"})");
  P256Point owner{};
  owner[0] = 4;
  CHECK(luks_token(&owner).find(R"("state":"sealed","owner_key":"0400)") != std::string::npos);
}

}  // namespace cstl
