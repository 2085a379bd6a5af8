# Turns policy/roots/NAME.roots into a table (attest/roots.h) when the library is built:
#   cmake -DIN=NAME.roots -DOUT=NAME.cc -DSYMBOL=kNameRoots -P embed.cmake
# Lines: 64 lower-case hexadecimal digits, a space, a name; or a comment. Anything else, or no root, fails the build.
file(STRINGS "${IN}" lines)
set(rows "")
set(count 0)
foreach(line IN LISTS lines)
  if(line MATCHES "^#" OR line STREQUAL "")
    continue()
  endif()
  string(REGEX MATCH "^[0-9a-f]+ " hash "${line}")
  string(STRIP "${hash}" hash)
  string(LENGTH "${hash}" length)
  if(NOT length EQUAL 64 OR NOT line MATCHES "^[0-9a-f]+ [A-Za-z0-9 ._-]+$" OR rows MATCHES "// ${hash}")
    message(FATAL_ERROR "${IN}: malformed or repeated line: ${line}")
  endif()
  string(REGEX REPLACE "(..)" "0x\\1, " bytes "${hash}")
  string(APPEND rows "    // ${line}\n    Digest32{${bytes}},\n")
  math(EXPR count "${count} + 1")
endforeach()
if(count EQUAL 0)
  message(FATAL_ERROR "${IN}: no root")
endif()
file(WRITE "${OUT}" "// Made from the .roots file of the same name; do not edit.\n#include \"attest/roots.h\"\n\n"
  "namespace cstl {\nnamespace {\nconstexpr Digest32 kRoots[] = {\n${rows}};\n}  // namespace\n"
  "extern const Roots ${SYMBOL}{kRoots, ${count}};\n}  // namespace cstl\n")
