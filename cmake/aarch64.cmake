# A toolchain for aarch64 on a Debian of another machine; see tests/support/cross.sh.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

get_filename_component(cross_system "${CMAKE_CURRENT_LIST_DIR}/../build/cross/system" ABSOLUTE)
set(cross_libraries ${cross_system}/usr/lib/aarch64-linux-gnu)
set(CMAKE_C_FLAGS_INIT
  "-isystem ${cross_system}/usr/include -isystem ${cross_system}/usr/include/aarch64-linux-gnu")
foreach(kind EXE SHARED MODULE)
  set(CMAKE_${kind}_LINKER_FLAGS_INIT
    "-L${cross_libraries} -Wl,-rpath-link,${cross_libraries}:${cross_system}/lib/aarch64-linux-gnu")
endforeach()
set(CMAKE_FIND_ROOT_PATH ${cross_system} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L /usr/aarch64-linux-gnu
  -E LD_LIBRARY_PATH=${cross_libraries}:${cross_system}/lib/aarch64-linux-gnu)
