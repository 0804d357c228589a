# Preprocesses the public headers into a Lua file that returns them as the text for ffi.cdef.
file(WRITE ${OUTPUT}.c "#include \"cns/cns.h\"\n")
execute_process(COMMAND ${COMPILER} -E -P -DCNS_FFI -I${INCLUDE} ${OUTPUT}.c
  OUTPUT_VARIABLE declarations COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE ${OUTPUT}.c)
file(WRITE ${OUTPUT} "-- Made from engine/include/cns/*.h; do not edit.\nreturn [==[\n${declarations}]==]\n")
