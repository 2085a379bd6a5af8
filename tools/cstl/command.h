// One file per command; this is what they share: arguments, output, exit codes. docs/operations.md lists the exit codes
// and is tested against exit_code_of().
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

namespace cstl::cli {

enum Exit : int {
  kExitOk = 0,
  kExitFailure = 1,      // anything without a class of its own
  kExitUsage = 2,        // the command line is not understood
  kExitWorkspace = 3,    // configuration or workspace files are missing or bad
  kExitUnreachable = 4,  // no connection, or the peer went silent
  kExitAttestation = 5,  // evidence was refused: do not trust the machine
  kExitRefused = 6,      // the peer refused the request
  kExitMachine = 7,      // a local virtual machine could not be run
};
int exit_code_of(Code code);

// What a command is given. Options are "--name value", "--name=value" or flags; the global ones are taken out first:
// -C/--workspace DIR, -o/--output text|json, -y/--yes, -h/--help.
class Arguments {
 public:
  // `flags` and `values`: the options that the command knows, without dashes. On error `problem` says which word.
  static Result<Arguments> parse(const std::vector<std::string>& words, const std::vector<std::string_view>& flags,
                                 const std::vector<std::string_view>& values, std::string* problem);
  bool has(std::string_view name) const;
  std::string get(std::string_view name, std::string_view otherwise = "") const;
  std::vector<std::string> all(std::string_view name) const;  // of a value given several times
  // Decimal, within [low, high]. Errors: usage.
  Result<int64_t> number(std::string_view name, int64_t otherwise, int64_t low, int64_t high) const;
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::vector<std::pair<std::string, std::string>> options_;
  std::vector<std::string> positional_;
};

struct Context {
  std::string workspace = ".";
  bool json = false;
  bool ear = false;      // -o ear: of verify alone
  Arguments arguments;
};

struct Command {
  const char* name;      // "config generate"
  const char* summary;   // one line
  const char* help;      // the rest of --help
  std::vector<std::string_view> flags;
  std::vector<std::string_view> values;
  int (*run)(const Context& context);
};

// The commands, defined in their own files.
extern const Command kBundleCreate, kBundleShow, kConfigCilium, kConfigGenerate, kEvidenceShow, kInit, kMeasure, kMini,
    kRecover, kReferenceExport, kReferenceImport, kReferenceKeygen, kReferenceSign, kReferenceTrust, kReferenceVerify,
    kStatus, kVerify, kVersion;

// Prints progress on stderr ("· booting control-plane-0"); nothing with -o json.
void progress(const Context& context, const std::string& text);
// Prints the result: `text` or, with -o json, the object.
void result(const Context& context, const std::string& text, const nlohmann::json& object);
// Prints the failure (text on stderr, or a JSON object on stdout with -o json) and returns its exit code.
int failure(const Context& context, const std::string& what, const Error& error, const std::string& detail = "");
// Control and non-ASCII bytes of foreign text replaced, at most 512 bytes.
std::string printable(std::string_view text);

}  // namespace cstl::cli
