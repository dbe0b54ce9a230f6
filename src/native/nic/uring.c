/*
 * io_uring as a system call that takes many: every request completes inside the call that submits it, and none is under
 * way afterwards. So there is no state between two calls, frames keep their order, and whoever owns a descriptor may
 * close it at any time.
 *
 * That holds because no request waits: reads and writes have RWF_NOWAIT, sends MSG_DONTWAIT, so the kernel carries each
 * out at once, one after the other, or fails it with EAGAIN; without these it would put aside what cannot be done at
 * once. A kernel whose TAPs lack it (before Linux 6.4) says EOPNOTSUPP, which the self-test finds out.
 *
 * When the ring fails, now or later, the calls that it has not made are made one by one: no frame is lost by that.
 */
#include "uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x08
#endif
/* Of Linux 5.18 and 6.0, which the headers of an older system lack. */
#define SETUP_SUBMIT_ALL (1u << 7)
#define REGISTER_SYNC_CANCEL 24
#define CANCEL_ANY (1u << 2)

/* A call without a result. */
#define NONE INT32_MIN
/* How often a submission is tried again after a signal. */
#define MOST_SIGNALS 16
/* What an unfinished request may take, in all: a kernel that keeps one is not used again. */
#define PATIENCE_MS 20

struct cancel {
  uint64_t address;
  int32_t fd;
  uint32_t flags;
  struct {
    int64_t seconds, nanoseconds;
  } timeout;
  uint64_t padding[4];
};

struct ot_uring {
  int fd;
  uint32_t least;
  uint8_t *memory;
  size_t bytes;
  struct io_uring_sqe *entries;
  size_t entries_bytes;
  uint32_t *tail, mask;
  uint32_t *done_head, *done_tail, done_mask;
  struct io_uring_cqe *done;
};

/* ---- Opening ---- */

/*
 * A call by the ring costs some 0.2 us more than by itself, and one system call less. So the fewest that pay depend on
 * the price of a system call, which differs by a factor of five between machines: the best of a few is taken.
 */
static uint32_t fewest(void) {
  int64_t best = INT64_MAX;
  for (int i = 0; i < 16; i++) {
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    syscall(SYS_getppid);
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t took = (int64_t)(end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec;
    if (took < best) best = took;
  }
  return best > 500 ? 2 : 4;
}

static void *map(int fd, size_t bytes, off_t offset) {
  void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
  return at == MAP_FAILED ? NULL : at;
}

/* Maps the memory that is shared with the kernel. Returns 0 or an errno. */
static int share(struct ot_uring *ring, const struct io_uring_params *params) {
  if (!(params->features & IORING_FEAT_SINGLE_MMAP) || !(params->features & IORING_FEAT_NODROP)) return ENOSYS;
  size_t end = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
  size_t done_end = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
  ring->bytes = done_end > end ? done_end : end;
  ring->entries_bytes = params->sq_entries * sizeof(struct io_uring_sqe);
  ring->memory = map(ring->fd, ring->bytes, IORING_OFF_SQ_RING);
  ring->entries = ring->memory ? map(ring->fd, ring->entries_bytes, IORING_OFF_SQES) : NULL;
  if (!ring->entries) return errno;
  uint8_t *memory = ring->memory;
  ring->tail = (uint32_t *)(memory + params->sq_off.tail);
  ring->mask = params->sq_entries - 1;
  ring->done_head = (uint32_t *)(memory + params->cq_off.head);
  ring->done_tail = (uint32_t *)(memory + params->cq_off.tail);
  ring->done_mask = params->cq_entries - 1;
  ring->done = (struct io_uring_cqe *)(memory + params->cq_off.cqes);
  for (uint32_t i = 0; i < params->sq_entries; i++) ((uint32_t *)(memory + params->sq_off.array))[i] = i;
  return 0;
}

struct ot_uring *ot_uring_open(struct ot_fault *fault) {
  /* A refused request does not keep the next ones from being submitted. */
  struct io_uring_params params = {.flags = SETUP_SUBMIT_ALL};
  struct ot_uring *ring = calloc(1, sizeof *ring);
  int number = ring ? 0 : ENOMEM;
  if (ring) {
    ring->least = fewest();
    ring->fd = (int)syscall(SYS_io_uring_setup, OT_URING_CALLS, &params);
    number = ring->fd < 0 ? errno : share(ring, &params);
  }
  if (!number) return ring;
  if (ring) ot_uring_close(ring);
  ot_fail(fault, number, "io_uring_setup", "making system calls in batches");
  return NULL;
}

void ot_uring_close(struct ot_uring *ring) {
  if (!ring) return;
  if (ring->entries) munmap(ring->entries, ring->entries_bytes);
  if (ring->memory) munmap(ring->memory, ring->bytes);
  if (ring->fd >= 0) close(ring->fd);
  free(ring);
}

uint32_t ot_uring_least(const struct ot_uring *ring) { return ring->least; }

/* ---- One by one ---- */

static ssize_t make_call(const struct ot_call *call) {
  void *data = (void *)call->data;
  /* Bare system calls, without the thread cancellation handling of the library's. */
  if (call->kind == OT_CALL_READ) return syscall(SYS_read, call->fd, data, (size_t)call->size);
  if (call->kind == OT_CALL_WRITE) return syscall(SYS_write, call->fd, data, (size_t)call->size);
  if (call->kind == OT_CALL_WRITEV) return syscall(SYS_writev, call->fd, data, (size_t)call->size);
  return sendmsg(call->fd, data, MSG_DONTWAIT);
}

void ot_call_each(struct ot_call *calls, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    ssize_t result;
    do result = make_call(&calls[i]);
    while (result < 0 && errno == EINTR);
    calls[i].result = result < 0 ? -errno : (int32_t)result;
  }
}

/* ---- Together ---- */

static void write_entry(struct io_uring_sqe *entry, const struct ot_call *call, uint32_t i) {
  static const uint8_t operations[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_WRITEV, IORING_OP_SENDMSG};
  memset(entry, 0, sizeof *entry);
  entry->opcode = operations[call->kind];
  entry->fd = call->fd;
  entry->addr = (uint64_t)(uintptr_t)call->data;
  entry->len = call->kind == OT_CALL_SEND ? 1 : call->size;
  if (call->kind == OT_CALL_SEND) entry->msg_flags = MSG_DONTWAIT;
  else entry->rw_flags = RWF_NOWAIT;
  entry->user_data = i;
}

static long enter(const struct ot_uring *ring, uint32_t count, uint32_t least, uint32_t flags) {
  return syscall(SYS_io_uring_enter, ring->fd, count, least, flags, NULL, 0);
}

/* Returns how many of the requests the kernel has taken; if not all, *number is the errno. */
static uint32_t submit(const struct ot_uring *ring, uint32_t count, int *number) {
  uint32_t taken = 0;
  for (int signals = 0; taken < count;) {
    long got = enter(ring, count - taken, 0, 0);
    if (got > 0 && (uint32_t)got <= count - taken) {
      taken += (uint32_t)got;
    } else if (got >= 0 || errno != EINTR || ++signals > MOST_SIGNALS) {
      *number = got < 0 ? errno : EIO;
      break;
    }
  }
  return taken;
}

/* Stores the results that are there. Returns their number. */
static uint32_t collect(const struct ot_uring *ring, struct ot_call *calls, uint32_t count) {
  uint32_t head = *ring->done_head, tail = __atomic_load_n(ring->done_tail, __ATOMIC_ACQUIRE), found = 0;
  for (; head != tail; head++) {
    const struct io_uring_cqe *done = &ring->done[head & ring->done_mask];
    if (done->user_data >= count || calls[done->user_data].result != NONE) continue;
    calls[done->user_data].result = done->res == NONE ? -EIO : done->res;
    found++;
  }
  __atomic_store_n(ring->done_head, head, __ATOMIC_RELEASE);
  return found;
}

/*
 * Requests that were taken and have not completed: no kernel leaves any, and this one is not used again. They are
 * waited for, then cancelled, because they use the arena. A call of an unknown outcome counts as failed: made again, a
 * frame might be sent twice.
 */
static void settle(const struct ot_uring *ring, struct ot_call *calls, uint32_t count, uint32_t missing) {
  const struct timespec pause = {.tv_nsec = 1000 * 1000};
  for (int i = 0; i < PATIENCE_MS && missing; i++) {
    nanosleep(&pause, NULL);
    enter(ring, 0, 0, IORING_ENTER_GETEVENTS);
    missing -= collect(ring, calls, count);
  }
  if (!missing) return;
  struct cancel all = {.fd = -1, .flags = CANCEL_ANY, .timeout = {.nanoseconds = PATIENCE_MS * 1000000}};
  syscall(SYS_io_uring_register, ring->fd, REGISTER_SYNC_CANCEL, &all, 1);
  enter(ring, 0, 0, IORING_ENTER_GETEVENTS);
  collect(ring, calls, count);
}

/* Whether the ring, and not the device, has refused a call. A socket may answer EOPNOTSUPP itself. */
static bool is_refusal(const struct ot_call *call) {
  return call->result == -ECANCELED || (call->result == -EOPNOTSUPP && call->kind != OT_CALL_SEND);
}

/* After a failure: `taken` requests were submitted. */
static void make_up(struct ot_call *calls, uint32_t count, uint32_t taken) {
  for (uint32_t i = 0; i < count; i++) {
    if (i >= taken || is_refusal(&calls[i])) ot_call_each(&calls[i], 1);
    else if (calls[i].result == NONE) calls[i].result = -EIO;
  }
}

int ot_uring_run(struct ot_uring *ring, struct ot_call *calls, uint32_t count) {
  uint32_t at = *ring->tail;
  int number = 0;
  for (uint32_t i = 0; i < count; i++) {
    write_entry(&ring->entries[(at + i) & ring->mask], &calls[i], i);
    calls[i].result = NONE;
  }
  __atomic_store_n(ring->tail, at + count, __ATOMIC_RELEASE);
  uint32_t taken = submit(ring, count, &number), found = collect(ring, calls, count);
  if (found < taken) {
    settle(ring, calls, count, taken - found);
    if (!number) number = EIO;
  }
  for (uint32_t i = 0; i < taken && !number; i++)
    if (is_refusal(&calls[i])) number = -calls[i].result;
  if (number) make_up(calls, count, taken);
  return number;
}
