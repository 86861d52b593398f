#include "tools/file_tools.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/folder_reader.h"
#include "base/ids.h"
#include "base/text.h"

namespace pandora {
namespace {

constexpr const char* kListSchema = R"({"type": "object", "properties": {
  "folder": {"type": "string", "minLength": 1, "maxLength": 128, "description": "its name"},
  "path": {"type": "string", "maxLength": 1024, "description": "of a folder in it; none: itself"}},
  "required": ["folder"], "additionalProperties": false})";
constexpr const char* kReadSchema = R"({"type": "object", "properties": {
  "folder": {"type": "string", "minLength": 1, "maxLength": 128, "description": "its name"},
  "path": {"type": "string", "minLength": 1, "maxLength": 1024},
  "first_line": {"type": "integer", "minimum": 1, "maximum": 1000000000},
  "lines": {"type": "integer", "minimum": 1, "maximum": 2000}},
  "required": ["folder", "path"], "additionalProperties": false})";
constexpr std::int64_t kShownLines = 400;

std::string names_of(const ToolFolders& folders) {
  std::string names;
  for (const auto& [name, path] : folders) names += (names.empty() ? "" : ", ") + name;
  return names;
}

Result<FolderReader> find_folder(const ToolFolders& folders, const Json& arguments) {
  const auto& name = arguments["folder"].get_ref<const std::string&>();
  const auto found = folders.find(name);
  if (found != folders.end()) return FolderReader(found->second);
  return fail(ErrorCode::kNotFound, fmt::format("there is no folder named \"{}\"", ellipsize(one_line(name), 128)),
              "there are " + names_of(folders));
}

Result<ToolOutcome> list(const ToolFolders& folders, const ToolTask& task) {
  PANDORA_TRY(folder, find_folder(folders, task.arguments));
  PANDORA_TRY(listing, folder.list(task.arguments.value("path", ""), kMaxListedFiles));
  ToolOutcome outcome;
  for (const auto& entry : listing.entries)
    outcome.result += entry.is_folder ? fmt::format("{}/\n", one_line(sanitize_utf8(entry.name)))
                                      : fmt::format("{}  {} bytes\n", one_line(sanitize_utf8(entry.name)), entry.bytes);
  if (listing.is_cut) outcome.result += fmt::format("(there are more than {})\n", kMaxListedFiles);
  if (outcome.result.empty()) outcome.result = "The folder is empty.";
  return outcome;
}

Result<ToolOutcome> read(const ToolFolders& folders, const ToolTask& task) {
  PANDORA_TRY(folder, find_folder(folders, task.arguments));
  const auto& path = task.arguments["path"].get_ref<const std::string&>();
  PANDORA_TRY(text, folder.read(path, kMaxToolFileBytes));
  if (text.find('\0') != std::string::npos || !is_valid_utf8(text))
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no text in UTF-8, and only text is read", path));
  if (text.empty()) return ToolOutcome{.result = "The file is empty."};
  const std::int64_t first = task.arguments.value("first_line", std::int64_t{1});
  const std::int64_t most = task.arguments.value("lines", kShownLines);
  std::int64_t line = 1;
  std::size_t begin = std::string::npos, end = text.size();
  for (std::size_t at = 0; at < text.size(); ++line) {
    if (line == first) begin = at;
    if (line == first + most) end = std::min(end, at);
    const std::size_t newline = text.find('\n', at);
    at = newline == std::string::npos ? text.size() : newline + 1;
  }
  const std::int64_t all = line - 1;
  if (begin == std::string::npos)
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" has {} lines", path, all));
  std::string shown = text.substr(begin, end - begin);
  if (first > 1 || end < text.size())
    shown = fmt::format("(lines {} to {} of {})\n", first, std::min(all, first + most - 1), all) + shown;
  return ToolOutcome{.result = std::move(shown)};
}

}  // namespace

Result<ToolFolders> parse_tool_folders(std::string_view text,
                                       const std::function<std::string(const std::string&)>& expand) {
  ToolFolders folders;
  while (!trim(text).empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view piece = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto wrong = [&](std::string_view why) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("tools.folders: \"{}\" {}", ellipsize(piece, 200), why),
                  "write name=/path, name=/path");
    };
    const std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos) return wrong("has no \"=\"");
    const std::string name(trim(piece.substr(0, equals)));
    if (!check_name("folder", name)) return wrong("has no name of A-Za-z0-9._-");
    const std::string path = expand(std::string(trim(piece.substr(equals + 1))));
    if (!path.starts_with('/')) return wrong("is another place from every directory; begin it with / or ~/");
    if (!folders.emplace(name, path).second) return wrong("has a name that stands twice");
    if (folders.size() > kMaxToolFolders) return wrong(fmt::format("is one more than {}", kMaxToolFolders));
  }
  return folders;
}

ToolList make_file_tools(const ToolFolders& folders) {
  if (folders.empty()) return {};
  const ToolLimits limits{std::chrono::seconds(10), 64 * 1024, 120};
  const std::string where = "Folders: " + names_of(folders) + ".";
  const auto tool = [&](const char* name, const std::string& description, const char* schema, auto act) {
    return std::make_shared<FunctionTool>(ToolInfo{{name, description + " " + where, schema}, limits, Approval::kAllow},
                                          [folders, act](const ToolTask& task) { return act(folders, task); });
  };
  return {tool("file_list", "The files and folders in a folder of the user's.", kListSchema, &list),
          tool("file_read", "A text file in a folder of the user's, by lines.", kReadSchema, &read)};
}

}  // namespace pandora
