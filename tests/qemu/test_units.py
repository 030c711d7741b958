#!/usr/bin/python3
"""Unit tests on the processor of a board: histogram, spool, json and lines, built for Cortex-M3 with
tables that fit its memory and run in QEMU. Output and exit status come by semihosting."""
import glob
import os
import subprocess
import tempfile

import machine

RAM_LEN = 4 << 20
SECONDS_MAX = 240
FLAGS = ["-std=c11", "-Os", "-mcpu=cortex-m3", "-mthumb", "--specs=picolibc.specs", "-ffunction-sections",
         "-fdata-sections", "-DLIMPET_TLS=0", "-DLIMPET_ENDPOINTS_MAX=32u", "-DLIMPET_BACKENDS_MAX=64u",
         "-DLIMPET_HISTOGRAMS=128u", "-DLIMPET_SPOOL_LEN=8192u"]
LINK = ["--oslib=semihost", "--crt0=hosted", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments",
        "-Wl,--defsym=__flash=0", "-Wl,--defsym=__flash_size=0x400000", "-Wl,--defsym=__ram=0x20000000",
        f"-Wl,--defsym=__ram_size={RAM_LEN:#x}", "-Wl,--defsym=__stack_size=0x10000"]


def sources(*patterns):
    return [path for pattern in patterns for path in glob.glob(os.path.join(machine.ROOT, pattern))]


def run(names, *flags):
    """Builds the sources below the project, runs the program, shows what it said."""
    include = [f"-I{os.path.join(machine.ROOT, folder)}" for folder in
               ("", "app", "tests", "tests/unit", "port/include")]
    with tempfile.TemporaryDirectory(prefix="limpet-unit.") as folder:
        program = os.path.join(folder, "test.elf")
        subprocess.run(["arm-none-eabi-gcc", *FLAGS, *flags, *include, *LINK, "-o", program,
                        *sources(*names)], check=True)
        done = subprocess.run(
            [machine.QEMU, "-M", "mps2-an385", "-nographic", "-monitor", "none", "-serial", "none",
             "-semihosting-config", "enable=on,target=native", "-kernel", program],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    said = done.stdout + done.stderr
    print("     " + said.strip()[-300:])
    assert done.returncode == 0 and " checks, 0 failed" in said, said[-3000:]


def test_histogram():
    run(["tests/unit/test_histogram.c", "app/metrics/histogram*.c", "app/metrics/moments.c", "app/base/*.c"],
        "-DLIMPET_HISTOGRAM_PROFILE=LIMPET_HISTOGRAM_M1")


def test_json():
    run(["tests/unit/test_json.c", "tests/unit/json_cases.c", "app/base/*.c"])


def test_spool():
    run(["tests/unit/test_spool.c", "app/influx/spool.c", "app/base/*.c"])


def test_lines():
    run(["tests/unit/test_lines.c", "app/influx/lines.c", "app/influx/record.c", "app/metrics/*.c",
         "app/base/*.c"])


if __name__ == "__main__":
    machine.main(globals())
