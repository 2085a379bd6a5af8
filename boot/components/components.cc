#include "boot/components/components.h"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/components/bundle.h"
#include "boot/components/confined.h"
#include "crypto/hash.h"

namespace cstl {

namespace {
constexpr size_t kMaxCaBundle = 4 << 20;
constexpr size_t kMaxRecord = 64 << 10;

// Everything about one component's way from its source to its place.
class Installation {
 public:
  Installation(const Component& component, const ComponentOptions& options, const Bundle* bundle,
               const std::vector<uint8_t>& ca_pem, const std::vector<std::string>& wanted,
               const ComponentProgress& progress)
      : component_(component),
        options_(options),
        bundle_(bundle),
        ca_pem_(ca_pem),
        wanted_(wanted),
        progress_(progress) {
    hash_ = to_hex(component.sha256);
    target_ = options.root + component.path;
    size_t slash = target_.rfind('/');
    folder_ = target_.substr(0, slash);
    std::string hidden = folder_ + "/." + target_.substr(slash + 1) + "." + hash_.substr(0, 12);
    partial_ = hidden + ".part";
    fresh_ = hidden + ".new";
  }

  Status run() {
    TRY_LET(record_, record_path());
    TRY_LET(bool present, is_present());
    if (present) {
      tell(ComponentStep::present);
      return success();
    }
    TRY(make_folders(folder_, 0755));
    TRY_LET(Fd file, fetch());
    if (component_.archive) {
      TRY(unpack_archive(file.get()));
    } else {
      TRY(install_file(file));
    }
    return remember();
  }

  ComponentStep step() const { return step_; }
  const std::string& reason() const { return reason_; }

 private:
  void tell(ComponentStep step, uint64_t done = 0, uint64_t total = 0) {
    step_ = step;
    if (progress_) progress_(component_, step, done, total);
  }

  Result<std::string> record_path() const {
    TRY_LET(Digest32 name, sha256({Bytes(component_.path)}));
    return options_.root + options_.state + "/" + to_hex(name).substr(0, 32);
  }

  // The record of a place: one SHA-256 per line of what was installed there.
  std::vector<std::string> recorded() const {
    std::vector<std::string> out;
    auto content = read_file(record_.c_str(), kMaxRecord);
    if (!content) return out;
    std::string_view text = Bytes(*content).text();
    while (text.size() > 64) {
      out.emplace_back(text.substr(0, 64));
      text.remove_prefix(65);
    }
    return out;
  }

  Result<bool> is_present() const {
    struct stat now = {};
    if (lstat(target_.c_str(), &now) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return false;
      return fail_errno("component.target");
    }
    if (component_.archive ? !S_ISDIR(now.st_mode) : !S_ISREG(now.st_mode)) return false;
    std::vector<std::string> known = recorded();
    return std::find(known.begin(), known.end(), hash_) != known.end();
  }

  Status remember() const {
    std::string text;
    for (const std::string& known : component_.archive ? recorded() : std::vector<std::string>()) {
      // What the configuration no longer names may have been replaced just now.
      if (known != hash_ && std::find(wanted_.begin(), wanted_.end(), known) != wanted_.end()) text += known + "\n";
    }
    text += hash_ + "\n";
    TRY(make_folders(options_.root + options_.state, 0755));
    return write_file_durably(record_.c_str(), Bytes(text), 0644);
  }

  // The content in the partial file, complete and with the right SHA-256.
  Result<Fd> fetch() {
    tell(ComponentStep::download);
    auto opened = open_file(partial_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!opened) return opened.error();
    Fd file = std::move(*opened);
    auto progress = [this](uint64_t done, uint64_t total) { tell(ComponentStep::download, done, total); };
    const BundleFile* bundled = bundle_ != nullptr ? bundle_->find(component_.sha256) : nullptr;
    if (bundled != nullptr) {
      if (ftruncate(file.get(), 0) != 0 || lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno("component.partial");
      TRY(bundle_->copy(*bundled, file.get(), progress));
      TRY_LET(bool good, verify(file.get()));
      if (good) return file;
      // The disk is the host's: what it holds may be anything. The URL may still have the right one.
      if (ftruncate(file.get(), 0) != 0) return fail_errno("component.partial");
      tell(ComponentStep::download);
    }
    struct stat before = {};
    if (fstat(file.get(), &before) != 0) return fail_errno("component.partial");
    for (bool resumed = before.st_size > 0;; resumed = false) {
      bool https = component_.url.compare(0, 8, "https://") == 0;
      TRY((https ? download_confined : download)(component_.url, file.get(), ca_pem_, options_.download, progress,
                                                 &reason_));
      TRY_LET(bool good, verify(file.get()));
      if (good) return file;
      if (ftruncate(file.get(), 0) != 0) return fail_errno("component.partial");
      if (!resumed) break;  // else the first part was of something else: once more from its start
      tell(ComponentStep::download);
    }
    step_ = ComponentStep::verify;
    (void)unlink(partial_.c_str());
    reason_ = "it has the SHA-256 " + found_;
    if (bundled != nullptr) reason_ += ", and so has not what the bundle holds under that name";
    return fail(Code::component_hash, "component.sha256");
  }

  Result<bool> verify(int file) {
    tell(ComponentStep::verify);
    TRY_LET(Digest32 digest, sha256_file(file));
    found_ = to_hex(digest);
    return digest == component_.sha256;
  }

  Status sync_folder(const std::string& path) const {
    TRY_LET(Fd folder, open_file(path.c_str(), O_RDONLY | O_DIRECTORY));
    return fsync(folder.get()) == 0 ? success() : Status(fail_errno("component.fsync"));
  }

  Status install_file(Fd& file) {
    tell(ComponentStep::install);
    if (fchmod(file.get(), 0755) != 0 || fsync(file.get()) != 0) return fail_errno("component.fsync");
    TRY(file.close());
    if (rename(partial_.c_str(), target_.c_str()) != 0) return fail_errno("component.rename");
    return sync_folder(folder_);
  }

  Status unpack_archive(int file) {
    tell(ComponentStep::unpack);
    std::error_code ignored;
    std::filesystem::remove_all(fresh_, ignored);  // of an attempt that was cut off
    if (mkdir(fresh_.c_str(), 0755) != 0) return fail_errno("component.folder");
    TRY_LET(Fd folder, open_file(fresh_.c_str(), O_RDONLY | O_DIRECTORY));
    Status unpacked = unpack(file, folder.get(), options_.unpack, &reason_);
    if (unpacked.ok() && syncfs(folder.get()) != 0) unpacked = fail_errno("component.fsync");
    if (unpacked.ok()) {
      tell(ComponentStep::install);
      reason_.clear();
      unpacked = put_in_place();
    } else if (!reason_.empty()) {
      reason_ = "at the entry " + reason_;
    }
    std::filesystem::remove_all(fresh_, ignored);
    if (unpacked.ok()) (void)unlink(partial_.c_str());
    return unpacked;
  }

  Status put_in_place() const {
    struct stat now = {};
    if (lstat(target_.c_str(), &now) == 0 && S_ISDIR(now.st_mode)) {
      TRY(merge());
      TRY(sync_folder(target_));
      return sync_folder(folder_);
    }
    if (rename(fresh_.c_str(), target_.c_str()) != 0) return fail_errno("component.rename");
    return sync_folder(folder_);
  }

  // Each entry at the top of the new folder takes the place of the one of its name.
  Status merge() const {
    std::vector<std::string> names;
    DIR* folder = opendir(fresh_.c_str());
    if (folder == nullptr) return fail_errno("component.merge");
    while (const dirent* entry = readdir(folder)) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    closedir(folder);
    for (const std::string& name : names) {
      std::string from = fresh_ + "/" + name;
      std::string to = target_ + "/" + name;
      // What was there goes to the new folder, and away with it.
      if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) continue;
      if (errno != ENOENT || rename(from.c_str(), to.c_str()) != 0) return fail_errno("component.merge");
    }
    return success();
  }

  const Component& component_;
  const ComponentOptions& options_;
  const Bundle* bundle_;
  const std::vector<uint8_t>& ca_pem_;
  const std::vector<std::string>& wanted_;
  const ComponentProgress& progress_;
  std::string hash_, target_, folder_, partial_, fresh_, record_, found_, reason_;
  ComponentStep step_ = ComponentStep::present;
};

std::string printable_part(std::string_view text, size_t max) {
  std::string out(text.substr(0, max));
  for (char& c : out) c = c >= 0x20 && c < 0x7f ? c : '?';
  if (text.size() > max) out += "...";
  return out;
}

std::string explain(const Component& component, ComponentStep step, const std::string& reason, const Error& error) {
  std::string out = "component " + component.path + " from " + printable_part(component.url, 120) + ": " +
                    component_step_name(step) + ": " + code_what(error.code);
  if (!reason.empty()) out += " (" + printable_part(reason, 200) + ")";
  if (error.origin == Origin::http) out += " (HTTP status " + std::to_string(error.foreign) + ")";
  if (error.origin == Origin::errno_value)
    out += std::string(" (") + std::strerror(static_cast<int>(error.foreign)) + ")";
  return out + ": " + code_advice(error.code);
}
}  // namespace

const char* component_step_name(ComponentStep step) {
  switch (step) {
    case ComponentStep::present: return "present";
    case ComponentStep::download: return "download";
    case ComponentStep::verify: return "verify";
    case ComponentStep::unpack: return "unpack";
    case ComponentStep::install: return "install";
  }
  return "?";
}

Status install_components(const std::vector<Component>& components, const ComponentOptions& options,
                          const ComponentProgress& progress, std::string* problem) {
  if (problem != nullptr) problem->clear();
  std::optional<Bundle> bundle;
  if (!options.bundle.empty() && !components.empty()) {
    std::string detail;
    auto opened = Bundle::open(options.bundle, &detail);
    if (!opened) {
      if (problem != nullptr) *problem = "bundle " + options.bundle + ": " + printable_part(detail, 200);
      return opened.error();
    }
    bundle.emplace(std::move(*opened));
  }
  std::vector<uint8_t> ca_pem;
  std::vector<std::string> wanted;
  for (const Component& component : components) {
    wanted.push_back(to_hex(component.sha256));
    if (component.url.compare(0, 8, "https://") != 0 || !ca_pem.empty()) continue;
    auto read = read_file(options.ca_bundle.c_str(), kMaxCaBundle);
    if (!read) {
      if (problem != nullptr) *problem = "the image's CA bundle " + options.ca_bundle + " cannot be read";
      return read.error();
    }
    ca_pem = std::move(*read);
    ca_pem.push_back(0);  // mbedTLS tells PEM by its NUL
  }
  for (const Component& component : components) {
    Installation installation(component, options, bundle ? &*bundle : nullptr, ca_pem, wanted, progress);
    Status installed = installation.run();
    if (installed.ok()) continue;
    if (problem != nullptr)
      *problem = explain(component, installation.step(), installation.reason(), installed.error());
    return installed;
  }
  return success();
}

}  // namespace cstl
