# pandora_test(NAME SOURCES … [USES …] [LABELS …] [TIMEOUT seconds] [WHOLE]): one binary, each of its cases one ctest entry;
# WHOLE: all of them one entry, as they share what is dear to start.
# Labels: unit (seconds, in `make check`), contract, crash, cli, slow.
function(pandora_test name)
  cmake_parse_arguments(arg "WHOLE" "TIMEOUT" "SOURCES;USES;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)  # of a busy machine
  endif()
  find_package(GTest REQUIRED)
  include(GoogleTest)
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE ${arg_USES} GTest::gmock GTest::gtest_main Threads::Threads)
  if(arg_WHOLE)
    add_test(NAME "${name}" COMMAND ${name})
    set_tests_properties("${name}" PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
    return()
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}: " PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
                       DISCOVERY_TIMEOUT 60)
endfunction()

# pandora_fuzzer(NAME SOURCE file [USES …]): with PANDORA_FUZZ a libFuzzer binary; always a test that replays the corpus
# in fuzz/corpus/NAME and, with libFuzzer, runs it for a few seconds more.
function(pandora_fuzzer name)
  cmake_parse_arguments(arg "" "" "SOURCE;USES" ${ARGN})
  set(corpus "${CMAKE_SOURCE_DIR}/fuzz/corpus/${name}")
  add_executable(fuzz_${name} ${arg_SOURCE})
  target_link_libraries(fuzz_${name} PRIVATE ${arg_USES})
  if(PANDORA_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME "fuzz ${name}" COMMAND fuzz_${name} -max_total_time=5 -rss_limit_mb=4096 "${CMAKE_BINARY_DIR}/corpus-${name}" "${corpus}")
    file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/corpus-${name}")
  else()
    target_sources(fuzz_${name} PRIVATE "${CMAKE_SOURCE_DIR}/fuzz/replay_main.cpp")
    add_test(NAME "fuzz ${name}" COMMAND fuzz_${name} "${corpus}")
  endif()
  set_tests_properties("fuzz ${name}" PROPERTIES LABELS "fuzz" TIMEOUT 600)
endfunction()

# pandora_benchmark(NAME SOURCES … [USES …]): built by `make bench` only; never a test.
function(pandora_benchmark name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;LINKS" ${ARGN})
  find_package(benchmark REQUIRED)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_USES} ${arg_LINKS} benchmark::benchmark Threads::Threads)
endfunction()
