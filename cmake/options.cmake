# Options shared by every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")

option(PANDORA_TESTS "build the tests and the fuzz targets" ON)
option(PANDORA_BENCH "build the benchmarks" OFF)
option(PANDORA_FUZZ "build the fuzz targets with libFuzzer (clang); otherwise they replay their corpus" OFF)
set(PANDORA_SANITIZE "" CACHE STRING "sanitizers, as -fsanitize= takes them")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
# -O2: every figure in docs/benchmarks.md is measured with it. Asserts stay on: they are cheap and they catch us.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

find_program(PANDORA_CCACHE ccache)
if(PANDORA_CCACHE)
  # The same file compiled in two checkouts is one entry: paths below the source are relative, here and in what is hashed.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_BASEDIR=${CMAKE_SOURCE_DIR};CCACHE_NOHASHDIR=1;${PANDORA_CCACHE}")
endif()
find_program(PANDORA_MOLD mold)
if(PANDORA_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Designated initialisers leave the rest at its default on purpose. No contracted multiply-adds: a score must be the same on every machine.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror
                    -ffp-contract=off -fno-omit-frame-pointer -fstack-protector-strong)
# No path of the machine that builds it stands in the program.
add_compile_options("-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
add_compile_definitions(SPDLOG_FMT_EXTERNAL)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports std::string and std::variant internals that are fine (PR105329, PR105562).
  add_compile_options(-Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # libstdc++ 12's own stable_sort calls what it has deprecated.
  add_compile_options(-Wno-deprecated-declarations)
endif()
if(PANDORA_SANITIZE)
  add_compile_options("-fsanitize=${PANDORA_SANITIZE}" -fno-sanitize-recover=all)
  add_link_options("-fsanitize=${PANDORA_SANITIZE}")
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
