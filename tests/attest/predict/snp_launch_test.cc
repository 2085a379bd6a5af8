// Known answers are those of sev-snp-measure (github.com/virtee/sev-snp-measure, tests/test_guest.py, and
// sev-snp-measure-go, guest/guest_test.go), an independent tool whose values agree with reports of real machines. They
// start from the digest after the firmware's pages, which it publishes too; the metadata are those of its firmware
// images.
#include "attest/predict/snp_launch.h"

#include <doctest/doctest.h>

#include "crypto/base/fd.h"

using namespace cstl;

namespace {
using Section = SevMetadata::Section;
using Buffer = std::vector<uint8_t>;

Digest48 digest(const char* hex) {
  Digest48 out{};
  REQUIRE(from_hex(hex, out).ok());
  return out;
}

SevMetadata amd_sev() {
  SevMetadata metadata;
  metadata.sections = {{0x800000, 0x9000, SevSection::memory},    {0x80a000, 0x3000, SevSection::memory},
                       {0x80d000, 0x1000, SevSection::secrets},   {0x80e000, 0x1000, SevSection::cpuid},
                       {0x80f000, 0x1000, SevSection::svsm_area}, {0x810000, 0x1000, SevSection::kernel_hashes},
                       {0x811000, 0xf000, SevSection::memory}};
  metadata.ap_reset = 0x80b004;
  metadata.hashes = 0x810c00;
  return metadata;
}

std::string rest_of_launch(const char* after_firmware, const SevMetadata& metadata, const SnpLaunch& launch) {
  LaunchDigest out(digest(after_firmware));
  REQUIRE(out.add_sections(metadata, launch).ok());
  REQUIRE(out.add_vcpus(metadata, launch).ok());
  return to_hex(out.value());
}

void put_le(Buffer* out, size_t at, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) (*out)[at + i] = static_cast<uint8_t>(value >> 8 * i);
}

void put_guid(Buffer* out, size_t at, const char* hex) {
  Guid guid{};
  REQUIRE(from_hex(hex, guid).ok());
  std::copy(guid.begin(), guid.end(), out->begin() + static_cast<std::ptrdiff_t>(at));
}

// Two pages: the second ends like OVMF's. Offsets of what tests change:
constexpr size_t kEnd = 2 * kPage;
constexpr size_t kFooter = kEnd - 50, kSevInfo = kFooter - 22, kHashTable = kSevInfo - 26, kMetadata = kHashTable - 22;
constexpr size_t kDescriptors = kEnd - 512;
Buffer made_up_firmware() {
  Buffer out(kEnd);
  for (size_t i = 0; i < kPage; ++i) out[i] = static_cast<uint8_t>(i * 7);
  put_le(&out, kFooter, 18 + 22 + 26 + 22, 2);
  put_guid(&out, kFooter + 2, "de82b596b21ff745baeaa366c55a082d");
  put_le(&out, kSevInfo, 0x80b004, 4);
  put_le(&out, kSevInfo + 4, 22, 2);
  put_guid(&out, kSevInfo + 6, "de71f7007e1acb4f890e68c77e2fb44e");
  put_le(&out, kHashTable, 0x810c00, 4);
  put_le(&out, kHashTable + 4, 0x400, 4);
  put_le(&out, kHashTable + 8, 26, 2);
  put_guid(&out, kHashTable + 10, "1f3755723b3a044b927b1da6efa8d454");
  put_le(&out, kMetadata, kEnd - kDescriptors, 4);
  put_le(&out, kMetadata + 4, 22, 2);
  put_guid(&out, kMetadata + 6, "666588dc4a989847a75e5585a7bf67cc");
  const SevMetadata metadata = amd_sev();
  put_le(&out, kDescriptors, 0x56455341, 4);
  put_le(&out, kDescriptors + 4, 16 + 12 * metadata.sections.size(), 4);
  put_le(&out, kDescriptors + 8, 1, 4);
  put_le(&out, kDescriptors + 12, metadata.sections.size(), 4);
  for (size_t i = 0; i < metadata.sections.size(); ++i) {
    const Section& section = metadata.sections[i];
    put_le(&out, kDescriptors + 16 + 12 * i, section.address, 4);
    put_le(&out, kDescriptors + 20 + 12 * i, section.size, 4);
    put_le(&out, kDescriptors + 24 + 12 * i, static_cast<uint32_t>(section.kind), 4);
  }
  return out;
}
}  // namespace

TEST_CASE("launch digests are what sev-snp-measure publishes") {
  constexpr const char* kAmdSev =
      "086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74";
  struct Row {
    const char* what;
    unsigned vcpus;
    uint64_t features;
    const char* cmdline;  // null: no kernel
    Hypervisor hypervisor;
    const char* expected;
  };
  const Row rows[] = {
      {"a kernel and an empty command line", 1, 0x1, "", Hypervisor::qemu,
       "ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3ac99fc4bfa04ba6e9fc98646d4a07a9079397fa3852819b5"},
      {"the same with debug swap", 1, 0x21, "", Hypervisor::qemu,
       "329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef198"},
      {"a command line", 1, 0x1, "console=ttyS0 loglevel=7", Hypervisor::qemu,
       "6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa"},
      {"a command line and debug swap", 1, 0x21, "console=ttyS0 loglevel=7", Hypervisor::qemu,
       "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977"},
      {"no kernel", 1, 0x1, nullptr, Hypervisor::qemu,
       "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d"},
      {"four processors", 4, 0x1, "", Hypervisor::qemu,
       "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5"},
      {"four processors with debug swap", 4, 0x21, "", Hypervisor::qemu,
       "4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631942"},
      {"EC2", 1, 0x1, "", Hypervisor::ec2,
       "7d3756157c805bf6adf617064c8552e8c1688fa1c8756f11cbf56ba5d25c9270fb69c0505c1cbe1c5c66c0e34c6ed3be"},
      {"EC2 with debug swap", 1, 0x21, "", Hypervisor::ec2,
       "6ae80856486b1396af8c82a40351d6ed76a20c785e9c7fa4ffa27c22d5d6313b4b3b458cd3c9968e6f89fb5d8450d7a6"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    auto kernel = KernelHashes::of({}, {}, row.cmdline != nullptr ? row.cmdline : "");
    REQUIRE(kernel.ok());
    SnpLaunch launch;
    launch.vcpus = row.vcpus;
    launch.vcpu_signature = *vcpu_signature("EPYC-v4");
    launch.features = row.features;
    launch.hypervisor = row.hypervisor;
    launch.kernel = row.cmdline != nullptr ? &*kernel : nullptr;
    CHECK(rest_of_launch(kAmdSev, amd_sev(), launch) == row.expected);
  }

  // Two processors of EC2, with an image that EC2 runs.
  SevMetadata ec2;
  ec2.sections = {{0x800000, 0x9000, SevSection::memory}, {0x80a000, 0x3000, SevSection::memory},
                  {0x80d000, 0x1000, SevSection::secrets}, {0x80e000, 0x1000, SevSection::cpuid},
                  {0x80f000, 0x11000, SevSection::memory}};
  ec2.ap_reset = 0x80b004;
  SnpLaunch launch;
  launch.vcpus = 2;
  launch.hypervisor = Hypervisor::ec2;
  CHECK(
      rest_of_launch("a58211791a556a630a4319dc9e2ea96cc0e9784dd9f20a4fadf81b26c98d163fcdcb6703884bbbb80d7b1de45b3d84d0",
                     ec2, launch) ==
      "4c6e33087d08fa770259484dddbef367086a15c3e2cf10038dc97229d39c942671c2e22b300178f8de594a3f2fa59303");
  CHECK(
      rest_of_launch("2027a27bb9f7acfd280e4c7bd68a73973b94bf0756e5b282e004b9395f597b8d0eb4defa7d8f6549375aa4d2b146f0f3",
                     ec2, launch) ==
      "c2c84b9364fc9f0f54b04534768c860c6e0e386ad98b96e8b98eca46ac8971d05c531ba48373f054c880cfd1f4a0a84e");
}

// 56860, 8.17: DIGEST_NEW = SHA-384(DIGEST_CUR ‖ CONTENTS ‖ LENGTH ‖ PAGE_TYPE ‖ IMI_PAGE ‖ VMPL permissions ‖ GPA).
TEST_CASE("the firmware's pages are chained as the standard's equation has it") {
  Buffer firmware = made_up_firmware();
  Digest48 expected{};
  for (uint64_t page = 0; page < 2; ++page) {
    Buffer info(16);
    put_le(&info, 0, 0x70, 2);
    info[2] = 1;
    put_le(&info, 8, 0x100000000 - 2 * kPage + page * kPage, 8);
    Digest48 contents = *sha384({Bytes(firmware).skip(page * kPage).first(kPage)});
    expected = *sha384({expected, contents, info});
  }
  LaunchDigest seen;
  REQUIRE(seen.add_firmware(firmware).ok());
  CHECK(seen.value() == expected);

  SnpLaunch launch;
  launch.firmware = firmware;
  launch.vcpus = 3;
  launch.vcpu_signature = *vcpu_signature("EPYC-Milan");
  LaunchDigest whole(expected);
  REQUIRE(whole.add_sections(amd_sev(), launch).ok());
  REQUIRE(whole.add_vcpus(amd_sev(), launch).ok());
  CHECK(*predict_snp_launch(launch) == whole.value());
}

TEST_CASE("whatever changes about a launch changes its digest") {
  Buffer firmware = made_up_firmware(), other = firmware;
  other[5] ^= 1;
  KernelHashes one = *KernelHashes::of("kernel", "initrd", "cmdline");
  KernelHashes kernel = *KernelHashes::of("kernel2", "initrd", "cmdline");
  KernelHashes initrd = *KernelHashes::of("kernel", {}, "cmdline");
  KernelHashes cmdline = *KernelHashes::of("kernel", "initrd", "");
  SnpLaunch base;
  base.firmware = firmware;
  base.kernel = &one;
  std::vector<SnpLaunch> launches(8, base);
  launches[1].firmware = other;
  launches[2].kernel = &kernel;
  launches[3].kernel = &initrd;
  launches[4].kernel = &cmdline;
  launches[5].kernel = nullptr;
  launches[6].vcpus = 2;
  launches[7].vcpu_signature = 1;
  std::vector<Digest48> seen;
  for (const SnpLaunch& launch : launches) {
    auto value = predict_snp_launch(launch);
    REQUIRE(value.ok());
    for (const Digest48& before : seen) CHECK(before != *value);
    seen.push_back(*value);
  }
  base.vcpus = 0;
  CHECK(predict_snp_launch(base).code() == Code::bad_value);
  base.vcpus = kMaxVcpus + 1;
  CHECK(predict_snp_launch(base).code() == Code::bad_value);
}

TEST_CASE("processor models have the signatures of QEMU's definitions") {
  CHECK(*vcpu_signature("EPYC") == 0x00800f12);
  CHECK(*vcpu_signature("EPYC-Rome-v2") == 0x00830f10);
  CHECK(*vcpu_signature("EPYC-Milan-v1") == 0x00a00f11);
  CHECK(*vcpu_signature("EPYC-Genoa") == 0x00a10f10);
  for (const char* bad : {"", "EPYC-", "EPYC-v", "EPYC-v0", "EPYC-v10", "epyc", "Skylake-Server", "EPYC-Milan-v1-v1"})
    CHECK(vcpu_signature(bad).code() == Code::bad_value);
}

TEST_CASE("the metadata of OVMF are read, and each malformed one is refused") {
  Buffer firmware = made_up_firmware();
  auto metadata = SevMetadata::parse(firmware);
  REQUIRE(metadata.ok());
  CHECK(metadata->ap_reset == 0x80b004);
  CHECK(metadata->hashes == 0x810c00);
  REQUIRE(metadata->sections.size() == 7);
  CHECK(metadata->sections[5].kind == SevSection::kernel_hashes);
  CHECK(metadata->sections[6].size == 0xf000);

  struct Row {
    const char* what;
    size_t at;
    uint64_t value;
    size_t size;
  };
  const Row rows[] = {
      {"no footer", kFooter + 2, 0, 8},
      {"a table over the image", kFooter, 0xffff, 2},
      {"a table without place for its footer", kFooter, 17, 2},
      {"an entry over the table", kSevInfo + 4, 0x100, 2},
      {"an entry without place for its GUID", kSevInfo + 4, 17, 2},
      {"no SEV information", kSevInfo + 6, 0, 8},
      {"no SEV metadata", kMetadata + 6, 0, 8},
      {"metadata before the image", kMetadata, kEnd + 1, 4},
      {"metadata at the end", kMetadata, 15, 4},
      {"another signature", kDescriptors, 0, 4},
      {"another version", kDescriptors + 8, 2, 4},
      {"no sections", kDescriptors + 12, 0, 4},
      {"more sections than the length has", kDescriptors + 12, 8, 4},
      {"an address inside a page", kDescriptors + 16, 0x800001, 4},
      {"an empty section", kDescriptors + 20, 0, 4},
      {"half a page", kDescriptors + 20, 0x800, 4},
      {"too much memory", kDescriptors + 20, 0x20000000, 4},
      {"over the end of the address space", kDescriptors + 16, 0xfffff000, 4},
      {"an unknown kind", kDescriptors + 24, 5, 4},
      {"two pages of secrets", kDescriptors + 20 + 24, 0x2000, 4},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    Buffer bad = firmware;
    put_le(&bad, row.at, row.value, row.size);
    CHECK(SevMetadata::parse(bad).code() == Code::snp_firmware_malformed);
  }
  for (size_t size : {size_t{0}, size_t{1}, kEnd - 1}) {
    CHECK(SevMetadata::parse(Bytes(firmware).first(size)).code() == Code::snp_firmware_malformed);
  }
  CHECK(SevMetadata::parse(Bytes(firmware).first(kPage)).code() == Code::snp_firmware_malformed);

  // A kernel needs a page for its hashes.
  KernelHashes kernel = *KernelHashes::of("kernel", {}, "");
  SnpLaunch launch;
  launch.kernel = &kernel;
  for (size_t where : {kHashTable, kDescriptors + 24 + 60}) {
    Buffer none = firmware;
    put_le(&none, where, where == kHashTable ? 0 : 2, 4);
    launch.firmware = none;
    CHECK(predict_snp_launch(launch).code() == Code::snp_firmware_malformed);
  }
  Buffer late = firmware;
  put_le(&late, kHashTable, 0x810fff, 4);
  launch.firmware = late;
  CHECK(predict_snp_launch(launch).code() == Code::snp_firmware_malformed);
}

TEST_CASE("Debian's OVMF has SEV metadata, and takes no kernel hashes") {
  const char* image = std::getenv("CSTL_IMAGE");
  REQUIRE_MESSAGE(image != nullptr, "set CSTL_IMAGE to what tools/deps/image.sh --print-prefix prints");
  auto firmware = read_file((std::string(image) + "/usr/share/ovmf/OVMF.fd").c_str(), kMaxFirmware);
  REQUIRE(firmware.ok());
  auto metadata = SevMetadata::parse(*firmware);
  REQUIRE(metadata.ok());
  CHECK(metadata->ap_reset == 0x80b004);
  CHECK(metadata->hashes == 0);
  CHECK(metadata->sections.size() == 6);
  SnpLaunch launch;
  launch.firmware = *firmware;
  CHECK(predict_snp_launch(launch).ok());
}
