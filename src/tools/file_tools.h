// `file_list` and `file_read`: text files inside folders that the settings name, and nothing else.
#pragma once
#include <map>

#include "tools/tool.h"

namespace pandora {

inline constexpr std::size_t kMaxToolFolders = 32;
inline constexpr std::size_t kMaxToolFileBytes = 4 << 20;
inline constexpr std::size_t kMaxListedFiles = 500;

using ToolFolders = std::map<std::string, std::string>;  // name → path
// "notes=/home/ana/notes, papers=/srv/papers". kInvalidArgument with the piece; `expand` makes a path whole.
Result<ToolFolders> parse_tool_folders(std::string_view text,
                                       const std::function<std::string(const std::string&)>& expand);

// None without folders.
ToolList make_file_tools(const ToolFolders& folders);

}  // namespace pandora
