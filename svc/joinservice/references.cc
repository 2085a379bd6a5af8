#include "svc/joinservice/references.h"

#include "attest/reference/seen.h"
#include "crypto/base/fd.h"

namespace cstl {

ReferenceMemory memory_in_file(std::string path, std::string name) {
  auto read_all = [path]() -> Result<SeenReferences> {
    auto text = read_file(path.c_str(), kMaxSeenText);
    if (text.code() == Code::not_found) return SeenReferences();
    if (!text.ok()) return text.error();
    std::string problem;
    return SeenReferences::parse(Bytes(*text).text(), &problem);
  };
  ReferenceMemory out;
  out.load = [read_all, name]() -> Result<SeenReference> {
    TRY_LET(SeenReferences all, read_all());
    return all.of(name);
  };
  out.save = [read_all, path, name](const SeenReference& seen) -> Status {
    TRY_LET(SeenReferences all, read_all());
    TRY(all.remember(name, seen));
    return write_file_durably(path.c_str(), Bytes(all.to_json()), 0600);
  };
  return out;
}

Result<ReferenceFile::Stamps> ReferenceFile::stamps() const {
  auto stamp = [](const struct stat& info) {
    return Stamp{info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
  };
  struct stat info {};
  if (stat(path_.c_str(), &info) != 0) return fail_errno("references.stat");
  Stamps out = {stamp(info)};
  for (const std::string& suffix : beside_) {
    out.push_back(stat((path_ + suffix).c_str(), &info) == 0 ? stamp(info) : Stamp{});
  }
  return out;
}

Status ReferenceFile::load(int64_t now, std::string* problem) {
  TRY_LET(std::vector<uint8_t> text, read_file(path_.c_str(), kMaxReferenceValues));
  if (!trust_) {
    TRY_LET(values_, ReferenceValues::parse(Bytes(text).text(), now, problem));
    return success();
  }
  SignatureSource beside = [this](const std::string& suffix) { return read_file((path_ + suffix).c_str(), kMaxTransparencyFile); };
  TRY_LET(SignedReference opened, open_signed(text, beside, *trust_, remembered_, now, problem));
  // First remembered, then in force: after a crash in between, nothing older comes back.
  if (memory_.save && opened.seen.version != remembered_.version) TRY(memory_.save(opened.seen));
  remembered_ = opened.seen;
  values_ = std::move(opened.values);
  return success();
}

Result<ReferenceFile> ReferenceFile::open(std::string path, std::optional<TrustPolicy> trust, int64_t now,
                                          std::string* problem, ReferenceMemory memory) {
  ReferenceFile file;
  file.path_ = std::move(path);
  file.trust_ = std::move(trust);
  if (file.trust_) {
    file.memory_ = std::move(memory);
    if (file.memory_.load) {
      *problem = "what was seen before";
      TRY_LET(file.remembered_, file.memory_.load());
      problem->clear();
    }
    file.beside_ = {".sig", ".bundle"};
    for (const PublicKey& key : file.trust_->signers) {
      TRY_LET(std::string id, signer_id(key));
      file.beside_.push_back("." + id + ".sig");
      file.beside_.push_back("." + id + ".bundle");
    }
  }
  TRY_LET(file.seen_, file.stamps());
  TRY(file.load(now, problem));
  return file;
}

Result<bool> ReferenceFile::refresh(int64_t now, std::string* problem) {
  auto current = stamps();
  Stamps seen = current.ok() ? *current : Stamps();  // a file that is gone is one change, too
  if (seen == seen_) return false;
  seen_ = seen;
  if (!current.ok()) return current.error();
  TRY(load(now, problem));
  return true;
}

}  // namespace cstl
