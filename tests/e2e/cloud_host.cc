// The clouds around a test's virtual machines (tests/e2e/variants_test.sh): one machine of each variant as
// tests/attest/platform/machine.h makes it, of which one at a time is the machine that runs. Serves its metadata
// service and its processor's reports, fills its TPM's NV, and tells the lies of tests/attest/platform/lies.h that a
// platform can.
//   cloud_host FOLDER METADATA-ADDRESS METADATA-PORT REPORTS-PORT VARIANT…
// Writes FOLDER/VARIANT.json, a set of reference values for each, whose PCRs are still to be measured, and
// FOLDER/collateral for an image. Then answers commands, a line each, with `done WORDS` or `failed WORDS`:
//   machine VARIANT     that one, and what is true
//   lie NAME            tells it; the answer names error and claim
//   tpm TARGET          fills the TPM's NV accordingly, and copies its state to the folder TARGET
// Ends with standard input. Needs root for none of it but the metadata service's port.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>

#include "crypto/base/fd.h"
#include "tests/attest/platform/lies.h"
#include "tests/harness/report_relay.h"

namespace cstl::test {
namespace {

constexpr auto kReplace = std::filesystem::copy_options::overwrite_existing;

class Host {
 public:
  Host(std::string folder, const std::vector<Variant>& variants) : folder_(std::move(folder)) {
    // Each has a TPM of its own: to a cluster they are different machines.
    for (Variant variant : variants) {
      machines_[variant] = std::make_unique<CloudMachine>(variant, CloudFacts{}, false, true);
    }
    for (auto& [variant, machine] : machines_) {
      ReferenceValues values;
      // No hypervisor answers a software TPM's vendor command, so the machine has no document to show.
      if (ak_root_of(variant) == AkRoot::document) {
        machine->set.ak_roots.clear();
        machine->set.nitro_pcrs.clear();
        machine->set.allow_unendorsed_ak = true;
      }
      values.sets = {machine->set};
      write(variant_name(variant) + std::string(".json"), values.to_json());
      if (has_tdx(variant)) std::filesystem::copy_file(machine->paths.collateral, folder_ + "/collateral", kReplace);
    }
  }

  TsmAnswer report(const Digest64& report_data) {
    std::lock_guard<std::mutex> hold(lock_);
    TsmAnswer none;
    none.error = 5;
    return current_ == nullptr ? none : current_->report(report_data);
  }
  MetadataAnswer metadata(const std::string& method, const std::string& path, const std::string& body) {
    std::lock_guard<std::mutex> hold(lock_);
    return current_ == nullptr ? MetadataAnswer{} : current_->metadata(method, path, body);
  }

  // The answer to a command.
  std::string answer(const std::string& word, const std::string& rest) {
    std::lock_guard<std::mutex> hold(lock_);
    if (word == "machine") {
      auto variant = variant_from_name(rest);
      if (!variant.ok() || machines_.count(*variant) == 0) return "failed no machine " + rest;
      current_ = machines_[*variant].get();
      current_->change({});
      return "done";
    }
    if (current_ == nullptr) return "failed no machine yet";
    if (word == "lie") return lie(rest);
    if (word == "tpm" && current_->tpm() != nullptr) return copy_tpm(rest);
    return "failed unknown command";
  }

 private:
  void write(const std::string& name, Bytes bytes) const {
    if (write_file_durably((folder_ + "/" + name).c_str(), bytes).ok()) return;
    std::fprintf(stderr, "cloud_host: cannot write %s\n", name.c_str());
    std::abort();
  }

  std::string lie(const std::string& name) {
    for (const Lie& lie : all_) {
      if (lie.variant != current_->variant || lie.name != name || !lie.platform || lie.evidence) continue;
      CloudFacts facts;
      lie.platform(facts);
      current_->change(facts);
      return std::string("done ") + code_name(lie.code) + " " + lie.claim;
    }
    return "failed no lie " + name;
  }

  std::string copy_tpm(const std::string& target) {
    current_->fill_nv();
    std::error_code error;
    std::filesystem::remove_all(target, error);
    std::filesystem::create_directories(target, error);
    std::filesystem::copy_file(current_->tpm()->folder() + "/state/tpm2-00.permall", target + "/tpm2-00.permall",
                               kReplace, error);
    return error ? "failed " + error.message() : "done";
  }

  std::string folder_;
  std::mutex lock_;
  std::map<Variant, std::unique_ptr<CloudMachine>> machines_;
  CloudMachine* current_ = nullptr;
  const std::vector<Lie> all_ = lies();
};

int run_host(const std::vector<std::string>& words) {
  std::vector<Variant> variants;
  for (size_t i = 4; i < words.size(); ++i) {
    auto variant = variant_from_name(words[i]);
    if (!variant.ok()) return 2;
    variants.push_back(*variant);
  }
  Host host(words[0], variants);
  auto metadata = MetadataServer::start(
      [&host](const std::string& method, const std::string& path, const std::string& body) {
        return host.metadata(method, path, body);
      },
      words[1], static_cast<uint16_t>(std::stoi(words[2])));
  auto relay = ReportRelay::start(static_cast<uint16_t>(std::stoi(words[3])),
                                  [&host](const Digest64& report_data) { return host.report(report_data); });
  std::cout << "done" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const size_t space = line.find(' ');
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    std::cout << host.answer(line.substr(0, space), rest) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace cstl::test

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 5) {
    std::fputs("cloud_host FOLDER METADATA-ADDRESS METADATA-PORT REPORTS-PORT VARIANT…\n", stderr);
    return 2;
  }
  return cstl::test::run_host(words);
}
