#include "attest/predict/uki.h"

namespace cstl {

namespace {
constexpr std::string_view kBootAction = "Calling EFI Application from Boot Option";
constexpr std::string_view kStubMagic = "#### LoaderInfo: systemd-stub 257";

struct StubSection {
  const char* name;
  const char* component;
  bool supported;
};
// What systemd-stub 257 takes for its own, in the order in which it measures. .pcrsig it leaves out.
constexpr StubSection kSections[] = {
    {".linux", "kernel", true},         {".osrel", "os-release", true},   {".cmdline", "kernel command line", true},
    {".initrd", "initrd", true},        {".ucode", "microcode", true},    {".splash", "splash image", true},
    {".dtb", "device tree", false},     {".uname", "kernel release", true}, {".sbat", "SBAT", true},
    {".pcrsig", "PCR signature", true}, {".pcrpkey", "PCR key", true},    {".profile", "profile", false},
    {".dtbauto", "device tree", false}, {".hwids", "hardware ids", false}, {".efifw", "firmware", false},
};
constexpr std::string_view kUnmeasured = ".pcrsig";

// Folds events into a PCR value.
struct Measured {
  PcrReference pcr;
  Digest32 value{};

  Measured(uint8_t index, const char* component) {
    pcr.index = index;
    pcr.component = component;
  }
  Status add(const Digest32& digest, std::string component) {
    TRY_LET(value, sha256({value, digest}));
    pcr.events.push_back({digest, std::move(component)});
    return success();
  }
  PcrReference finish() {
    pcr.expected = {value};
    return std::move(pcr);
  }
};

struct Uki {
  PeImage image;
  Bytes sections[std::size(kSections)];
  Bytes find(std::string_view name) const {
    for (size_t i = 0; i < std::size(kSections); ++i) {
      if (name == kSections[i].name) return sections[i];
    }
    return Bytes();
  }
};

Result<Uki> decode_uki(Bytes file) {
  Uki uki;
  TRY_LET(uki.image, PeImage::decode(file));
  bool is_stub = false, stub_known = false;
  for (const PeSection& section : uki.image.sections) {
    if (section.name == ".sdmagic") {
      is_stub = true;
      stub_known = section.contents.first(kStubMagic.size()).text() == kStubMagic;
    }
    for (size_t i = 0; i < std::size(kSections); ++i) {
      if (section.name != kSections[i].name) continue;
      if (!kSections[i].supported) return fail(Code::unsupported, "uki.section");
      // One name, one section, wholly in the file: else it is not clear what the stub would take.
      if (!uki.sections[i].empty() || section.contents.empty()) return fail(Code::image_malformed, "uki.section");
      uki.sections[i] = section.contents;
    }
  }
  if (!is_stub) return fail(Code::image_malformed, "uki.no_stub");
  if (!stub_known) return fail(Code::unsupported, "uki.stub_version");
  // Without its own command line or initrd the image would take one from whoever starts it.
  for (const char* name : {".linux", ".cmdline", ".initrd"}) {
    if (uki.find(name).empty()) return fail(Code::image_malformed, "uki.section_missing");
  }
  return uki;
}

// What the stub passes on: without white space around it.
Result<std::vector<uint8_t>> command_line_utf16(Bytes section) {
  std::string_view text = section.text();
  while (!text.empty() && static_cast<uint8_t>(text.front()) <= 0x20) text.remove_prefix(1);
  while (!text.empty() && static_cast<uint8_t>(text.back()) <= 0x20) text.remove_suffix(1);
  std::vector<uint8_t> out;
  out.reserve(2 * text.size() + 2);
  for (char c : text) {
    if (c < 0x20 || c > 0x7e) return fail(Code::unsupported, "uki.cmdline");
    out.push_back(static_cast<uint8_t>(c));
    out.push_back(0);
  }
  out.push_back(0);
  out.push_back(0);
  return out;
}

// A member of a "newc" cpio archive (Linux, initramfs buffer format), padded to 4.
void add_member(std::string& out, unsigned inode, unsigned mode, std::string_view path, Bytes data) {
  constexpr char kDigits[] = "0123456789abcdef";
  bool trailer = inode == 0;
  out += "070701";
  for (size_t field : {size_t{inode}, size_t{mode}, size_t{0}, size_t{0}, size_t{1}, size_t{0}, data.size(), size_t{0},
                       size_t{0}, size_t{0}, size_t{0}, path.size() + 1, size_t{0}}) {
    for (int shift = 28; shift >= 0; shift -= 4) {
      char digit = kDigits[field >> shift & 15];
      // systemd-stub writes its trailer, a constant, in upper case.
      out += trailer && digit >= 'a' ? static_cast<char>(digit - 'a' + 'A') : digit;
    }
  }
  out += path;
  out += '\0';
  out.resize((out.size() + 3) / 4 * 4);
  out += data.text();
  out.resize((out.size() + 3) / 4 * 4);
}

// The archive in which systemd-stub hands one section over to userspace, as /.extra/<file>.
std::string extra_archive(std::string_view file, Bytes section) {
  if (section.empty()) return {};
  std::string out;
  add_member(out, 1, 0040555, ".extra", Bytes());
  add_member(out, 2, 0100444, std::string(".extra/") += file, section);
  add_member(out, 0, 0, "TRAILER!!!", Bytes());
  return out;
}

// The one initrd that the stub makes of the image's and its own, each part padded to 4.
Result<Digest> initrd_digest(const Uki& uki, HashKind kind) {
  std::string extra = extra_archive("tpm2-pcr-signature.json", uki.find(".pcrsig")) +
                      extra_archive("tpm2-pcr-public-key.pem", uki.find(".pcrpkey")) +
                      extra_archive("os-release", uki.find(".osrel"));
  constexpr std::array<uint8_t, 4> kZeros{};
  auto padding = [&](Bytes part) { return Bytes(kZeros).first((4 - part.size() % 4) % 4); };
  Bytes microcode = uki.find(".ucode"), initrd = uki.find(".initrd");
  return Hash::of(kind, {microcode, padding(microcode), initrd, padding(initrd), extra});
}

Result<std::vector<StubEvent>> events_of(const Uki& uki, HashKind kind) {
  std::vector<StubEvent> out;
  auto add = [&](uint8_t pcr, Result<Digest> digest, std::string component) -> Status {
    TRY_LET(Digest value, std::move(digest));
    out.push_back({pcr, value, std::move(component)});
    return success();
  };
  for (size_t i = 0; i < std::size(kSections); ++i) {
    if (uki.sections[i].empty() || kSections[i].name == kUnmeasured) continue;
    Bytes name = std::string_view(kSections[i].name);
    TRY(add(11, Hash::of(kind, {name, std::array<uint8_t, 1>{}}), std::string("section ") + kSections[i].name));
    TRY(add(11, Hash::of(kind, {uki.sections[i]}), kSections[i].component));
  }
  TRY_LET(std::vector<uint8_t> command_line, command_line_utf16(uki.find(".cmdline")));
  TRY(add(9, Hash::of(kind, {command_line}), "kernel command line"));
  TRY(add(9, initrd_digest(uki, kind), "initrd"));
  return out;
}

Result<StartedImages> started(const Uki& uki, HashKind kind) {
  StartedImages out;
  TRY_LET(out.uki, authenticode(uki.image, kind));
  TRY_LET(PeImage kernel, PeImage::decode(uki.find(".linux")));
  TRY_LET(out.kernel, authenticode(kernel, kind));
  return out;
}

Digest32 as_digest32(const Digest& digest) {
  Digest32 out{};
  std::memcpy(out.data(), Bytes(digest).data(), out.size());
  return out;
}
}  // namespace

Result<StartedImages> predict_started_images(Bytes file, HashKind kind) {
  TRY_LET(Uki uki, decode_uki(file));
  return started(uki, kind);
}

Result<std::vector<StubEvent>> predict_stub_events(Bytes file, HashKind kind) {
  TRY_LET(Uki uki, decode_uki(file));
  return events_of(uki, kind);
}

Result<std::vector<PcrReference>> predict_pcrs(Bytes file) {
  TRY_LET(Uki uki, decode_uki(file));

  Measured pcr4(4, "unified kernel image");
  TRY_LET(Digest32 action, sha256({kBootAction}));
  TRY(pcr4.add(action, "boot attempt"));
  TRY_LET(Digest32 separator, sha256({std::array<uint8_t, 4>{}}));
  TRY(pcr4.add(separator, "separator"));
  TRY_LET(StartedImages images, started(uki, HashKind::sha256));
  TRY(pcr4.add(as_digest32(images.uki), "unified kernel image"));
  TRY(pcr4.add(as_digest32(images.kernel), "kernel"));

  Measured pcr9(9, "kernel command line and initrd");
  Measured pcr11(11, "sections of the unified kernel image");
  TRY_LET(std::vector<StubEvent> events, events_of(uki, HashKind::sha256));
  for (StubEvent& event : events) {
    TRY((event.pcr == 9 ? pcr9 : pcr11).add(as_digest32(event.digest), std::move(event.component)));
  }

  Measured pcr12(12, "command line override, credentials or addons");
  std::vector<PcrReference> out;
  for (Measured* measured : {&pcr4, &pcr9, &pcr11, &pcr12}) out.push_back(measured->finish());
  return out;
}

Result<std::vector<NitroPcr>> predict_nitro_pcrs(Bytes file) {
  TRY_LET(Uki uki, decode_uki(file));
  TRY_LET(StartedImages images, started(uki, HashKind::sha384));
  TRY_LET(Digest action, Hash::of(HashKind::sha384, {kBootAction}));
  TRY_LET(Digest separator, Hash::of(HashKind::sha384, {std::array<uint8_t, 4>{}}));
  std::vector<StubEvent> all = {{4, action, {}}, {4, separator, {}}, {4, images.uki, {}}, {4, images.kernel, {}}};
  TRY_LET(std::vector<StubEvent> stub, events_of(uki, HashKind::sha384));
  for (StubEvent& event : stub) all.push_back(std::move(event));
  std::vector<NitroPcr> out;
  for (uint8_t index : std::array<uint8_t, 4>{4, 9, 11, 12}) {
    Digest48 value{};
    for (const StubEvent& event : all) {
      if (event.pcr != index) continue;
      TRY_LET(value, sha384({value, event.digest}));
    }
    out.push_back({index, {value}});
  }
  return out;
}

}  // namespace cstl
