/*
 * The floor under the JavaScript figures: what a C program gets out of the same work on the same machine.
 *
 *     floor echo   CPU CPU WARM COUNT TIMED              round trips of 64 B, both sides spinning
 *     floor stream inplace|copied BYTES BATCH WARM COUNT CPU CPU   one way, a tail store for each BATCH messages
 *     floor lock   CPU COUNT                             uncontended lock and unlock of a plain futex lock
 *
 * - The ring has the layout and the rules of docs/shared-memory-layout.md: records of an 8-byte header and an 8-aligned
 *   payload, padding at the end of a lap, head and tail and both signal words on lines of their own, the other side's
 *   position remembered, room given back every quarter of the ring, every header checked before it is followed, and a
 *   look at the other side's signal after each publish and release.
 * - Two processes (fork) share the pages and are pinned with sched_setaffinity, the call that taskset makes.
 * - Messages are those of message.ts: word 0 is the sequence number, the last word its complement, the words between a
 *   pattern. Every word is verified in the first half of the warm-up, the first and last of every message afterwards.
 * - Answers with one JSON object on stdout. Exit codes: 0 fine, 1 failed or corrupt, 2 wrong usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CAPACITY = 1 << 20, HEADER = 8, ECHO_BYTES = 64, PARTS = 50, WATCHDOG_SECONDS = 60 };
enum { SIGNAL_AWAKE = 0 };
static const uint32_t PATTERN_STEP = 0x2545f491;

/* A ring's region. The alignments are the layout's: 128, 256, 384, 512 and data from 640. */
struct ring {
    _Alignas(128) uint32_t format[2];
    _Alignas(128) _Atomic uint32_t tail;
    _Alignas(128) _Atomic uint32_t head;
    _Alignas(128) _Atomic uint32_t consumer_signal;
    _Alignas(128) _Atomic uint32_t producer_signal;
    _Alignas(128) uint8_t data[CAPACITY];
};

/* What both processes share: the two rings, and what the other process found corrupt. */
struct shared {
    struct ring there, back;
    _Atomic uint64_t corrupt;
};

struct producer {
    struct ring *ring;
    uint32_t reserved, published, limit, head;
};

struct consumer {
    struct ring *ring;
    uint32_t head;
};

static void fail(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * Times equal parts of `total` things counted from `warm` on, and answers with the median part's time for one: another
 * process that takes the CPU for a moment spoils the parts it falls in and no others.
 */
struct parts {
    uint32_t warm, total, marks, next; /* mark when the count is `next` */
    uint64_t last;
    double each_ns[PARTS];
};

static uint32_t boundary(const struct parts *parts, uint32_t part)
{
    return parts->warm + (uint32_t)((uint64_t)parts->total * part / PARTS);
}

static __attribute__((noinline)) void mark(struct parts *parts)
{
    uint64_t now = now_ns();
    uint32_t part = parts->marks++;
    if (part > 0) {
        parts->each_ns[part - 1] = (double)(now - parts->last) / (parts->next - boundary(parts, part - 1));
    }
    parts->next = part < PARTS ? boundary(parts, part + 1) : UINT32_MAX;
    parts->last = now;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ns(struct parts *parts)
{
    qsort(parts->each_ns, PARTS, sizeof parts->each_ns[0], by_value);
    return parts->each_ns[PARTS / 2];
}

static void pin(int cpu)
{
    cpu_set_t set;
    if (cpu < 0) return; /* not asked to */
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) fail("can't pin to the CPU");
}

/* ---- messages ---- */

/* In place: every word is written, as an application that builds its message in the ring does. */
static void fill(uint32_t *words, uint32_t count, uint32_t sequence)
{
    uint32_t last = count - 1;
    uint32_t word = sequence;
    words[0] = sequence;
    for (uint32_t i = 1; i < last; i++) {
        word += PATTERN_STEP;
        words[i] = word;
    }
    words[last] = ~sequence;
}

/* The words of a message that is copied: its pattern doesn't depend on the sequence number, which is stamped in. */
static void stamp(uint32_t *words, uint32_t count, uint32_t sequence)
{
    words[0] = sequence;
    words[count - 1] = ~sequence;
}

static int ends_are_right(const uint32_t *words, uint32_t count, uint32_t sequence)
{
    return words[0] == sequence && words[count - 1] == ~sequence;
}

static int all_is_right(const uint32_t *words, uint32_t count, uint32_t sequence, uint32_t first)
{
    uint32_t word = first;
    if (!ends_are_right(words, count, sequence)) return 0;
    for (uint32_t i = 1; i < count - 1; i++) {
        word += PATTERN_STEP;
        if (words[i] != word) return 0;
    }
    return 1;
}

/* ---- the ring ---- */

static uint32_t record_size(uint32_t length)
{
    return (length + HEADER + 7u) & ~7u;
}

static void write_length(struct ring *ring, uint32_t position, int32_t length)
{
    *(int32_t *)(ring->data + (position & (CAPACITY - 1))) = length;
}

/* The rare half of reserving: looks where the consumer is, and goes to the next lap if this one has too little room. */
static int make_room(struct producer *p, uint32_t size)
{
    uint32_t to_lap_end = CAPACITY - (p->reserved & (CAPACITY - 1));
    uint32_t padding = size > to_lap_end ? to_lap_end : 0;
    if (p->head + CAPACITY - p->reserved < padding + size) {
        p->head = atomic_load(&p->ring->head);
        if (p->published - p->head > CAPACITY || p->head % 8 != 0) fail("head can't be");
        if (p->head + CAPACITY - p->reserved < padding + size) return 0;
    }
    if (padding > 0) {
        write_length(p->ring, p->reserved, ~(int32_t)(padding - HEADER));
        p->reserved += padding;
    }
    uint32_t room = p->head + CAPACITY - p->reserved;
    uint32_t lap = CAPACITY - (p->reserved & (CAPACITY - 1));
    p->limit = p->reserved + (room < lap ? room : lap);
    return 1;
}

/* Where the payload of a record of `length` bytes goes, or NULL when there is no room. */
static uint8_t *reserve(struct producer *p, uint32_t length)
{
    uint32_t size = record_size(length);
    if ((int32_t)(p->limit - p->reserved) < (int32_t)size && !make_room(p, size)) return NULL;
    uint8_t *record = p->ring->data + (p->reserved & (CAPACITY - 1));
    *(int32_t *)record = (int32_t)length;
    p->reserved += size;
    return record + HEADER;
}

static void publish(struct producer *p)
{
    if (p->reserved == p->published) return;
    atomic_store(&p->ring->tail, p->reserved);
    p->published = p->reserved;
    /* Both sides spin here, so nobody ever asks to be woken; the look itself belongs to the protocol. */
    if (atomic_load(&p->ring->consumer_signal) != SIGNAL_AWAKE) fail("nobody parks here");
}

static uint8_t *reserve_spinning(struct producer *p, uint32_t length)
{
    uint8_t *payload = reserve(p, length);
    if (payload != NULL) return payload;
    publish(p);
    while ((payload = reserve(p, length)) == NULL) pause_cpu();
    return payload;
}

static void release(struct consumer *c, uint32_t head)
{
    c->head = head;
    atomic_store(&c->ring->head, head);
    if (atomic_load(&c->ring->producer_signal) != SIGNAL_AWAKE) fail("nobody parks here");
}

typedef void on_record(void *context, const uint8_t *payload, uint32_t length);

/* Waits for records, then calls `deliver` for each there is. Inlined, so that `deliver` is too. */
static inline __attribute__((always_inline)) void read_spinning(struct consumer *c, on_record *deliver, void *context)
{
    struct ring *ring = c->ring;
    uint32_t head = c->head, tail;
    while ((tail = atomic_load(&ring->tail)) == head) pause_cpu();
    if (tail - head > CAPACITY || tail % 8 != 0) fail("tail can't be");
    while (head != tail) {
        uint32_t stop = tail - head > CAPACITY / 4 ? head + CAPACITY / 4 : tail;
        while ((int32_t)(stop - head) > 0) {
            uint32_t at = head & (CAPACITY - 1);
            int32_t length = *(const int32_t *)(ring->data + at);
            if (length < 0) {
                uint32_t padding = CAPACITY - at;
                if (~length != (int32_t)(padding - HEADER) || padding > tail - head) fail("no padding");
                head += padding;
                continue;
            }
            uint32_t size = record_size((uint32_t)length);
            if (length > CAPACITY / 2 || size > tail - head || at + size > CAPACITY) fail("no record");
            head += size;
            deliver(context, ring->data + at + HEADER, (uint32_t)length);
        }
        release(c, head);
    }
}

/* ---- echo ---- */

struct echo {
    struct producer out;
    struct consumer in;
    uint32_t next;
    uint64_t corrupt;
};

static inline void echo_receive(void *context, const uint8_t *payload, uint32_t length)
{
    struct echo *side = context;
    if (length != ECHO_BYTES || !all_is_right((const uint32_t *)payload, ECHO_BYTES / 4, side->next, side->next)) {
        side->corrupt++;
    }
    side->next++;
}

static void echo_send(struct echo *side, uint32_t sequence)
{
    fill((uint32_t *)reserve_spinning(&side->out, ECHO_BYTES), ECHO_BYTES / 4, sequence);
    publish(&side->out);
}

static void echo_trips(struct echo *side, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        echo_send(side, side->next);
        read_spinning(&side->in, echo_receive, side);
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void echo_ask(struct shared *shared, uint32_t warm, uint32_t count, uint32_t timed)
{
    struct echo side = {.out = {.ring = &shared->there}, .in = {.ring = &shared->back}};
    uint32_t *nanoseconds = calloc(timed, sizeof *nanoseconds);
    if (nanoseconds == NULL) fail("no memory");
    echo_trips(&side, warm);
    /* The mean is taken without a clock in the loop, the percentiles with one reading a round trip. */
    struct parts parts = {.total = count};
    for (uint32_t done = 0; done < count; done = parts.next) {
        mark(&parts);
        echo_trips(&side, parts.next - done);
    }
    mark(&parts);
    double mean = median_ns(&parts);
    uint64_t before = now_ns();
    for (uint32_t i = 0; i < timed; i++) {
        echo_trips(&side, 1);
        uint64_t after = now_ns();
        nanoseconds[i] = (uint32_t)(after - before);
        before = after;
    }
    wait(NULL);
    qsort(nanoseconds, timed, sizeof *nanoseconds, by_size);
    printf("{\"meanNs\":%.2f,\"p50Ns\":%u,\"p99Ns\":%u,\"verified\":%u,\"corrupt\":%llu}\n", mean,
           nanoseconds[timed / 2], nanoseconds[(uint64_t)timed * 99 / 100], 2 * side.next,
           (unsigned long long)(side.corrupt + atomic_load(&shared->corrupt)));
}

static void echo_answer(struct shared *shared, uint32_t total)
{
    struct echo side = {.out = {.ring = &shared->back}, .in = {.ring = &shared->there}};
    while (side.next < total) {
        uint32_t sequence = side.next;
        read_spinning(&side.in, echo_receive, &side);
        echo_send(&side, sequence);
    }
    atomic_fetch_add(&shared->corrupt, side.corrupt);
}

/* ---- stream ---- */

struct receiver {
    uint32_t next, warm, words;
    int copied;
    uint64_t corrupt;
    struct parts parts;
};

static inline void stream_receive(void *context, const uint8_t *payload, uint32_t length)
{
    struct receiver *r = context;
    const uint32_t *words = (const uint32_t *)payload;
    if (r->next == r->parts.next) mark(&r->parts);
    if (length != r->words * 4 ||
        !(r->next < r->warm / 2 ? all_is_right(words, r->words, r->next, r->copied ? 0 : r->next)
                            : ends_are_right(words, r->words, r->next))) {
        r->corrupt++;
    }
    r->next++;
}

static void stream_receive_all(struct shared *shared, struct receiver *receiver, uint32_t total)
{
    struct consumer in = {.ring = &shared->there};
    while (receiver->next < total) read_spinning(&in, stream_receive, receiver);
    mark(&receiver->parts);
    printf("{\"messagesPerSecond\":%.0f,\"verified\":%u,\"corrupt\":%llu}\n", 1e9 / median_ns(&receiver->parts),
           receiver->next, (unsigned long long)receiver->corrupt);
}

static void stream_send_all(struct shared *shared, uint32_t bytes, uint32_t batch, int copied, uint32_t total)
{
    struct producer out = {.ring = &shared->there};
    uint32_t words = bytes / 4;
    uint32_t *message = calloc(1, bytes);
    if (message == NULL) fail("no memory");
    fill(message, words, 0);
    for (uint32_t sequence = 0; sequence < total;) {
        for (uint32_t end = sequence + batch; sequence < end; sequence++) {
            uint8_t *payload = reserve_spinning(&out, bytes);
            if (copied) {
                stamp(message, words, sequence);
                memcpy(payload, message, bytes);
            } else {
                fill((uint32_t *)payload, words, sequence);
            }
        }
        publish(&out);
    }
    free(message);
}

/* ---- a plain futex lock: Drepper, "Futexes Are Tricky", mutex 2 ---- */

struct lock {
    _Atomic uint32_t word; /* 0 free, 1 taken, 2 taken and somebody sleeps */
};

static void take(struct lock *lock)
{
    uint32_t seen = 0;
    if (atomic_compare_exchange_strong(&lock->word, &seen, 1)) return;
    if (seen != 2) seen = atomic_exchange(&lock->word, 2);
    while (seen != 0) {
        syscall(SYS_futex, &lock->word, FUTEX_WAIT, 2, NULL, NULL, 0);
        seen = atomic_exchange(&lock->word, 2);
    }
}

static void give_back(struct lock *lock)
{
    if (atomic_exchange(&lock->word, 0) == 2) syscall(SYS_futex, &lock->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void time_lock(struct shared *shared, uint32_t count)
{
    struct lock *lock = (struct lock *)&shared->there.tail;
    volatile uint32_t *counter = (volatile uint32_t *)shared->back.data;
    struct parts parts = {.warm = count, .total = count, .next = count};
    for (uint32_t i = 0; i < 2 * count; i++) {
        if (i == parts.next) mark(&parts);
        take(lock);
        *counter = *counter + 1;
        give_back(lock);
    }
    mark(&parts);
    printf("{\"pairNs\":%.3f,\"verified\":%u,\"corrupt\":%u}\n", median_ns(&parts), *counter, 2 * count - *counter);
}

/* ---- the command line ---- */

static uint32_t number(const char *text)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < -1 || value > INT32_MAX) {
        fprintf(stderr, "floor: not a number that fits: %s\n", text);
        exit(2);
    }
    return (uint32_t)value;
}

/* Starts the other process, which dies with this one, and tells which of the two this is. */
static int fork_pinned(int cpu, int cpu_of_child)
{
    fflush(stdout);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) exit(1);
    }
    /* A process whose partner died would spin for ever. */
    alarm(WATCHDOG_SECONDS);
    pin(child == 0 ? cpu_of_child : cpu);
    return child == 0;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (shared == MAP_FAILED) fail("mmap");
    if (strcmp(command, "echo") == 0 && argc == 7) {
        uint32_t warm = number(argv[4]), count = number(argv[5]), timed = number(argv[6]);
        if (fork_pinned((int)number(argv[2]), (int)number(argv[3]))) echo_answer(shared, warm + count + timed);
        else echo_ask(shared, warm, count, timed);
    } else if (strcmp(command, "stream") == 0 && argc == 9) {
        int copied = strcmp(argv[2], "copied") == 0;
        uint32_t bytes = number(argv[3]), batch = number(argv[4]), warm = number(argv[5]);
        uint32_t total = warm + number(argv[6]);
        if (bytes < 8 || bytes % 8 != 0 || batch == 0 || total % batch != 0 || batch * bytes > CAPACITY / 2) {
            fprintf(stderr, "floor: bytes must be a multiple of 8, and all messages a multiple of the batch\n");
            return 2;
        }
        struct receiver receiver = {
            .warm = warm,
            .words = bytes / 4,
            .copied = copied,
            .parts = {.warm = warm, .total = total - warm, .next = warm},
        };
        if (fork_pinned((int)number(argv[8]), (int)number(argv[7]))) {
            stream_send_all(shared, bytes, batch, copied, total);
        } else {
            stream_receive_all(shared, &receiver, total);
            wait(NULL);
        }
    } else if (strcmp(command, "lock") == 0 && argc == 4) {
        pin((int)number(argv[2]));
        time_lock(shared, number(argv[3]));
    } else {
        fprintf(stderr, "usage: floor echo CPU CPU WARM COUNT TIMED | "
                        "stream inplace|copied BYTES BATCH WARM COUNT CPU CPU | lock CPU COUNT\n");
        return 2;
    }
    return 0;
}
