/*
 * Receives one batch: waits, then reads from the ready devices into the arena.
 *
 * Arena: [encapsulation headers | headroom | frame | headroom | frame ...]. A frame starts two bytes behind a cache
 * line, so that the IP header behind an Ethernet header is aligned, with HEADROOM free bytes before it. Nothing is kept
 * from one batch to the next.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "nic.h"
#include "../frames/offload.h"
#include "receive.h"
#include "../devices/socket-options.h"

#define MAX_EVENTS 256

static void read_source(const struct sockaddr_in6 *source, int32_t *rx) {
  uint32_t words[4] = {0, 0, 0xffff, 0};
  if (source->sin6_family == AF_INET) {
    struct sockaddr_in v4;
    memcpy(&v4, source, sizeof v4);
    words[3] = ntohl(v4.sin_addr.s_addr);
  } else {
    memcpy(words, &source->sin6_addr, sizeof words);
    for (int i = 0; i < 4; i++) words[i] = ntohl(words[i]);
  }
  memcpy(rx + RX_ADDRESS, words, sizeof words);
  /* The port has the same offset in both families. */
  rx[RX_SOURCE_PORT] = ntohs(source->sin6_port);
}

/* IP_TOS is a byte, IPV6_TCLASS and UDP_GRO are ints. */
static int32_t control_value(const struct cmsghdr *at) {
  int32_t value = 0;
  if (at->cmsg_len >= CMSG_LEN(sizeof value)) {
    memcpy(&value, CMSG_DATA(at), sizeof value);
    return value;
  }
  return at->cmsg_len > CMSG_LEN(0) ? *CMSG_DATA(at) : 0;
}

static void read_control(struct msghdr *message, int32_t *rx) {
  for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
    if ((at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_TOS) ||
        (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_TCLASS))
      rx[RX_TOS] = control_value(at) & 0xff;
    else if (at->cmsg_level == SOL_UDP && at->cmsg_type == UDP_GRO) rx[RX_SEGMENT] = control_value(at);
  }
}

/*
 * Number of datagrams for one recvmmsg: as many as the bounds allow at the recent size, and as there are descriptors
 * for if each is a train. A datagram once received cannot be left for the next batch.
 */
static uint32_t ask_for(const struct ot_nic *nic, const struct ot_port *port, size_t bytes) {
  size_t fit = (nic->arena_bytes - nic->next) / SLOT_BYTES;
  size_t count = bytes / port->typical + 1, described = (nic->max_frames - nic->frames) / port->reserve;
  if (count > described) count = described;
  if (count > OT_RECEIVE_MESSAGES) count = OT_RECEIVE_MESSAGES;
  return (uint32_t)(count < fit ? count : fit);
}

/*
 * Writes one descriptor for each datagram of a train. The payload stays in place, so only the first one has headroom.
 */
static void describe_train(struct ot_nic *nic, int32_t index, uint32_t message, size_t offset) {
  struct ot_inbox *inbox = &nic->inbox;
  size_t length = inbox->messages[message].msg_len;
  int32_t *first = describe(nic, KIND_UDP, index, offset, length);
  read_source(&inbox->sources[message], first);
  read_control(&inbox->messages[message].msg_hdr, first);
  size_t segment = (size_t)first[RX_SEGMENT];
  if (first[RX_SEGMENT] <= 0) {
    first[RX_SEGMENT] = 0;
    return;
  }
  if (length > segment) first[RX_LENGTH] = (int32_t)segment;
  /* No kernel makes longer trains; the rest of a forged one is ignored. */
  for (int32_t i = 1; i < OT_TRAIN_IN && (size_t)i * segment < length; i++) {
    int32_t *rx = nic->rx + (size_t)nic->frames++ * RX_STRIDE;
    size_t left = length - (size_t)i * segment;
    memcpy(rx, first, RX_STRIDE * sizeof *rx);
    rx[RX_OFFSET] = (int32_t)(offset + (size_t)i * segment);
    rx[RX_LENGTH] = (int32_t)(left < segment ? left : segment);
    rx[RX_TRAIN] = i;
  }
}

/*
 * A failed recvmmsg. Returns true when the queue is empty or the device gone, with the outcome; false: an error or a
 * broken frame was consumed, and more may follow.
 */
static bool ends_reading(struct ot_nic *nic, int32_t index, const struct ot_port *port, enum outcome *outcome) {
  *outcome = errno == EAGAIN ? DRAINED : GONE;
  if (errno == EAGAIN || errno == EBADF || errno == ENOTSOCK) return true;
  if (!port->packets) return false;
  if (errno == EINVAL) {
    ot_netdev_describe_lost(nic, index, nic->next);
    nic->next = after(nic->next + OT_ETHERNET);
    return false;
  }
  if (!ot_netdev_is_gone(port->fd)) return false;
  errno = ENODEV;
  return true;
}

static void describe_message(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t message, size_t offset) {
  if (port->packets) ot_netdev_describe(nic, index, port, &nic->inbox.messages[message], offset);
  else describe_train(nic, index, message, offset);
}

/* Reads datagrams, or frames of a packet socket. */
static enum outcome take_socket(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most,
                                size_t most_bytes) {
  uint32_t last = most < nic->max_frames - nic->frames ? nic->frames + most : nic->max_frames;
  size_t stop = nic->batch_bytes - nic->bytes < most_bytes ? nic->batch_bytes : nic->bytes + most_bytes;
  size_t shift = port->packets ? OT_TAG_ROOM : 0;
  enum outcome outcome;
  int misses = 0;
  while (nic->frames < last && nic->bytes < stop && room_left(nic)) {
    uint32_t asked = ask_for(nic, port, stop - nic->bytes);
    if (port->reserve == 1 && asked > last - nic->frames) asked = last - nic->frames;
    if (!asked) return FULL;
    for (uint32_t i = 0; i < asked; i++) ot_inbox_prepare(nic, port, i, nic->next + shift + (size_t)i * SLOT_BYTES);
    int got = ot_receive_messages(port->fd, nic->inbox.messages, asked);
    if (got < 0) {
      /* A pending socket error (ECONNREFUSED, ENETDOWN ...) is cleared by the call that reports it. */
      if (ends_reading(nic, index, port, &outcome)) return outcome;
      if (++misses >= MAX_MISSES) return FULL;
      continue;
    }
    size_t base = nic->next + shift;
    nic->spill = after(base + (size_t)got * SLOT_BYTES);
    size_t unused = nic->spill;
    for (uint32_t i = 0; i < (uint32_t)got; i++) {
      nic->owed = (uint32_t)got - i - 1;
      size_t offset = base + (size_t)i * SLOT_BYTES, length = nic->inbox.messages[i].msg_len;
      describe_message(nic, index, port, i, offset);
      nic->next = after(offset + length);
      port->typical = (uint32_t)(port->typical * 3 / 4 + length / 4) + 1;
    }
    if (nic->spill > unused) nic->next = nic->spill;
    if ((uint32_t)got < asked) return DRAINED;
  }
  return FULL;
}

/*
 * Detaches a lost device and reports it. There is one report per call; a second lost device keeps its event for the
 * next call.
 */
static void lose(struct ot_nic *nic, struct ot_table *table, int32_t kind, int32_t index, int number) {
  if (nic->status[STATUS_LOST_KIND]) {
    nic->status[STATUS_MORE] = 1;
    return;
  }
  struct ot_port *port = ot_port_at(table, index);
  /* The peer of a stream sees the end at once, before the descriptor is closed by its owner. */
  if (port && port->way == OT_STREAM) shutdown(port->fd, SHUT_RDWR);
  ot_nic_detach(nic, table, (uint32_t)index);
  nic->status[STATUS_LOST_ERRNO] = number;
  nic->status[STATUS_LOST_KIND] = kind;
  nic->status[STATUS_LOST_INDEX] = index;
}

static void clear_error(int fd) {
  int number;
  socklen_t size = sizeof number;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size);
}

static enum outcome take_ring(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most,
                              size_t most_bytes) {
  uint32_t taken = port->ring->taken;
  enum outcome outcome = ot_ring_take(nic, index, port, most, most_bytes);
  ot_ring_busy(nic, port->ring, port->ring->taken - taken);
  return outcome;
}

static enum outcome take_frames(struct ot_nic *nic, int32_t index, struct ot_port *port, uint32_t most,
                                size_t most_bytes) {
  if (port->way == OT_STREAM) return ot_stream_take(nic, index, port, most, most_bytes);
  if (port->way == OT_DATAGRAMS) return ot_datagrams_take(nic, index, port, most, most_bytes);
  if (port->ring) return take_ring(nic, index, port, most, most_bytes);
  if (port->way == OT_PACKETS) return take_socket(nic, index, port, most, most_bytes);
  return ot_tap_take(nic, index, port, most, most_bytes);
}

/* Reads from one device. Returns whether more is waiting. */
static bool take(struct ot_nic *nic, const struct epoll_event *event, uint32_t most, size_t most_bytes) {
  int32_t index = (int32_t)(event->data.u64 & 0xffffffff), kind = (int32_t)(event->data.u64 >> 32);
  struct ot_table *table = kind == KIND_FRAME ? &nic->taps : &nic->sockets;
  struct ot_port *port = ot_port_at(table, index);
  if (!port) return false;
  if (port->stream && event->events & EPOLLOUT) ot_stream_drain(nic, (uint32_t)index, port);
  if (port->way != OT_WHOLE && !port->reads) return false;
  if (!room_left(nic)) return true;
  enum outcome outcome = kind == KIND_FRAME ? take_frames(nic, index, port, most, most_bytes)
                                            : take_socket(nic, index, port, most, most_bytes);
  if (outcome == GONE) {
    lose(nic, table, kind, index, errno);
  } else if (kind == KIND_FRAME && port->way == OT_WHOLE && (event->events & (EPOLLERR | EPOLLHUP))) {
    /*
     * A TAP reports EPOLLERR only while it is being deleted. A link that is down is no error: there is nothing to read.
     */
    lose(nic, table, kind, index, ENODEV);
  } else if ((kind == KIND_UDP || port->way == OT_DATAGRAMS) && (event->events & EPOLLERR)) {
    clear_error(port->fd);
  } else if (port->ring && (event->events & EPOLLERR)) {
    clear_error(port->fd);
    if (ot_netdev_is_gone(port->fd)) lose(nic, table, kind, index, ENODEV);
  }
  return outcome == FULL;
}

static void drain_event(struct ot_nic *nic) {
  uint64_t count;
  if (read(nic->event, &count, sizeof count) == (ssize_t)sizeof count) nic->status[STATUS_RUNG] = 1;
}

int ot_nic_receive(struct ot_nic *nic, int timeout_ms, struct ot_fault *fault) {
  struct epoll_event events[MAX_EVENTS + OT_POLLED_RINGS];
  bool busy = nic->frames > 0;
  memset(nic->status, 0, STATUS_WORDS * sizeof *nic->status);
  nic->status[STATUS_LATCHED] = nic->latched;
  nic->status[STATUS_TUNNELLED] = (int32_t)(nic->tunnelled & 0x7fffffff);
  nic->latched = 0;
  /* The last call of a batch may have announced more commands without any following. */
  nic->mid_batch = false;
  nic->frames = 0;
  nic->bytes = 0;
  nic->next = after(nic->header_bytes);
  bool is_filled = nic->waiting || ot_rings_filled(nic);
  int ready = ot_wait(nic, busy, events, MAX_EVENTS, is_filled ? 0 : timeout_ms);
  if (ready < 0) return ot_fail(fault, errno, "epoll_wait", "waiting for frames");
  nic->status[STATUS_NOW] = (int32_t)(ot_nanoseconds() / 1000000 & 0x7fffffff);
  ot_rings_watch(nic, (uint32_t)nic->status[STATUS_NOW]);

  int devices = 0;
  for (int i = 0; i < ready; i++) {
    if (events[i].data.u64 >> 32 == OT_EVENT) drain_event(nic);
    else events[devices++] = events[i];
  }
  devices = ot_rings_events(nic, events, devices);
  if (nic->waiting) devices = ot_stream_events(nic, events, devices, MAX_EVENTS + OT_POLLED_RINGS);
  if (!devices) return 0;
  /*
   * First pass: an equal share for each device, starting with another one each time. Second pass: the rest of the
   * batch.
   */
  uint32_t share = nic->max_frames / (uint32_t)devices + 1;
  size_t share_bytes = nic->batch_bytes / (size_t)devices + 1;
  uint32_t start = nic->turn++ % (uint32_t)devices;
  bool more = false;
  for (int pass = 0; pass < 2; pass++) {
    more = false;
    for (int i = 0; i < devices; i++) {
      struct epoll_event *event = &events[(start + (uint32_t)i) % (uint32_t)devices];
      if (!event->events) continue;
      bool left = take(nic, event, pass ? nic->max_frames : share, pass ? nic->batch_bytes : share_bytes);
      if (!left) event->events = 0;
      more |= left;
    }
    if (!more) break;
  }
  if (more) nic->status[STATUS_MORE] = 1;
  return (int)nic->frames;
}
