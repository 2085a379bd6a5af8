// Makes the seeds of fuzz/corpus/snp_* with the made-up AMD of tests/harness/snp_platform.h:
//   make_snp_seeds FOLDER   writes FOLDER/snp_report/… and the like
// fuzz/corpus/ovmf is made by hand-written code here too: the end of an image that says what EDK2's AmdSevX64 says.
#include <cstdio>

#include "attest/snp/collateral.h"
#include "crypto/base/fd.h"
#include "tests/harness/snp_platform.h"

using namespace cstl;
using namespace cstl::snp;
using namespace cstl::test;

namespace {
void write(const std::string& folder, const char* target, const std::string& name, Bytes bytes) {
  std::string path = folder + "/" + target;
  if (!make_folders(path, 0755).ok() || !write_file_durably((path + "/" + name).c_str(), bytes, 0644).ok()) {
    std::fprintf(stderr, "cannot write %s\n", path.c_str());
    std::exit(1);
  }
}

void put(Der* out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out->push_back(static_cast<uint8_t>(value >> 8 * i));
}

void put_hex(Der* out, const char* hex) {
  Der bytes(16);
  if (from_hex(hex, bytes).ok()) out->insert(out->end(), bytes.begin(), bytes.end());
}

Der with_kind(uint8_t kind, const Der& body) {
  Der out{kind};
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

// Entries, then the certificates that they point to.
Der table_of(const SnpChip& chip, bool vlek) {
  const char* guids[] = {vlek ? "a8074bc2a25a483eaae639c045a0b8a1" : "63da758de6644564adc5f4b93be8accd",
                         "4ab7b379bbac4fe4a02f05aef327c782", "c0b406a4a803495297433fb6014cd0ae"};
  Der table, body;
  for (size_t i = 0; i < 3; ++i) {
    put_hex(&table, guids[i]);
    put(&table, 24 * 4 + body.size(), 4);
    put(&table, 40, 4);
    body.insert(body.end(), 40, static_cast<uint8_t>(chip.certificates()[i][i + 4]));
  }
  table.insert(table.end(), 24, 0);
  table.insert(table.end(), body.begin(), body.end());
  return table;
}

Der firmware_end(bool kernel) {
  Der out;
  const uint32_t sections[][3] = {{0x800000, 0x9000, 1}, {0x80a000, 0x3000, 1}, {0x80d000, 0x1000, 2},
                                  {0x80e000, 0x1000, 3}, {0x80f000, 0x1000, 4}, {0x810000, 0x1000, kernel ? 16u : 1u},
                                  {0x811000, 0xf000, 1}};
  put(&out, 0x56455341, 4);
  put(&out, 16 + 7 * 12, 4);
  put(&out, 1, 4);
  put(&out, 7, 4);
  for (const auto& section : sections) {
    for (uint32_t value : section) put(&out, value, 4);
  }
  size_t before = out.size() + 22 + 26 + 22 + 18 + 32;
  put(&out, before, 4);
  put(&out, 22, 2);
  put_hex(&out, "666588dc4a989847a75e5585a7bf67cc");
  put(&out, kernel ? 0x810c00 : 0, 4);
  put(&out, kernel ? 0x400 : 0, 4);
  put(&out, 26, 2);
  put_hex(&out, "1f3755723b3a044b927b1da6efa8d454");
  put(&out, 0x80b004, 4);
  put(&out, 22, 2);
  put_hex(&out, "de71f7007e1acb4f890e68c77e2fb44e");
  put(&out, 22 + 26 + 22 + 18, 2);
  put_hex(&out, "de82b596b21ff745baeaa366c55a082d");
  out.insert(out.end(), 32, 0x90);
  return out;
}
}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  const std::string folder = words[1];
  for (Product product : {Product::milan, Product::genoa, Product::turin}) {
    for (Signer signer : {Signer::vcek, Signer::vlek}) {
      SnpChip chip(product, signer);
      Report report = chip.report();
      std::string name = std::string(product_name(product)) + "-" + signer_name(signer);
      report.version = product == Product::milan ? 2 : product == Product::genoa ? 3 : signer == Signer::vcek ? 5 : 9;
      write(folder, "snp_report", name, chip.sign(report));
      write(folder, "snp_certificate", name, chip.certificates()[0]);
      if (product == Product::turin)
        write(folder, "snp_collateral", "table-" + name, with_kind(1, table_of(chip, signer == Signer::vlek)));
    }
  }
  Der crl{1, 2, 3, 4}, space(64);
  auto both = Collateral{Bytes(crl), Bytes(crl)}.encode(space);
  if (!both.ok()) return 1;
  write(folder, "snp_collateral", "stapled", with_kind(0, both->copy()));
  write(folder, "snp_collateral", "list", with_kind(2, certificate_items({crl, Der{5}, Der{6, 7}})));
  write(folder, "ovmf", "kernel-hashes", firmware_end(true));
  write(folder, "ovmf", "disk", firmware_end(false));
  return 0;
}
