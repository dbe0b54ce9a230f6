/*
 * Frames of streams: framing, and the frame that the socket took in part (stream.h).
 *
 * Reads are as long as there is room, and frames are copied into the arena one by one: a frame may be spread over any
 * number of reads, and a peer that sends half a frame and waits costs nothing but its inbox. A length that is no
 * frame's ends the connection, since the next frame cannot be found then.
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "receive.h"
#include "stream.h"

int ot_tail_open(struct ot_fault *fault) {
  int fd = memfd_create("overtap-tail", MFD_CLOEXEC);
  if (fd < 0) return ot_fail(fault, errno, "memfd_create", "sharing a stream");
  if (ftruncate(fd, sizeof(struct ot_tail)) == 0) return fd;
  ot_fail(fault, errno, "ftruncate", "sharing a stream");
  close(fd);
  return -1;
}

/* ---- The lock ---- */

/* In the lock: somebody waits for its holder. */
#define WAITED 0x80000000u

/* Not private to the process for the kernel: each engine has a mapping of its own. Returns 0 or an errno. */
static int futex(uint32_t *word, int operation, uint32_t value) {
  const struct timespec limit = {.tv_nsec = 10 * 1000 * 1000};
  return syscall(SYS_futex, word, operation, value, &limit, NULL, 0) < 0 ? errno : 0;
}

static bool swap(uint32_t *word, uint32_t from, uint32_t to) {
  return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool is_dead(uint32_t thread) { return kill((pid_t)thread, 0) < 0 && errno == ESRCH; }

void ot_tail_lock(struct ot_tail *tail) {
  uint32_t self = (uint32_t)syscall(SYS_gettid);
  while (!swap(&tail->lock, 0, self)) {
    uint32_t holder = __atomic_load_n(&tail->lock, __ATOMIC_RELAXED), waited = holder | WAITED;
    if (!holder || (holder != waited && !swap(&tail->lock, holder, waited))) continue;
    /* Others may wait too: whoever has waited wakes the next one. */
    self |= WAITED;
    if (futex(&tail->lock, FUTEX_WAIT, waited) != ETIMEDOUT || !is_dead(holder & ~WAITED)) continue;
    if (swap(&tail->lock, waited, self)) return;
  }
}

void ot_tail_unlock(struct ot_tail *tail) {
  if (__atomic_exchange_n(&tail->lock, 0, __ATOMIC_RELEASE) & WAITED) futex(&tail->lock, FUTEX_WAKE, 1);
}

/* The memory may come from another process. */
static bool is_sound(const struct ot_tail *tail) {
  return tail->at <= tail->end && tail->end <= sizeof tail->bytes && tail->read_begin <= tail->read_end &&
         tail->read_end <= sizeof tail->inbox;
}

struct ot_stream *ot_stream_create(uint32_t index, int tail, struct ot_fault *fault) {
  off_t size = lseek(tail, 0, SEEK_END);
  if (size != (off_t)sizeof(struct ot_tail)) {
    ot_fail(fault, EINVAL, "lseek", "descriptor %d is no tail", tail);
    return NULL;
  }
  struct ot_stream *stream = calloc(1, sizeof *stream);
  if (!stream) {
    ot_fail(fault, ENOMEM, "malloc", "attaching a stream");
    return NULL;
  }
  stream->index = index;
  stream->tail = mmap(NULL, sizeof *stream->tail, PROT_READ | PROT_WRITE, MAP_SHARED, tail, 0);
  if (stream->tail != MAP_FAILED && is_sound(stream->tail)) return stream;
  ot_fail(fault, stream->tail == MAP_FAILED ? errno : EINVAL, "mmap", "attaching a stream");
  if (stream->tail != MAP_FAILED) munmap(stream->tail, sizeof *stream->tail);
  free(stream);
  return NULL;
}

void ot_stream_free(struct ot_nic *nic, struct ot_stream *stream) {
  for (struct ot_stream **at = &nic->waiting; *at; at = &(*at)->next) {
    if (*at != stream) continue;
    *at = stream->next;
    break;
  }
  munmap(stream->tail, sizeof *stream->tail);
  free(stream);
}

/* ---- Reading ---- */

/* Bytes of the next frame; 0: its length is not there yet. */
static uint32_t next_length(const struct ot_tail *tail) {
  const uint8_t *at = tail->inbox + tail->read_begin;
  if (tail->read_end - tail->read_begin < OT_STREAM_LENGTH) return 0;
  uint32_t length = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
  /* No frame has none: the caller refuses what is out of bounds. */
  return length ? length : UINT32_MAX;
}

static bool is_frame_length(uint32_t length) { return length >= OT_ETHERNET && length <= LONGEST_STREAM_FRAME; }

/* Whether the next frame, or the fault in its place, was read already. */
static bool has_next(const struct ot_tail *tail) {
  uint32_t length = next_length(tail);
  return length && (!is_frame_length(length) || tail->read_end - tail->read_begin >= OT_STREAM_LENGTH + length);
}

/* Reads on. Returns 1, 0 when nothing is there, or -1 when the connection has ended. */
static int fill(struct ot_tail *tail, int fd) {
  memmove(tail->inbox, tail->inbox + tail->read_begin, tail->read_end - tail->read_begin);
  tail->read_end -= tail->read_begin;
  tail->read_begin = 0;
  ssize_t got;
  do got = recv(fd, tail->inbox + tail->read_end, OT_STREAM_INBOX - tail->read_end, MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    tail->read_end += (uint32_t)got;
    return 1;
  }
  if (got == 0) errno = EPIPE;
  return got < 0 && errno == EAGAIN ? 0 : -1;
}

static void enter_list(struct ot_nic *nic, struct ot_stream *stream) {
  stream->is_waiting = true;
  stream->next = nic->waiting;
  nic->waiting = stream;
}

static void wait_for_turn(struct ot_nic *nic, struct ot_stream *stream) {
  if (!stream->is_waiting && has_next(stream->tail)) enter_list(nic, stream);
}

enum outcome ot_stream_take(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most, size_t most_bytes) {
  struct ot_stream *stream = port->stream;
  struct ot_tail *tail = stream->tail;
  uint32_t last = most < nic->max_frames - nic->frames ? nic->frames + most : nic->max_frames;
  size_t stop = nic->bytes + most_bytes;
  while (nic->frames < last && nic->bytes < stop && room_left(nic)) {
    if (!has_next(tail)) {
      int more = fill(tail, port->fd);
      if (more > 0) continue;
      return more ? GONE : DRAINED;
    }
    uint32_t length = next_length(tail);
    if (!is_frame_length(length)) {
      /* The loss may have to wait for the report of another one. */
      wait_for_turn(nic, stream);
      errno = EPROTO;
      return GONE;
    }
    memcpy(nic->arena + nic->next, tail->inbox + tail->read_begin + OT_STREAM_LENGTH, length);
    describe(nic, KIND_FRAME, index, nic->next, length);
    nic->next = after(nic->next + length);
    tail->read_begin += OT_STREAM_LENGTH + length;
  }
  wait_for_turn(nic, stream);
  return FULL;
}

int ot_stream_events(struct ot_nic *nic, struct epoll_event *events, int count, int most) {
  for (int i = 0; i < count; i++) {
    struct ot_port *port = ot_port_at(&nic->taps, (int32_t)(events[i].data.u64 & 0xffffffff));
    if (events[i].data.u64 >> 32 == OT_TAP && port && port->stream) port->stream->seen = nic->turn;
  }
  /* Those beyond `most` keep their place in the list. */
  struct ot_stream **at = &nic->waiting;
  while (*at) {
    struct ot_stream *stream = *at;
    if (stream->seen != nic->turn && count == most) {
      at = &stream->next;
      continue;
    }
    *at = stream->next;
    stream->is_waiting = false;
    if (stream->seen != nic->turn)
      events[count++] = (struct epoll_event){.events = EPOLLIN, .data.u64 = (uint64_t)OT_TAP << 32 | stream->index};
  }
  return count;
}

/* ---- The rest of a frame ---- */

int ot_tail_send(struct ot_tail *tail, int fd) {
  while (tail->at < tail->end) {
    ssize_t sent = send(fd, tail->bytes + tail->at, tail->end - tail->at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) tail->at += (uint32_t)sent;
    else if (errno != EINTR) return errno;
  }
  return 0;
}

static void watch_output(struct ot_nic *nic, uint32_t index, struct ot_port *port, bool on) {
  struct epoll_event event = {.events = (port->reads ? EPOLLIN : 0) | (on ? EPOLLOUT : 0),
                              .data.u64 = (uint64_t)OT_TAP << 32 | index};
  /* One that does not read is not in epoll otherwise, which would report the end of the connection again and again. */
  int operation = port->reads ? EPOLL_CTL_MOD : on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
  if (epoll_ctl(nic->epoll, operation, port->fd, &event) == 0) port->stream->is_armed = on;
}

void ot_stream_arm(struct ot_nic *nic, uint32_t index, struct ot_port *port) {
  if (!port->stream->is_armed) watch_output(nic, index, port, true);
}

void ot_stream_resume(struct ot_nic *nic, uint32_t index, struct ot_port *port) {
  bool is_known = port->stream->tail->is_known;
  port->stream->tail->is_known = true;
  if (!is_known) return;
  port->stream->seen = nic->turn - 1;
  if (port->reads) enter_list(nic, port->stream);
  ot_stream_arm(nic, index, port);
}

void ot_stream_drain(struct ot_nic *nic, uint32_t index, struct ot_port *port) {
  struct ot_tail *tail = port->stream->tail;
  ot_tail_lock(tail);
  int number = ot_tail_send(tail, port->fd);
  ot_tail_unlock(tail);
  if (number != EAGAIN && port->stream->is_armed) watch_output(nic, index, port, false);
}
