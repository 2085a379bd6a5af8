#include <algorithm>

#include "attest/predict/uki.h"

namespace cstl {

namespace {
constexpr uint16_t kMachineX64 = 0x8664, kPe32Plus = 0x020b;
constexpr size_t kMaxSections = 96;
constexpr size_t kCertificateDirectory = 4;

Error malformed(const char* site) { return fail(Code::image_malformed, site); }

Result<PeSection> decode_section(Reader& table, Bytes file) {
  PeSection section;
  TRY_LET(Bytes name, table.bytes(8));
  TRY_LET(uint32_t virtual_size, table.u32le());
  TRY_LET(uint32_t virtual_address, table.u32le());
  (void)virtual_address;
  TRY_LET(uint32_t raw_size, table.u32le());
  TRY_LET(uint32_t raw_offset, table.u32le());
  TRY_LET(Bytes rest, table.bytes(16));
  (void)rest;
  section.name = name.text().substr(0, std::min(name.text().find('\0'), size_t{8}));
  if (raw_size > 0 && (raw_offset > file.size() || raw_size > file.size() - raw_offset)) return malformed("pe.section");
  section.raw_offset = raw_offset;
  section.raw_size = raw_size;
  if (virtual_size <= raw_size) section.contents = file.skip(raw_offset).first(virtual_size);
  return section;
}

Result<PeImage> decode_image(Bytes file) {
  PeImage image;
  image.file = file;
  Reader dos(file);
  TRY_LET(Bytes dos_head, dos.bytes(0x3c));
  TRY_LET(uint32_t pe_offset, dos.u32le());
  if (dos_head.first(2).text() != "MZ" || pe_offset >= file.size()) return malformed("pe.dos_header");

  Reader r(file.skip(pe_offset));
  TRY_LET(Bytes signature, r.bytes(4));
  if (signature.text() != std::string_view("PE\0\0", 4)) return malformed("pe.signature");
  TRY_LET(uint16_t machine, r.u16le());
  TRY_LET(uint16_t section_count, r.u16le());
  TRY_LET(Bytes symbols, r.bytes(12));
  (void)symbols;
  TRY_LET(uint16_t optional_size, r.u16le());
  TRY_LET(uint16_t characteristics, r.u16le());
  (void)characteristics;
  if (machine != kMachineX64) return malformed("pe.machine");
  if (section_count == 0 || section_count > kMaxSections) return malformed("pe.section_count");
  size_t optional_offset = file.size() - r.remaining();
  TRY_LET(Bytes optional, r.bytes(optional_size));

  Reader o(optional);
  TRY_LET(uint16_t magic, o.u16le());
  if (magic != kPe32Plus) return malformed("pe.magic");
  TRY_LET(Bytes before_headers, o.bytes(58));
  (void)before_headers;
  TRY_LET(uint32_t headers_size, o.u32le());
  TRY_LET(uint32_t checksum, o.u32le());
  (void)checksum;
  TRY_LET(Bytes before_count, o.bytes(40));
  (void)before_count;
  TRY_LET(uint32_t directories, o.u32le());
  if (directories > 16 || directories > o.remaining() / 8) return malformed("pe.directories");
  image.checksum = optional_offset + 64;
  if (directories > kCertificateDirectory) {
    size_t at = 112 + 8 * kCertificateDirectory;
    image.certificate_entry = optional_offset + at;
    Reader entry(optional.skip(at));
    TRY_LET(uint32_t table_offset, entry.u32le());
    (void)table_offset;
    TRY_LET(uint32_t table_size, entry.u32le());
    if (table_size > file.size()) return malformed("pe.certificates");
    image.certificate_size = table_size;
  }
  size_t fixed = optional_offset + optional_size + size_t{40} * section_count;
  if (headers_size > file.size() || headers_size < fixed) return malformed("pe.headers_size");
  image.headers_size = headers_size;

  for (size_t i = 0; i < section_count; ++i) {
    TRY_LET(PeSection section, decode_section(r, file));
    image.sections.push_back(section);
  }
  return image;
}
}  // namespace

Result<PeImage> PeImage::decode(Bytes file) {
  if (file.size() > kMaxUki) return fail(Code::too_long, "pe.size");
  Result<PeImage> image = decode_image(file);
  // An image that ends early is as malformed as any other.
  if (!image.ok() && image.code() == Code::truncated) return malformed("pe.truncated");
  return image;
}

Result<Digest> authenticode(const PeImage& image, HashKind kind) {
  std::vector<Bytes> parts;
  Bytes headers = image.file.first(image.headers_size);
  parts.push_back(headers.first(image.checksum));
  Bytes after = headers.skip(image.checksum + 4);
  if (image.certificate_entry != 0) {
    size_t gap = image.certificate_entry - (image.checksum + 4);
    parts.push_back(after.first(gap));
    after = after.skip(gap + 8);
  }
  parts.push_back(after);

  std::vector<const PeSection*> order;
  for (const PeSection& section : image.sections) {
    if (section.raw_size > 0) order.push_back(&section);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const PeSection* a, const PeSection* b) { return a->raw_offset < b->raw_offset; });
  size_t hashed = image.headers_size;
  for (const PeSection* section : order) {
    parts.push_back(image.file.skip(section->raw_offset).first(section->raw_size));
    hashed += section->raw_size;
  }
  // What follows the sections counts too, except for the certificates, which come last.
  size_t unsigned_size = image.file.size() - image.certificate_size;
  if (hashed > unsigned_size) return malformed("pe.overlap");
  parts.push_back(image.file.skip(hashed).first(unsigned_size - hashed));
  TRY_LET(Hash hash, Hash::create(kind));
  for (Bytes part : parts) TRY(hash.update(part));
  return hash.finish();
}

}  // namespace cstl
