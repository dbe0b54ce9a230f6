/*
 * Usage: frames KEY=VALUE...
 *
 *   from, to       paths of the network namespaces of sender and receiver
 *   ifname         the NIC's name in both
 *   smac, dmac, sip, dip
 *   sizes          lengths without FCS, in the order in which they are sent, such as 64 or 64,570,1400
 *   flows          1, or up to 1024 drawn pairs of ports
 *   rate           frames a second; 0: as fast as the senders can
 *   ms             how long
 *   senders        threads
 *   trial          0 to 65535: the IP identification, by which the counter knows the frames of this trial
 *
 * Sends, waits until nothing arrives any more, and prints {"intended", "sent", "refused", "received", "ns"} as JSON.
 */
#include "frames.h"

#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A frame may wait in queues as long as a busy machine stops a switch. */
#define SILENCE_NS 60000000ull
#define LONGEST_WAIT_NS 2000000000ull

static void take_mac(const char *text, uint8_t *mac) {
  if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
    errx(2, "not a MAC: %s", text);
}

static void take_sizes(const char *text, struct order *order) {
  for (const char *at = text; *at; at += *at == ',') {
    if (order->size_count == MOST_SIZES) errx(2, "too many sizes");
    char *end;
    long size = strtol(at, &end, 10);
    if (end == at || size < 60 || size > MOST_FRAME) errx(2, "sizes are from 60 to %d: %s", MOST_FRAME, text);
    order->sizes[order->size_count++] = (int)size;
    at = end;
  }
}

static void take(struct order *order, char *word) {
  char *value = strchr(word, '=');
  if (!value) errx(2, "KEY=VALUE, not %s", word);
  *value++ = 0;
  if (!strcmp(word, "from")) order->from = value;
  else if (!strcmp(word, "to")) order->to = value;
  else if (!strcmp(word, "ifname")) order->ifname = value;
  else if (!strcmp(word, "smac")) take_mac(value, order->source_mac);
  else if (!strcmp(word, "dmac")) take_mac(value, order->destination_mac);
  else if (!strcmp(word, "sip") || !strcmp(word, "dip")) {
    if (inet_pton(AF_INET, value, word[0] == 's' ? order->source : order->destination) != 1) errx(2, "sip, dip");
  } else if (!strcmp(word, "sizes")) take_sizes(value, order);
  else if (!strcmp(word, "flows")) order->flows = atoi(value);
  else if (!strcmp(word, "rate")) order->rate = atof(value);
  else if (!strcmp(word, "ms")) order->ns = strtoull(value, NULL, 10) * 1000000;
  else if (!strcmp(word, "senders")) order->senders = atoi(value);
  else if (!strcmp(word, "trial")) order->trial = atoi(value);
  else errx(2, "unknown: %s", word);
}

static void enter(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) err(1, "%s", path);
  close(fd);
}

/* Counts until nothing has arrived for a while. */
static uint64_t count_to_end(int counter) {
  uint64_t count = 0, start = now_ns(), last = start;
  for (uint64_t now = start; now - last < SILENCE_NS && now - start < LONGEST_WAIT_NS; now = now_ns()) {
    uint64_t more = count_frames(counter);
    if (more > 0) last = now_ns();
    count += more;
    usleep(5000);
  }
  return count;
}

int main(int argc, char **argv) {
  static struct order order = {.flows = 1, .senders = 1, .ifname = "eth0"};
  for (int i = 1; i < argc; i++) take(&order, argv[i]);
  if (!order.from || !order.to || !order.size_count || !order.ns) errx(2, "from, to, sizes and ms are needed");
  if (order.senders < 1 || order.senders > MOST_SENDERS || order.flows < 1 || order.rate < 0) errx(2, "out of range");
  if (order.trial < 0 || order.trial > 65535) errx(2, "trial is from 0 to 65535");
  struct drawn frames = draw_frames(&order);
  int sockets[MOST_SENDERS];
  enter(order.to);
  int counter = open_counter(&order);
  enter(order.from);
  for (int i = 0; i < order.senders; i++) sockets[i] = open_sender(&order);
  struct outcome outcome = {0};
  send_all(&order, &frames, sockets, &outcome);
  outcome.received = count_to_end(counter);
  printf("{\"intended\":%lu,\"sent\":%lu,\"refused\":%lu,\"received\":%lu,\"ns\":%lu}\n", outcome.intended,
         outcome.sent, outcome.refused, outcome.received, outcome.ns);
  return 0;
}
