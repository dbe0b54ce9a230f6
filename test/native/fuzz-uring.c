/*
 * A kernel whose io_uring takes requests in part, refuses them, completes them late, twice, as another one's or never,
 * to what makes calls by it (nic/uring.c). Devices count: a read gets the next number, a write or send leaves its own.
 *
 *   fuzz-uring SEED ROUNDS
 *
 * uring.test.ts runs it under the address sanitizer. Prints "rings CALLS TOGETHER": how many rings there were, calls in
 * all, and those that the ring has made. Ends with a message when a number is lost, comes twice or out of turn.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../../src/native/nic/uring.h"

/* The last one takes sends, the others reads and writes. */
#define DEVICES 3
#define SOCKET (DEVICES - 1)
#define ENTRIES 64
#define ARRAY 256
#define DONE 1024

/* How the kernel fails this time. */
enum mood { SOUND, PARTLY, SIGNALS, REFUSES, FOREIGN, LATE, NEVER, GONE, MOODS };

static uint64_t state;
static enum mood mood;
static uint32_t next_read[DEVICES], next_written[DEVICES], kept_back, together;
static bool is_broken[DEVICES];
static struct io_uring_cqe late[ENTRIES];
static uint8_t *rings;
static struct io_uring_sqe *entries;
static int ring_fd = -1;

int ot_fail(struct ot_fault *fault, int number, const char *name, const char *format, ...) {
  (void)format;
  fault->number = number;
  fault->syscall = name;
  return -1;
}

static uint32_t draw(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32) % below;
}

static void expect(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s (mood %d)\n", what, (int)mood);
  exit(1);
}

/* ---- Devices ---- */

static int32_t device_read(uint32_t device, void *data, uint32_t size) {
  if (is_broken[device]) return -EBADFD;
  if (draw(4) == 0) return -EAGAIN;
  expect(size >= 4, "a read has its size");
  memcpy(data, &next_read[device], 4);
  next_read[device]++;
  return 4;
}

static int32_t device_write(uint32_t device, const void *data) {
  uint32_t number;
  memcpy(&number, data, 4);
  if (is_broken[device]) return -EIO;
  expect(number >= next_written[device], "what is written comes once, and in its turn");
  next_written[device] = number + 1;
  return 4;
}

static int32_t device_call(int fd, uint8_t operation, uint64_t address, uint32_t size) {
  void *data = (void *)(uintptr_t)address;
  if (operation == IORING_OP_READ) return device_read((uint32_t)fd, data, size);
  if (operation == IORING_OP_WRITE) return device_write((uint32_t)fd, data);
  if (operation == IORING_OP_WRITEV) return device_write((uint32_t)fd, ((struct iovec *)data)->iov_base);
  return device_write((uint32_t)fd, ((struct msghdr *)data)->msg_iov->iov_base);
}

/* ---- The ring of the kernel ---- */

static uint32_t *word(uint32_t at) { return (uint32_t *)(rings + at); }

static void complete(const struct io_uring_cqe *done) {
  uint32_t tail = *word(192);
  ((struct io_uring_cqe *)(rings + DONE))[tail & (2 * ENTRIES - 1)] = *done;
  __atomic_store_n(word(192), tail + 1, __ATOMIC_RELEASE);
}

static void carry_out(const struct io_uring_sqe *entry) {
  struct io_uring_cqe done = {.user_data = entry->user_data};
  bool waits = entry->opcode == IORING_OP_SENDMSG ? !(entry->msg_flags & MSG_DONTWAIT) : !(entry->rw_flags & 8);
  expect(!waits, "no request waits");
  if (mood == REFUSES && entry->opcode != IORING_OP_SENDMSG) done.res = -EOPNOTSUPP;
  else if (mood == NEVER) kept_back++;
  else done.res = device_call(entry->fd, entry->opcode, entry->addr, entry->len);
  if (mood == NEVER) return;
  together++;
  if (mood == LATE && draw(2)) {
    late[kept_back++] = done;
    return;
  }
  complete(&done);
  if (mood != FOREIGN) return;
  done.user_data = draw(2) ? entry->user_data : 1000 + draw(100);
  done.res = (int32_t)draw(100) - 50;
  complete(&done);
}

static long enter(uint32_t count, uint32_t flags) {
  if (flags & IORING_ENTER_GETEVENTS && mood == LATE) {
    while (kept_back) complete(&late[--kept_back]);
    return 0;
  }
  if (mood == SIGNALS && draw(3)) return errno = EINTR, -1;
  if (mood == GONE) return errno = draw(2) ? EBADF : EPERM, -1;
  uint32_t head = *word(0), tail = __atomic_load_n(word(64), __ATOMIC_ACQUIRE), taken = 0;
  if (mood == PARTLY && count > 1) count = draw(count);
  if (!count && tail != head) return errno = draw(2) ? EAGAIN : ENOMEM, -1;
  for (; taken < count && head != tail; taken++, head++) carry_out(&entries[word(ARRAY)[head & (ENTRIES - 1)]]);
  __atomic_store_n(word(0), head, __ATOMIC_RELEASE);
  return taken;
}

static long setup(struct io_uring_params *params) {
  ring_fd = memfd_create("ring", 0);
  expect(ring_fd >= 0 && ftruncate(ring_fd, IORING_OFF_SQES + 8192) == 0, "memory");
  rings = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, 0);
  entries = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQES);
  params->features = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP;
  params->sq_entries = ENTRIES;
  params->cq_entries = 2 * ENTRIES;
  params->sq_off = (struct io_sqring_offsets){.head = 0, .tail = 64, .array = ARRAY};
  params->cq_off = (struct io_cqring_offsets){.head = 128, .tail = 192, .cqes = DONE};
  kept_back = 0;
  return ring_fd;
}

/* Stands in for the C library's. Calls one by one go to the devices, too. */
long syscall(long number, ...) {
  va_list rest;
  long at[6];
  va_start(rest, number);
  for (int i = 0; i < 6; i++) at[i] = va_arg(rest, long);
  va_end(rest);
  int32_t result = 0;
  if (number == SYS_getppid) return 1;
  if (number == SYS_io_uring_setup) return setup((void *)at[1]);
  if (number == SYS_io_uring_enter) return enter((uint32_t)at[1], (uint32_t)at[3]);
  if (number == SYS_io_uring_register) return kept_back = 0;
  if (number == SYS_read) result = device_read((uint32_t)at[0], (void *)at[1], (uint32_t)at[2]);
  if (number == SYS_write) result = device_write((uint32_t)at[0], (void *)at[1]);
  if (number == SYS_writev) result = device_write((uint32_t)at[0], ((struct iovec *)at[1])->iov_base);
  if (result >= 0) return result;
  errno = -result;
  return -1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  expect(flags & MSG_DONTWAIT, "no send waits");
  int32_t result = device_write((uint32_t)fd, message->msg_iov->iov_base);
  if (result >= 0) return result;
  errno = -result;
  return -1;
}

/* Nobody has to wait for this kernel. */
int nanosleep(const struct timespec *pause, struct timespec *left) {
  (void)pause, (void)left;
  return 0;
}

/* ---- Rounds ---- */

static uint32_t numbers[DEVICES];

/* A batch of calls of all kinds. Returns what ot_uring_run does. */
static int run(struct ot_uring *ring) {
  uint32_t bytes[OT_URING_CALLS], count = 1 + draw(OT_URING_CALLS), read_from[DEVICES];
  struct iovec vectors[OT_URING_CALLS];
  struct msghdr messages[OT_URING_CALLS];
  struct ot_call calls[OT_URING_CALLS];
  memcpy(read_from, next_read, sizeof read_from);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t device = draw(DEVICES);
    enum ot_call_kind kind = device == SOCKET ? OT_CALL_SEND : draw(3);
    bytes[i] = kind == OT_CALL_READ ? UINT32_MAX : numbers[device]++;
    vectors[i] = (struct iovec){.iov_base = &bytes[i], .iov_len = 4};
    messages[i] = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    const void *data = kind == OT_CALL_WRITEV ? (void *)&vectors[i]
                       : kind == OT_CALL_SEND ? (void *)&messages[i]
                                              : bytes + i;
    calls[i] = (struct ot_call){.fd = (int)device, .kind = kind, .data = data, .size = kind == OT_CALL_WRITEV ? 1 : 4};
  }
  int number = ot_uring_run(ring, calls, count);
  uint32_t written[DEVICES] = {0};
  for (uint32_t i = 0; i < count; i++) {
    uint32_t device = (uint32_t)calls[i].fd;
    expect(calls[i].result == 4 || calls[i].result < 0, "each call has a result");
    expect(calls[i].result > -4096, "a result is an errno");
    if (calls[i].result < 0) continue;
    if (calls[i].kind == OT_CALL_READ)
      expect(bytes[i] == read_from[device]++, "what is read comes once, and in its turn");
    else written[device] = bytes[i] + 1;
  }
  /* Of the last one that was written, each device knows; unless nobody can tell what became of it. */
  for (uint32_t i = 0; i < DEVICES; i++) {
    expect(read_from[i] == next_read[i], "nothing that was read is lost");
    expect(!written[i] || written[i] == next_written[i], "what was written has arrived");
  }
  if (mood == SOUND) expect(number == 0, "a sound ring goes on");
  if (mood == GONE || mood == NEVER) expect(number != 0, "a ring that fails is not used again");
  return number;
}

int main(int count, char **words) {
  if (count != 3) return 2;
  state = strtoull(words[1], NULL, 0) * 0x9e3779b97f4a7c15ull | 1;
  uint32_t rounds = (uint32_t)atoi(words[2]), opened = 0, calls = 0;
  struct ot_uring *ring = NULL;
  struct ot_fault fault;
  for (uint32_t i = 0; i < rounds; i++) {
    if (!ring) {
      mood = SOUND;
      ring = ot_uring_open(&fault);
      expect(ring != NULL, "a ring");
      opened++;
    }
    mood = draw(3) ? SOUND : draw(MOODS);
    for (uint32_t device = 0; device < DEVICES; device++) is_broken[device] = draw(20) == 0;
    calls++;
    if (!run(ring)) continue;
    ot_uring_close(ring);
    munmap(rings, 8192);
    munmap(entries, 8192);
    ring = NULL;
  }
  if (ring) ot_uring_close(ring);
  printf("%u %u %u\n", opened, calls, together);
  return 0;
}
