#!/usr/bin/python3
"""Each check of tools/tidy finds its bad sample, and nothing in the good one."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIDY = os.path.join(ROOT, "tools", "tidy")

GOOD = """#include "base/slice.h"
#include <stdint.h>

/* malloc( and "{" in comments and strings are no code. */
static const char text[] = "free( { #if";
static const char *const table[] = {text, text};

#if defined(A)
int good_function(int n)
{
    int list[2][2] = {{1, 2}, {3, 4}};
    for (int i = 0; i < n; i++) {
        if (i > 1) {
            while (n > 7) {
                n -= list[1][1] + table[0][0];
            }
        }
    }
    return n;
}
#endif
"""

# File, its text, and the finding that must be printed.
BAD = [
    ("app/web/a.c", "int x(void)\n{\n" + "    ;\n" * 70 + "}\n", "x() has 73 lines (at most 70)"),
    ("app/web/a.c", "/**/\n" * 801, "801 lines (at most 800)"),
    ("app/web/a.c", "/*" + "x" * 97 + "*/\n", "101 columns"),
    ("port/posix/a.c", "int x(int n)\n{\n" + "if (n) {\n" * 4 + "}\n" * 4 + "}\n", "nested 4 deep"),
    ("app/web/a.c", "int x(void)\n{\n#ifdef A\n#endif\n}\n", "conditional inside a function"),
    ("app/web/a.c", "void x(void)\n{\n    free(0);\n}\n", "free() is not for app/"),
    ("app/web/a.c", "void x(void)\n{\n    y(snprintf (0, 0, 0));\n}\n", "snprintf() is not for app/"),
    ("app/web/a.c", "#include <stdio.h>\n", "stdio.h: no header for app/"),
    ("app/web/a.c", "#include <sys/socket.h>\n", "sys/socket.h: no header for app/"),
    ("app/influx/a.c", '#include "gateway/router.h"\n', "influx must not know gateway"),
    ("app/base/a.c", '#include "metrics/metrics.h"\n', "base must not know metrics"),
    ("app/metrics/a.c", '#include "port/port.h"\n', "metrics knows no port"),
    ("app/metrics/a.c", '#include "lwip/tcp.h"\n', "lwip/tcp.h: only for app, net"),
    ("app/gateway/a.c", "#include <cJSON.h>\n", "cJSON.h: only for config"),
    ("app/novel/a.c", '#include "base/slice.h"\n', "novel is no room"),
    ("tests/unit/a.c", "/* TO" + "DO: later */\n", "a promise instead of the thing"),
    ("tests/unit/test_lonely.c", "\n", "so nobody runs it"),
    ("tests/fuzz/fuzz_lonely.c", "\n", "so nobody runs it"),
]

# Text of a room's object, and the finding that must be printed.
BAD_OBJECTS = [
    ("#include <stdlib.h>\nvoid *x(void) { return malloc(1); }", "refers to malloc"),
    ("int counter = 1;", "counter is writable data"),
    ("int *x(void) { static int seen; return &seen; }", "is writable data"),
    ("_Thread_local int own;", "own is writable data"),
    ("void tcp_close_all(void) {}", "tcp_close_all has a prefix of lwIP"),
]
GOOD_OBJECT = "static const char *const t[] = {\"a\"}; const char *x(int i) { return t[i]; }"


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write(text)
    return full


def tidy(root, *options):
    run = subprocess.run([sys.executable, TIDY, "--root", root, *options], capture_output=True,
                         text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def check_source(path, text, finding):
    with tempfile.TemporaryDirectory() as root:
        write(root, path, text)
        code, output = tidy(root, "--no-objects")
    if finding is None:
        return code == 0 and "0 findings" in output, output
    return code == 1 and finding in output and "1 findings" in output.splitlines()[-1], output


def check_object(text, finding):
    """The room is compiled as in the build posix: position-independent, with -O2."""
    with tempfile.TemporaryDirectory() as root:
        source = write(root, "room.c", text)
        for build in ("posix", "cortex-m3"):
            folder = os.path.join(root, "build", build, "app", "web")
            os.makedirs(folder)
            compiler = "gcc" if build == "posix" else "arm-none-eabi-gcc"
            specs = [] if build == "posix" else ["-mcpu=cortex-m3", "--specs=picolibc.specs"]
            subprocess.run([compiler, *specs, "-O1", "-fPIE", "-fno-builtin", "-c", source, "-o",
                            folder + "/room.o"], check=True)
            subprocess.run(["ar", "rcs", folder + "/liblimpet_web.a", folder + "/room.o"], check=True)
        code, output = tidy(root)
    if finding is None:
        return code == 0, output
    both = all(any(finding in line for line in output.splitlines() if f"build/{build}/" in line)
               for build in ("posix", "cortex-m3"))
    return code == 1 and both, output


def main():
    results = [("good source", *check_source("app/web/good.c", GOOD, None)),
               ("good object", *check_object(GOOD_OBJECT, None))]
    results += [(finding, *check_source(path, text, finding)) for path, text, finding in BAD]
    results += [(finding, *check_object(text, finding)) for text, finding in BAD_OBJECTS]
    failed = [(name, output) for name, ok, output in results if not ok]
    for name, output in failed:
        print(f"not as expected: {name}\n{output}")
    print(f"{len(results) - len(failed)} samples as expected, {len(failed)} not")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
