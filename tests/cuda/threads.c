/* Threads of a block on the CPU, for a kernel that was PTX (translated.py) and stands below this text: fibers
 * that go from barrier to barrier, in an order drawn anew each time. Memory is looked after as in the
 * emulator: what is outside of an array, or not aligned, is an error; what is being copied is NaNs as yet. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { SHARED = 1024, STACK = 1 << 17, MOST_THREADS = 1024, COPIES = 512, GROUPS = 16 };
enum { READY, AT_BLOCK, AT_WARP, ENDED };
static const uint64_t GENERIC = 0x7f00000000; /* where shared memory is among generic addresses */

typedef struct {
  uint32_t to, size;
  uint8_t data[16];
} Copy;

typedef struct {
  uint32_t index;
  int state, begun;
  jmp_buf here;
  ucontext_t entry;
  Copy copies[COPIES];
  uint32_t first, last, groups, ends[GROUPS]; /* copies under way; committed groups, where each ends */
} Thread;

typedef struct {
  uint64_t begin, end;
} Range;

static Thread *threads[MOST_THREADS];
static Thread *self;
static uint32_t thread_count, block_index[3], shared_bytes, range_count;
static uint8_t *shared_memory;
static const Range *ranges, *last_range, nowhere = {1, 0};
static const uint64_t *args;
static jmp_buf scheduler;
static char message[200];
static uint64_t drawn = 88172645463325252u;

static void kernel(void);

static uint32_t draw(void) {
  drawn ^= drawn << 13, drawn ^= drawn >> 7, drawn ^= drawn << 17;
  return (uint32_t)(drawn >> 32);
}

static __attribute__((noinline, noreturn, format(printf, 1, 2))) void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(message, sizeof message, format, values);
  va_end(values);
  _longjmp(scheduler, 1);
}

/* --- Memory ------------------------------------------------------------------------------------- */

#define INLINE static inline __attribute__((always_inline)) /* where sizes are literals */

INLINE void *shared_at(uint32_t address, uint32_t size) {
  uint32_t at = address - SHARED;
  if (at % size || at > shared_bytes - size)
    fail("%u bytes of shared memory at %u, which begins at %u", size, address, SHARED);
  return shared_memory + at;
}

static __attribute__((noinline)) const Range *range_of(uint64_t address, uint64_t size) {
  for (const Range *range = ranges; range < ranges + range_count; ++range)
    if (range->begin <= address && address + size <= range->end) return range;
  fail("%d bytes of global memory at %#lx are in no array", (int)size, (long)address);
}

INLINE void *global_at(uint64_t address, uint64_t size, uint64_t alignment) {
  if (address % alignment) fail("%d bytes of global memory at %#lx, not aligned", (int)size, (long)address);
  if (address < last_range->begin || address + size > last_range->end) last_range = range_of(address, size);
  return (void *)address;
}

INLINE void copy_later(uint32_t to, uint64_t start, uint32_t size, uint32_t count) {
  Copy *copy = &self->copies[self->last++ % COPIES];
  if (count > size || self->last - self->first > COPIES) fail("a copy of %u of %u bytes", count, size);
  if (start % size) fail("%u bytes are copied from %#lx, not aligned", size, (long)start);
  copy->to = to, copy->size = size;
  if (count == size) {
    memcpy(copy->data, global_at(start, size, 1), size);
  } else {
    memset(copy->data, 0, size);
    if (count) memcpy(copy->data, global_at(start, count, 1), count);
  }
  memset(shared_at(to, size), 0xFF, size);
}

static void commit(void) {
  if (self->groups == GROUPS) fail("%u groups of copies are under way", GROUPS);
  self->ends[self->groups++] = self->last;
}

static void wait_for_copies(uint32_t groups) {
  uint32_t done = self->groups > groups ? self->groups - groups : 0;
  if (!done) return;
  for (; self->first != self->ends[done - 1]; ++self->first) {
    Copy *copy = &self->copies[self->first % COPIES];
    uint8_t *to = shared_memory + (copy->to - SHARED);
    if (copy->size == 4) memcpy(to, copy->data, 4);
    if (copy->size == 8) memcpy(to, copy->data, 8);
    if (copy->size == 16) memcpy(to, copy->data, 16);
  }
  self->groups -= done;
  memmove(self->ends, self->ends + done, self->groups * sizeof *self->ends);
}

/* --- Whose turn it is ----------------------------------------------------------------------------- */

static __attribute__((noinline)) void stop(int state) {
  self->state = state;
  if (!_setjmp(self->here)) _longjmp(scheduler, 1);
}

static void barrier(int state, uint32_t begin, uint32_t count) {
  uint32_t there = 1;
  for (uint32_t i = begin; i < begin + count; ++i) there += threads[i]->state == state;
  if (there < count) {
    stop(state);
    return;
  }
  for (uint32_t i = begin; i < begin + count; ++i)
    if (threads[i]->state == state) threads[i]->state = READY;
}

static void block_barrier(void) { barrier(AT_BLOCK, 0, thread_count); }
static void warp_barrier(void) { barrier(AT_WARP, self->index / 32 * 32, 32); }

static void live(void) {
  for (;;) {
    kernel();
    stop(ENDED);
  }
}

static void go_on(Thread *thread) {
  self = thread;
  if (_setjmp(scheduler)) return;
  if (thread->begun) _longjmp(thread->here, 1);
  thread->begun = 1;
  getcontext(&thread->entry);
  thread->entry.uc_stack.ss_sp = malloc(STACK);
  thread->entry.uc_stack.ss_size = STACK;
  makecontext(&thread->entry, live, 0);
  setcontext(&thread->entry);
}

static void run_block(void) {
  memset(shared_memory, 0xFF, shared_bytes);
  for (uint32_t i = 0; i < thread_count; ++i) {
    Thread *thread = threads[i];
    thread->index = i, thread->state = READY;
    thread->first = thread->last = thread->groups = 0;
  }
  for (uint32_t ended = 0; ended < thread_count;) {
    int waited = 1;
    uint32_t start = draw(), step = draw() | 1; /* each thread once: their number is a power of 2 */
    for (uint32_t i = 0; i < thread_count; ++i) {
      Thread *thread = threads[(start + i * step) % thread_count];
      if (thread->state != READY) continue;
      waited = 0;
      go_on(thread);
      if (*message) return;
      ended += thread->state == ENDED;
    }
    if (waited) {
      snprintf(message, sizeof message, "threads wait for what does not come");
      return;
    }
  }
}

const char *launch(const uint32_t *blocks, uint32_t count, uint32_t bytes, const uint64_t *arguments,
                   const Range *memory, uint32_t arrays) {
  static uint8_t *room;
  if (!room) room = malloc(1 << 18);
  *message = 0;
  shared_memory = room, shared_bytes = bytes, thread_count = count;
  args = arguments, ranges = memory, last_range = &nowhere, range_count = arrays;
  for (uint32_t i = 0; i < count; ++i)
    if (!threads[i]) threads[i] = calloc(1, sizeof(Thread));
  for (block_index[2] = 0; block_index[2] < blocks[2]; ++block_index[2])
    for (block_index[1] = 0; block_index[1] < blocks[1]; ++block_index[1])
      for (block_index[0] = 0; block_index[0] < blocks[0]; ++block_index[0]) {
        run_block();
        if (!*message) continue;
        for (uint32_t i = 0; i < count; ++i) threads[i]->begun = 0; /* their stacks are lost */
        return message;
      }
  return message;
}

/* --- Instructions without a word in C --------------------------------------------------------------- */

#define SAME_BITS(name, from, to)            \
  static inline to name(from x) {            \
    to y;                                    \
    memcpy(&y, &x, sizeof y);                \
    return y;                                \
  }
SAME_BITS(f32_of, uint32_t, float)
SAME_BITS(b32_of, float, uint32_t)
SAME_BITS(f64_of, uint64_t, double)
SAME_BITS(b64_of, double, uint64_t)
SAME_BITS(half_of, uint16_t, _Float16)
SAME_BITS(b16_of, _Float16, uint16_t)

static inline uint16_t bfloat16_of(float x) {
  uint32_t bits = b32_of(x);
  return x != x ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
