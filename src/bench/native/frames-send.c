/*
 * Sends at a constant rate, from several threads: each has its share of the frames. A thread sleeps until its next
 * burst is due. What cannot be sent in time, or is refused by the NIC, was still to be carried: the caller counts it as
 * lost.
 */
#include "frames.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define BURST 32
/* Between two bursts: few enough calls for a high rate, few enough frames for the queue of a TAP. */
#define BURST_NS 100000

struct sender {
  const struct order *order;
  const struct drawn *frames;
  int socket, number;
  uint64_t start, due, sent, refused;
};

uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t at) {
  struct timespec t = {.tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int open_sender(const struct order *order) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) err(1, "packet socket");
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(order->ifname)};
  if (address.sll_ifindex == 0) err(1, "%s in %s", order->ifname, order->from);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) err(1, "bind to %s", order->ifname);
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0) err(1, "PACKET_QDISC_BYPASS");
  return fd;
}

/* Sends up to `count` frames. A frame that the NIC refuses is over: its queue is full. */
static void send_burst(struct sender *sender, uint64_t count) {
  struct mmsghdr messages[BURST];
  struct iovec vectors[BURST];
  memset(messages, 0, sizeof messages);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t at = (sender->sent + sender->refused + i) % (uint64_t)sender->frames->count;
    vectors[i] = (struct iovec){.iov_base = sender->frames->bytes + at * MOST_FRAME,
                                .iov_len = (size_t)sender->frames->sizes[at]};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors + i, .msg_iovlen = 1};
  }
  for (uint64_t done = 0; done < count;) {
    int sent = sendmmsg(sender->socket, messages + done, (unsigned)(count - done), 0);
    if (sent > 0) {
      sender->sent += (uint64_t)sent;
      done += (uint64_t)sent;
      continue;
    }
    if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR) err(1, "sendmmsg");
    if (errno != ENOBUFS) continue;
    sender->refused++;
    done++;
    if (sender->order->rate == 0) sched_yield();
  }
}

static void send_fast(struct sender *sender) {
  uint64_t end = sender->start + sender->order->ns;
  while (now_ns() < end) send_burst(sender, BURST);
}

static void send_paced(struct sender *sender) {
  uint64_t end = sender->start + sender->order->ns, grace = end + sender->order->ns / 50;
  for (uint64_t now = sender->start; sender->sent + sender->refused < sender->due && now < grace; now = now_ns()) {
    uint64_t passed = now < sender->start ? 0 : now - sender->start;
    uint64_t due = (uint64_t)((double)sender->due * (double)passed / (double)sender->order->ns) + 1;
    if (due > sender->due) due = sender->due;
    for (uint64_t over = sender->sent + sender->refused; over < due; over = sender->sent + sender->refused)
      send_burst(sender, due - over < BURST ? due - over : BURST);
    if (due < sender->due) sleep_until(now + BURST_NS);
  }
}

static void *run(void *argument) {
  struct sender *sender = argument;
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  sleep_until(sender->start);
  if (sender->order->rate == 0) send_fast(sender);
  else send_paced(sender);
  return NULL;
}

void send_all(const struct order *order, const struct drawn *frames, const int *sockets, struct outcome *outcome) {
  struct sender senders[MOST_SENDERS];
  pthread_t threads[MOST_SENDERS];
  uint64_t all = (uint64_t)(order->rate * (double)order->ns / 1e9), start = now_ns() + 2000000;
  for (int i = 0; i < order->senders; i++) {
    /* The senders' bursts alternate. */
    uint64_t own = all / (uint64_t)order->senders + ((uint64_t)i < all % (uint64_t)order->senders);
    uint64_t offset = (uint64_t)i * BURST_NS / (uint64_t)order->senders;
    senders[i] = (struct sender){
        .order = order, .frames = frames, .socket = sockets[i], .number = i, .start = start + offset, .due = own};
    if (pthread_create(threads + i, NULL, run, senders + i)) errx(1, "pthread_create");
  }
  for (int i = 0; i < order->senders; i++) {
    pthread_join(threads[i], NULL);
    outcome->sent += senders[i].sent;
    outcome->refused += senders[i].refused;
  }
  outcome->ns = now_ns() - start;
  outcome->intended = order->rate == 0 ? outcome->sent : all;
}
