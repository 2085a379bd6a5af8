#include "attest/predict/snp_launch.h"

namespace cstl {

namespace {
// PAGE_TYPE of SNP_LAUNCH_UPDATE.
constexpr uint8_t kNormal = 1, kVmsa = 2, kZero = 3, kSecrets = 5, kCpuid = 6;
constexpr size_t kPageInfo = 0x70;
constexpr uint64_t kFourGiB = uint64_t{1} << 32;
constexpr uint64_t kVmsaAddress = 0xfffffffff000;  // the RMP's: all bits below 48, page-aligned
constexpr uint32_t kBootReset = 0xfffffff0;

constexpr Guid kTable{0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c, 0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
constexpr Guid kKernel{0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42, 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};
constexpr Guid kInitrd{0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b, 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
constexpr Guid kCmdline{0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c, 0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
constexpr uint16_t kHashEntry = 16 + 2 + 32;
constexpr uint16_t kHashTableSize = 16 + 2 + 3 * kHashEntry;

using Page = std::array<uint8_t, kPage>;

void put(Page* page, size_t at, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) (*page)[at + i] = static_cast<uint8_t>(value >> 8 * i);
}

void put_segment(Page* page, size_t at, uint16_t selector, uint16_t attributes, uint64_t base) {
  put(page, at, selector, 2);
  put(page, at + 2, attributes, 2);
  put(page, at + 4, 0xffff, 4);
  put(page, at + 8, base, 8);
}

// What differs between hypervisors in a processor's first state.
struct FirstState {
  uint16_t cs, ss, tr;   // attributes
  uint32_t rdx, mxcsr;
  uint16_t fcw;
};

FirstState first_state(const SnpLaunch& launch, bool first) {
  if (launch.hypervisor == Hypervisor::ec2) return {static_cast<uint16_t>(first ? 0x9a : 0x9b), 0x92, 0x83, 0, 0, 0};
  return {0x9b, 0x93, 0x8b, launch.vcpu_signature, 0x1f80, 0x37f};
}

// Offsets of AMD64 APM volume 2, table B-4.
Page make_vmsa(const SnpLaunch& launch, uint32_t start, bool first) {
  const FirstState state = first_state(launch, first);
  Page page{};
  for (size_t at : {0x00, 0x30, 0x40, 0x50}) put_segment(&page, at, 0, 0x93, 0);  // ES, DS, FS, GS
  put_segment(&page, 0x10, 0xf000, state.cs, start & 0xffff0000);
  put_segment(&page, 0x20, 0, state.ss, 0);
  put_segment(&page, 0x60, 0, 0, 0);              // GDTR
  put_segment(&page, 0x70, 0, 0x82, 0);           // LDTR
  put_segment(&page, 0x80, 0, 0, 0);              // IDTR
  put_segment(&page, 0x90, 0, state.tr, 0);
  put(&page, 0x0d0, 0x1000, 8);                   // EFER.SVME
  put(&page, 0x148, 0x40, 8);                     // CR4.MCE
  put(&page, 0x158, 0x10, 8);                     // CR0.ET
  put(&page, 0x160, 0x400, 8);                    // DR7
  put(&page, 0x168, 0xffff0ff0, 8);               // DR6
  put(&page, 0x170, 0x2, 8);                      // RFLAGS
  put(&page, 0x178, start & 0xffff, 8);           // RIP
  put(&page, 0x268, 0x0007040600070406, 8);       // G_PAT
  put(&page, 0x310, state.rdx, 8);                // RDX: the CPU's signature after reset
  put(&page, 0x3b0, launch.features, 8);          // SEV_FEATURES
  put(&page, 0x3e8, 0x1, 8);                      // XCR0
  put(&page, 0x408, state.mxcsr, 4);
  put(&page, 0x410, state.fcw, 2);
  return page;
}

// As QEMU lays it out (target/i386/sev.c, "SevHashTable"): command line, initrd, kernel, padded to 16 bytes.
Page make_hash_page(const KernelHashes& hashes, size_t at) {
  Page page{};
  auto bytes = [&](Bytes value) {
    std::memcpy(page.data() + at, value.data(), value.size());
    at += value.size();
  };
  auto length = [&](uint16_t value) {
    put(&page, at, value, 2);
    at += 2;
  };
  bytes(kTable);
  length(kHashTableSize);
  struct Row {
    const Guid& guid;
    const Digest32& digest;
  };
  for (const Row& row : {Row{kCmdline, hashes.cmdline}, Row{kInitrd, hashes.initrd}, Row{kKernel, hashes.kernel}}) {
    bytes(row.guid);
    length(kHashEntry);
    bytes(row.digest);
  }
  return page;
}

bool has_hash_page(const SevMetadata& metadata) {
  for (const SevMetadata::Section& section : metadata.sections) {
    if (section.kind != SevSection::kernel_hashes) continue;
    uint32_t in_page = metadata.hashes - section.address;  // wraps far over a page when it is before
    return metadata.hashes >= section.address && in_page <= kPage - kHashTableSize;
  }
  return false;
}
}  // namespace

Result<KernelHashes> KernelHashes::of(Bytes kernel, Bytes initrd, std::string_view cmdline) {
  const uint8_t nul[] = {0};
  KernelHashes out;
  TRY_LET(out.kernel, sha256({kernel}));
  TRY_LET(out.initrd, sha256({initrd}));
  TRY_LET(out.cmdline, sha256({cmdline, Bytes(nul, 1)}));
  return out;
}

Result<uint32_t> vcpu_signature(std::string_view model) {
  // Family, model, stepping of QEMU's builtin_x86_defs (target/i386/cpu.c); versions of a model keep them.
  struct Row {
    std::string_view name;
    uint32_t signature;
  };
  constexpr Row kRows[] = {{"EPYC", 0x00800f12},       {"EPYC-IBPB", 0x00800f12},  {"EPYC-Rome", 0x00830f10},
                           {"EPYC-Milan", 0x00a00f11}, {"EPYC-Genoa", 0x00a10f10}, {"EPYC-Turin", 0x00b00f00}};
  std::string_view name = model;
  size_t version = name.rfind("-v");
  if (version != std::string_view::npos && name.size() - version == 3 && name.back() >= '1' && name.back() <= '9')
    name = name.substr(0, version);
  for (const Row& row : kRows) {
    if (row.name == name) return row.signature;
  }
  return fail(Code::bad_value, "launch.vcpu_model");
}

Status LaunchDigest::add_page(uint8_t kind, uint64_t address, const Digest48& contents) {
  std::array<uint8_t, kPageInfo - 96> rest{};  // length, kind, IMI_PAGE, VMPL permissions, reserved, address
  rest[0] = kPageInfo;
  rest[2] = kind;
  for (size_t i = 0; i < 8; ++i) rest[8 + i] = static_cast<uint8_t>(address >> 8 * i);
  TRY_LET(digest_, sha384({digest_, contents, rest}));
  return success();
}

Status LaunchDigest::add_contents(uint8_t kind, uint64_t address, Bytes page) {
  TRY_LET(Digest48 contents, sha384({page}));
  return add_page(kind, address, contents);
}

Status LaunchDigest::add_firmware(Bytes firmware) {
  if (firmware.size() > kMaxFirmware || firmware.size() % kPage != 0)
    return fail(Code::snp_firmware_malformed, "launch.firmware");
  uint64_t address = kFourGiB - firmware.size();
  for (; !firmware.empty(); firmware = firmware.skip(kPage), address += kPage)
    TRY(add_contents(kNormal, address, firmware.first(kPage)));
  return success();
}

Status LaunchDigest::add_section(const SevMetadata::Section& section, const SevMetadata& metadata,
                                 const SnpLaunch& launch) {
  switch (section.kind) {
    case SevSection::secrets: return add_page(kSecrets, section.address, {});
    case SevSection::cpuid: return add_page(kCpuid, section.address, {});
    case SevSection::kernel_hashes:
      if (launch.kernel != nullptr)
        return add_contents(kNormal, section.address,
                            make_hash_page(*launch.kernel, metadata.hashes - section.address));
      break;
    case SevSection::memory:
    case SevSection::svsm_area: break;
  }
  for (uint32_t done = 0; done < section.size; done += kPage)
    TRY(add_page(kZero, uint64_t{section.address} + done, {}));
  return success();
}

Status LaunchDigest::add_sections(const SevMetadata& metadata, const SnpLaunch& launch) {
  if (launch.kernel != nullptr && !has_hash_page(metadata))
    return fail(Code::snp_firmware_malformed, "launch.no_place_for_kernel_hashes");
  const bool ec2 = launch.hypervisor == Hypervisor::ec2;
  for (const SevMetadata::Section& section : metadata.sections) {
    if (!ec2 || section.kind != SevSection::cpuid) TRY(add_section(section, metadata, launch));
  }
  for (const SevMetadata::Section& section : metadata.sections) {
    if (ec2 && section.kind == SevSection::cpuid) TRY(add_section(section, metadata, launch));
  }
  return success();
}

Status LaunchDigest::add_vcpus(const SevMetadata& metadata, const SnpLaunch& launch) {
  if (launch.vcpus == 0 || launch.vcpus > kMaxVcpus) return fail(Code::bad_value, "launch.vcpus");
  TRY(add_contents(kVmsa, kVmsaAddress, make_vmsa(launch, kBootReset, true)));
  if (launch.vcpus == 1) return success();
  TRY_LET(Digest48 others, sha384({make_vmsa(launch, metadata.ap_reset, false)}));
  for (unsigned i = 1; i < launch.vcpus; ++i) TRY(add_page(kVmsa, kVmsaAddress, others));
  return success();
}

Result<Digest48> predict_snp_launch(const SnpLaunch& launch) {
  TRY_LET(SevMetadata metadata, SevMetadata::parse(launch.firmware));
  LaunchDigest digest;
  TRY(digest.add_firmware(launch.firmware));
  TRY(digest.add_sections(metadata, launch));
  TRY(digest.add_vcpus(metadata, launch));
  return digest.value();
}

}  // namespace cstl
