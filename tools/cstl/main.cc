// cstl: the operator's tool.
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "crypto/base/secret.h"
#include "crypto/hash.h"
#include "tools/cstl/command.h"

namespace cstl::cli {
namespace {

const Command* const kCommands[] = {
    &kConfigGenerate,  &kConfigCilium,    &kMeasure,         &kReferenceKeygen, &kReferenceSign, &kReferenceTrust,
    &kReferenceVerify, &kReferenceImport, &kReferenceExport, &kInit,            &kVerify,        &kEvidenceShow,
    &kStatus,          &kRecover,         &kMini,            &kBundleCreate,    &kBundleShow,    &kVersion};

void print_overview() {
  std::printf("Usage: cstl [-C DIR] [-o text|json] COMMAND [OPTIONS]\n\nCommands:\n");
  for (const Command* command : kCommands) std::printf("  %-16s %s\n", command->name, command->summary);
  std::printf(
      "\nGlobal options:\n"
      "  -C, --workspace DIR   folder with cstl-conf.yaml and the other files of the cluster (default: .)\n"
      "  -o, --output FORMAT   text (default) or json; of verify also ear: a signed attestation result\n"
      "  -h, --help            this text, or that of COMMAND\n"
      "\nExit codes: 0 done, 1 failed, 2 usage, 3 configuration or workspace, 4 unreachable, 5 attestation failed,\n"
      "6 refused by the peer, 7 virtual machine. `cstl COMMAND --help` explains each command.\n");
}

void print_help(const Command& command) {
  std::printf("Usage: cstl %s%s\n\n%s\n\n%s", command.name, command.values.empty() ? "" : " [OPTIONS]", command.summary,
              command.help);
}

// The command whose words the arguments begin with; they are removed.
const Command* find(std::vector<std::string>& words) {
  for (const Command* command : kCommands) {
    std::string name = command->name;
    size_t space = name.find(' ');
    std::string first = name.substr(0, space);
    if (words.empty() || words[0] != first) continue;
    if (space == std::string::npos) {
      words.erase(words.begin());
      return command;
    }
    if (words.size() > 1 && words[1] == name.substr(space + 1)) {
      words.erase(words.begin(), words.begin() + 2);
      return command;
    }
  }
  return nullptr;
}

int usage(const Context& context, const std::string& detail) {
  return failure(context, "command line", fail(Code::usage, "arguments"), detail);
}

int run(int argc, char** argv) {
  Context context;
  bool help = false;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool takes_value = word == "-C" || word == "--workspace" || word == "-o" || word == "--output";
    if (takes_value && i + 1 >= argc) return usage(context, word + " needs a value");
    if (word == "-h" || word == "--help") {
      help = true;
    } else if (word == "-C" || word == "--workspace") {
      context.workspace = argv[++i];
    } else if (takes_value) {
      std::string format = argv[++i];
      if (format != "text" && format != "json" && format != "ear") return usage(context, "-o takes text, json or ear");
      context.json = format == "json";
      context.ear = format == "ear";
    } else {
      words.push_back(word);
    }
  }
  const Command* command = find(words);
  if (command == nullptr) {
    if (!words.empty()) return usage(context, "unknown command " + printable(words[0]));
    print_overview();
    return help ? kExitOk : kExitUsage;
  }
  if (context.ear && command != &kVerify) return usage(context, "-o ear is for cstl verify");
  if (help) {
    print_help(*command);
    return kExitOk;
  }
  std::string problem;
  auto arguments = Arguments::parse(words, command->flags, command->values, &problem);
  if (!arguments.ok()) return usage(context, problem);
  context.arguments = std::move(*arguments);
  std::signal(SIGPIPE, SIG_IGN);
  if (Status started = forbid_dumps(); !started.ok()) return failure(context, "start", started.error());
  if (Status started = crypto_start(); !started.ok()) return failure(context, "start", started.error());
  return command->run(context);
}

}  // namespace
}  // namespace cstl::cli

int main(int argc, char** argv) { return cstl::cli::run(argc, argv); }
