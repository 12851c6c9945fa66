/* A stand-in for NVIDIA's libnvidia-ml.so.1, steered by a file, for the tests of wattmark.
 *
 * Written from the public interface (names, numbers and structures of nvml.h). Every call reads the file that the
 * environment variable STUB_NVML_STEER names, so that a test changes the driver's mind while it is being polled:
 *
 *   boards N              how many boards there are, at 0000:01:00.0, 0000:02:00.0, ... (2)
 *   mode MODE             normal, scopes, superchip, ignores-scope, mig, zero, freeze, stale, backwards
 *   fail FUNCTION CODE    the call returns CODE; FUNCTION `value` is the return code within each field value
 *   lost-after N          every call about board 0 returns GPU_IS_LOST once board 0 has been asked for fields N times
 *   hang FUNCTION MS      the call about board 0 takes that long
 *   ecc MODE              off: error correction is off; no-volatile: only the counters over the board's life answer
 *   corrected N           memory errors that were mended (0); uncorrected, replays: likewise
 *   events N              board 0 has told N Xid events since it was opened
 *
 * Compiled with OLD_DRIVER the newer calls do not exist. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, TIMEOUT = 10, GPU_IS_LOST = 15 };
enum { EVENT_XID = 8, VOLATILE = 0 };
enum { FIELD_AVERAGE = 185, FIELD_INSTANT = 186 };
enum { SCOPE_GPU = 0, SCOPE_MODULE = 1, SCOPE_MEMORY = 2 };

typedef struct {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
} pci_info;

typedef struct {
    unsigned field, scope;
    long long timestamp_us, latency_us;
    unsigned value_type, code;
    union { double d; unsigned u; unsigned long long ull; } value;
} field_value;

typedef struct { unsigned long long reference_ns, violation_ns; } violation_time;

typedef struct { void *board; unsigned long long type, data; unsigned gpu_instance, compute_instance; } event_data;

static int boards[16];
static void *sets[64];
static int set_count;
static long board_0_asked;
static unsigned long long ticks;

static int steer(const char *key, char *first, int *second) {
    const char *name = getenv("STUB_NVML_STEER");
    FILE *file = name ? fopen(name, "r") : NULL;
    char line[256], word[64];
    int found = 0;
    while (file && !found && fgets(line, sizeof line, file)) {
        *second = 0;
        found = sscanf(line, "%63s %63s %d", word, first, second) >= 2 && strcmp(word, key) == 0;
    }
    if (file) fclose(file);
    return found;
}

static int mode(const char *wanted) {
    char text[64]; int unused;
    return steer("mode", text, &unused) && strcmp(text, wanted) == 0;
}

/* What a call must do before it answers: its return code, after hanging if it is told to. */
static int begin(const char *function, const void *board) {
    char text[64]; int number;
    int is_board_0 = board == &boards[0];
    if (is_board_0 && steer("hang", text, &number) && strcmp(text, function) == 0) {
        struct timespec pause = { number / 1000, (number % 1000) * 1000000L };
        nanosleep(&pause, NULL);
    }
    if (is_board_0 && steer("lost-after", text, &number) && board_0_asked >= atol(text)) return GPU_IS_LOST;
    if (steer("fail", text, &number) && strcmp(text, function) == 0) return number;
    return SUCCESS;
}

static unsigned wobble(void) { return mode("freeze") ? 0 : (unsigned)(++ticks % 7) * 1000; }

#define BEGIN(board) do { int code = begin(__func__ + strlen("nvml"), board); if (code) return code; } while (0)

int nvmlInit_v2(void) { BEGIN(NULL); return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }

int nvmlSystemGetDriverVersion(char *text, unsigned length) {
    BEGIN(NULL);
    snprintf(text, length, "580.95.05");
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    char text[64]; int unused;
    BEGIN(NULL);
    *count = steer("boards", text, &unused) ? (unsigned)atoi(text) : 2;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **board) {
    BEGIN(NULL);
    *board = &boards[index];
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(void *board, pci_info *info) {
    BEGIN(board);
    memset(info, 0, sizeof *info);
    info->bus = (unsigned)((int *)board - boards) + 1;
    snprintf(info->bus_id, sizeof info->bus_id, "00000000:%02X:00.0", info->bus);
    return SUCCESS;
}

int nvmlDeviceGetName(void *board, char *text, unsigned length) {
    BEGIN(board);
    snprintf(text, length, "NVIDIA H200");
    return SUCCESS;
}

int nvmlDeviceGetArchitecture(void *board, unsigned *architecture) {
    BEGIN(board);
    *architecture = 9;
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(void *board, unsigned *milliwatts) {
    BEGIN(board);
    if (mode("mig")) return NOT_SUPPORTED;
    *milliwatts = mode("zero") ? 0 : 280000 + wobble();
    return SUCCESS;
}

#ifndef OLD_DRIVER
static void fill(field_value *value) {
    char text[64]; int code;
    int superchip = mode("superchip"), scopes = superchip || mode("scopes") || mode("ignores-scope");
    unsigned watts = value->field == FIELD_INSTANT ? 300 : 290;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    value->timestamp_us = mode("stale") ? 1 : now.tv_sec * 1000000LL + now.tv_nsec / 1000;
    value->latency_us = 120;
    value->value_type = 1;
    value->code = SUCCESS;
    if (steer("fail", text, &code) && strcmp(text, "value") == 0) value->code = (unsigned)code;
    if (mode("mig") || (value->field != FIELD_AVERAGE && value->field != FIELD_INSTANT)) value->code = NOT_SUPPORTED;
    if (value->scope == SCOPE_GPU && superchip) value->code = INVALID_ARGUMENT;
    if (value->scope != SCOPE_GPU && !scopes) value->code = NOT_SUPPORTED;
    if (mode("ignores-scope")) { value->value.u = watts * 1000; return; }
    if (value->scope == SCOPE_MODULE) watts = value->field == FIELD_INSTANT ? 900 : 880;
    if (value->scope == SCOPE_MEMORY) watts = value->field == FIELD_INSTANT ? 80 : 70;
    value->value.u = mode("zero") ? 0 : watts * 1000 + wobble();
}

int nvmlDeviceGetFieldValues(void *board, int count, field_value *values) {
    if (board == &boards[0]) board_0_asked++;
    BEGIN(board);
    for (int i = 0; i < count; i++) fill(&values[i]);
    return SUCCESS;
}

int nvmlDeviceGetTotalEnergyConsumption(void *board, unsigned long long *millijoules) {
    BEGIN(board);
    if (mode("mig")) return NOT_SUPPORTED;
    ticks++;
    *millijoules = mode("zero") ? 0 : mode("freeze") ? 5000000 : mode("backwards") ? 9000000 - ticks * 1000
                                                               : 5000000 + ticks * 1000;
    return SUCCESS;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *board, unsigned long long *bits) {
    BEGIN(board);
    *bits = 4;
    return SUCCESS;
}

/* An event set points into `sets`, which says whose events it holds. */
static int told;

int nvmlEventSetWait_v2(void *set, event_data *data, unsigned timeout_ms) {
    char text[64]; int unused;
    void *board = *(void **)set;
    BEGIN(board);
    (void)timeout_ms;
    if (board != &boards[0] || !steer("events", text, &unused) || told >= atoi(text)) return TIMEOUT;
    told++;
    memset(data, 0, sizeof *data);
    data->board = board;
    data->type = EVENT_XID;
    data->data = 79;
    return SUCCESS;
}

int nvmlDeviceGetViolationStatus(void *board, int policy, violation_time *time) {
    BEGIN(board);
    (void)policy;
    time->violation_ns = 250000000ULL;
    return SUCCESS;
}
#endif

int nvmlDeviceGetClockInfo(void *board, int clock, unsigned *megahertz) {
    BEGIN(board);
    *megahertz = clock == 2 ? 3201 : 1980;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(void *board, int sensor, unsigned *celsius) {
    BEGIN(board);
    (void)sensor;
    *celsius = 55;
    return SUCCESS;
}

int nvmlDeviceGetEnforcedPowerLimit(void *board, unsigned *milliwatts) {
    BEGIN(board);
    *milliwatts = 650000;
    return SUCCESS;
}

int nvmlDeviceGetPowerManagementDefaultLimit(void *board, unsigned *milliwatts) {
    BEGIN(board);
    *milliwatts = 700000;
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *board, unsigned *count, void *processes) {
    BEGIN(board);
    (void)processes;
    *count = 0;
    return SUCCESS;
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(void *board, unsigned *count, void *processes) {
    BEGIN(board);
    (void)processes;
    *count = 0;
    return SUCCESS;
}

static unsigned long long number(const char *key) {
    char text[64]; int unused;
    return steer(key, text, &unused) ? strtoull(text, NULL, 10) : 0;
}

static int ecc(const char *wanted) {
    char text[64]; int unused;
    return steer("ecc", text, &unused) && strcmp(text, wanted) == 0;
}

int nvmlDeviceGetEccMode(void *board, int *current, int *pending) {
    BEGIN(board);
    if (mode("mig")) return NOT_SUPPORTED;
    *current = *pending = !ecc("off");
    return SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(void *board, int kind, int since, unsigned long long *count) {
    BEGIN(board);
    if (mode("mig") || (since == VOLATILE && ecc("no-volatile"))) return NOT_SUPPORTED;
    *count = number(kind == 0 ? "corrected" : "uncorrected");
    return SUCCESS;
}

int nvmlDeviceGetPcieReplayCounter(void *board, unsigned *count) {
    BEGIN(board);
    if (mode("mig")) return NOT_SUPPORTED;
    *count = (unsigned)number("replays");
    return SUCCESS;
}

int nvmlDeviceGetSupportedEventTypes(void *board, unsigned long long *types) {
    BEGIN(board);
    if (mode("mig")) return NOT_SUPPORTED;
    *types = EVENT_XID;
    return SUCCESS;
}

int nvmlEventSetCreate(void **set) {
    BEGIN(NULL);
    *set = &sets[set_count++ % 64];
    return SUCCESS;
}

int nvmlDeviceRegisterEvents(void *board, unsigned long long types, void *set) {
    BEGIN(board);
    (void)types;
    *(void **)set = board;
    return SUCCESS;
}

int nvmlEventSetFree(void *set) { (void)set; return SUCCESS; }

int nvmlDeviceGetUUID(void *board, char *text, unsigned length) {
    BEGIN(board);
    snprintf(text, length, "GPU-00000000-0000-0000-0000-%012d", (int)((int *)board - boards));
    return SUCCESS;
}

int nvmlDeviceGetSerial(void *board, char *text, unsigned length) {
    BEGIN(board);
    snprintf(text, length, "16510%08d", (int)((int *)board - boards));
    return SUCCESS;
}
