#include "tools/cstl/bundle.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "tools/cstl/command.h"
#include "tools/cstl/workspace.h"

namespace cstl::cli {

namespace {
constexpr const char* kImageFolder = "/var/lib/cstl/images/";  // nodes import what lies there

struct Source {
  BundleFile file;
  std::string path;
};

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Result<Source> look_at(const BundleSource& source) {
  Source out;
  out.path = source.path;
  out.file.image = source.image;
  out.file.name = base_name(source.path);
  TRY_LET(Fd fd, open_file(source.path.c_str(), O_RDONLY));
  struct stat now = {};
  if (fstat(fd.get(), &now) != 0) return fail_errno("bundle.stat");
  if (!S_ISREG(now.st_mode)) return fail(Code::bad_value, "bundle.kind");
  out.file.size = static_cast<uint64_t>(now.st_size);
  if (out.file.size > kMaxBundleFile) return fail(Code::usage, "bundle.size");
  TRY_LET(out.file.sha256, sha256_file(fd.get()));
  return out;
}

Status write_padding(int fd, uint64_t size) {
  std::vector<uint8_t> zeros(tar_padded(size) - size);
  return write_all(fd, zeros);
}

Status write_entry(int out, const Source& source) {
  TRY(write_all(out, tar_header("sha256/" + to_hex(source.file.sha256), source.file.size)));
  TRY_LET(Fd in, open_file(source.path.c_str(), O_RDONLY));
  std::vector<uint8_t> chunk(256 * 1024);
  uint64_t left = source.file.size;
  while (left > 0) {
    ssize_t n = read(in.get(), chunk.data(), std::min<uint64_t>(chunk.size(), left));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("bundle.read");
    if (n == 0) return fail(Code::mismatch, "bundle.changed");  // shorter than it was
    TRY(write_all(out, Bytes(chunk).first(static_cast<size_t>(n))));
    left -= static_cast<uint64_t>(n);
  }
  return write_padding(out, source.file.size);
}

Status write_sources(const std::vector<Source>& sources, int out, std::string* problem) {
  std::vector<BundleFile> files;
  for (const Source& source : sources) files.push_back(source.file);
  std::string index = bundle_index(files);
  // What is written must load: the reader has the last word on names and sizes.
  TRY(parse_bundle_index(index, problem));
  TRY(write_all(out, tar_header("index.json", index.size())));
  TRY(write_all(out, Bytes(index)));
  TRY(write_padding(out, index.size()));
  for (const Source& source : sources) {
    *problem = source.path;
    TRY(write_entry(out, source));
  }
  TRY(write_all(out, std::vector<uint8_t>(2 * kTarBlock)));
  return fsync(out) == 0 ? success() : Status(fail_errno("bundle.fsync"));
}
}  // namespace

Status write_bundle(const std::vector<BundleSource>& sources, const std::string& out, std::vector<BundleFile>* files,
                    std::string* problem) {
  std::vector<Source> found;
  for (const BundleSource& source : sources) {
    *problem = source.path;
    TRY_LET(Source one, look_at(source));
    found.push_back(std::move(one));
  }
  std::stable_sort(found.begin(), found.end(), [](const Source& a, const Source& b) {
    return std::tie(a.file.sha256, a.file.name) < std::tie(b.file.sha256, b.file.name);
  });
  found.erase(std::unique(found.begin(), found.end(),
                          [](const Source& a, const Source& b) { return a.file.sha256 == b.file.sha256; }),
              found.end());
  *problem = "more than 256 files";
  if (found.size() > kMaxBundleFiles) return fail(Code::usage, "bundle.files");

  std::string temporary = out + ".tmp";
  *problem = temporary;
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) return fail_errno("bundle.unlink");
  TRY_LET(Fd fd, open_file(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  Status written = write_sources(found, fd.get(), problem);
  if (written.ok()) {
    // A file that changed meanwhile would be found only on the nodes.
    auto bundle = Bundle::open(temporary, problem);
    if (!bundle) written = bundle.error();
    for (size_t i = 0; written.ok() && i < bundle->files().size(); ++i) {
      auto intact = bundle->intact(bundle->files()[i]);
      *problem = found[i].path;
      if (!intact) written = intact.error();
      if (intact && !*intact) written = fail(Code::mismatch, "bundle.changed");
    }
    if (written.ok() && files != nullptr) *files = bundle->files();
  }
  if (written.ok()) {
    *problem = out;
    if (rename(temporary.c_str(), out.c_str()) != 0) written = fail_errno("bundle.rename");
  }
  if (!written.ok()) (void)unlink(temporary.c_str());  // the first error is the one to report
  return written;
}

std::vector<Component> missing_from(const std::vector<BundleFile>& files, const std::vector<Component>& components) {
  std::vector<Component> out;
  for (const Component& component : components) {
    bool there =
        std::any_of(files.begin(), files.end(), [&](const BundleFile& f) { return f.sha256 == component.sha256; });
    if (!there && component.url.compare(0, 5, "data:") != 0) out.push_back(component);
  }
  return out;
}

namespace {
const Component* configured(const BundleFile& file, const std::vector<Component>& components) {
  for (const Component& component : components) {
    if (component.sha256 == file.sha256) return &component;
  }
  return nullptr;
}

nlohmann::json describe_file(const BundleFile& file, const std::vector<Component>& components) {
  nlohmann::json out = {{"sha256", to_hex(file.sha256)}, {"size", file.size}, {"name", file.name},
                        {"kind", file.image ? "image" : "component"}};
  if (const Component* component = configured(file, components)) out["path"] = component->path;
  return out;
}

// One line per file, then what the configuration lacks, in its own words.
std::string table(const std::vector<BundleFile>& files, const std::vector<Component>& components) {
  std::string text, entries;
  for (const BundleFile& file : files) {
    const Component* component = configured(file, components);
    char size[32];
    std::snprintf(size, sizeof size, "%12llu", static_cast<unsigned long long>(file.size));
    text += to_hex(file.sha256) + " " + size + "  " + (file.image ? "image      " : "component  ") + file.name +
            (component != nullptr ? " -> " + component->path : "") + "\n";
    if (component != nullptr) continue;
    entries += "  - url: file:///" + file.name + "\n    sha256: " + to_hex(file.sha256) + "\n    path: " +
               (file.image ? kImageFolder : "/opt/cstl/bin/") + file.name + "\n";
  }
  if (!entries.empty()) {
    text += "\nNodes take these only if kubernetes.components of cstl-conf.yaml names them, for example as\n" + entries;
  }
  return text;
}

// Without a configuration, or one without Kubernetes, there is nothing to compare with.
std::vector<Component> load_components(const Context& context) {
  std::string ignored;
  auto config = load_config(context.workspace, &ignored);
  if (!config.ok() || !config->kubernetes) return {};
  return config->kubernetes->components;
}

int create(const Context& context) {
  const Arguments& arguments = context.arguments;
  std::vector<BundleSource> sources;
  for (const std::string& path : arguments.positional()) sources.push_back({path, false});
  for (const std::string& path : arguments.all("image")) sources.push_back({path, true});
  std::string out = arguments.get("out");
  if (out.empty() || sources.empty()) {
    return failure(context, "bundle create", fail(Code::usage, "bundle"),
                   "--out names the bundle, and files are needed");
  }
  std::string problem;
  std::vector<BundleFile> files;
  Status written = write_bundle(sources, out, &files, &problem);
  if (!written.ok()) return failure(context, "making the bundle", written.error(), printable(problem));
  std::vector<Component> components = load_components(context);
  std::vector<Component> missing = missing_from(files, components);
  nlohmann::json object = {{"path", out}, {"files", nlohmann::json::array()}, {"missing", nlohmann::json::array()}};
  for (const BundleFile& file : files) object["files"].push_back(describe_file(file, components));
  std::string text = out + " written.\n" + table(files, components);
  for (const Component& component : missing) {
    object["missing"].push_back({{"url", component.url}, {"sha256", to_hex(component.sha256)}});
    text += "\nnot in it, though the configuration names it: " + printable(component.url) + "\n";
  }
  result(context, text, object);
  return missing.empty() ? kExitOk : kExitWorkspace;
}

int show(const Context& context) {
  const Arguments& arguments = context.arguments;
  if (arguments.positional().size() != 1) {
    return failure(context, "bundle show", fail(Code::usage, "bundle"), "which bundle?");
  }
  const std::string& path = arguments.positional()[0];
  std::string problem = path;
  auto bundle = Bundle::open(path, &problem);
  if (!bundle.ok()) return failure(context, "reading the bundle", bundle.error(), printable(problem));
  std::vector<Component> components = load_components(context);
  nlohmann::json object = {{"path", path}, {"files", nlohmann::json::array()}};
  for (const BundleFile& file : bundle->files()) {
    auto intact = bundle->intact(file);
    if (!intact.ok()) return failure(context, "reading the bundle", intact.error(), file.name);
    if (!*intact)
      return failure(context, "checking the bundle", fail(Code::bundle_malformed, "bundle.content"), file.name);
    object["files"].push_back(describe_file(file, components));
  }
  result(context, table(bundle->files(), components), object);
  return kExitOk;
}
}  // namespace

const Command kBundleCreate = {
    "bundle create",
    "put components and container images into one file, for nodes without a network",
    "  --out FILE            the bundle; attach it to every node as a disk with the serial cstl-bundle\n"
    "  --image FILE          a container image (docker save, OCI archive); may be repeated\n"
    "  FILE...               components: kubelet, archives of CNI plugins, ...\n"
    "\nNodes take from it what kubernetes.components of cstl-conf.yaml names by its SHA-256, before they go to the\n"
    "network. Prints what is in it, and the entries that the configuration lacks. Exit code 3 when the configuration\n"
    "names a component that is not among the files.\n",
    {},
    {"out", "image"},
    create,
};

const Command kBundleShow = {
    "bundle show",
    "check a bundle and print what is in it",
    "  FILE                  the bundle, a file or a block device\n"
    "\nEvery content is compared with its SHA-256.\n",
    {},
    {},
    show,
};

}  // namespace cstl::cli
