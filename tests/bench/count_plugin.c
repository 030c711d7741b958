/* A plugin of QEMU (system emulation, 7.2 and later) that counts the guest's instructions. The
 * count is the first 8 bytes of a file, which its reader maps:
 * -plugin file=count_plugin.so,count=FILE.
 *
 * QEMU's own header is in no Debian package, so what is called is declared here as
 * docs/devel/tcg-plugins describes it; -DVERSION is the version of that interface. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
typedef void (*tb_trans_fn)(uint64_t id, struct qemu_plugin_tb *block);
typedef void (*tb_exec_fn)(unsigned cpu, void *instructions);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_trans_fn fn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, tb_exec_fn fn, int flags,
                                          void *instructions);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);

EXPORT int qemu_plugin_version = VERSION;
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int count, char **values);

static volatile uint64_t *counted;

static void on_run(unsigned cpu, void *instructions)
{
    (void)cpu;
    *counted += (uintptr_t)instructions;
}

static void on_translated(uint64_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    uintptr_t instructions = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_run, 0, (void *)instructions);
}

int qemu_plugin_install(uint64_t id, const void *info, int count, char **values)
{
    (void)info;
    if (count != 1 || strncmp(values[0], "count=", 6) != 0) {
        return -1;
    }
    int file = open(values[0] + 6, O_RDWR);
    void *map = mmap(NULL, sizeof(*counted), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || map == MAP_FAILED) {
        return -1;
    }
    counted = map;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    return 0;
}
