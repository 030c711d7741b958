# Writes a C file with the bytes of INPUT: cmake -DINPUT=... -DOUTPUT=... -P embed.cmake
file(READ "${INPUT}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "((0x..,){16})" "\\1\n    " bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include \"quickstart.h\"

const char quickstart_json[] = {
    ${bytes}
};
const size_t quickstart_json_len = sizeof(quickstart_json);
")
