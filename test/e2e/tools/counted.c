/*
 * Numbered frames of the experimental EtherType, and numbered UDP datagrams: sent, or counted. Linked
 * statically it runs in a virtual machine too.
 *
 *   counted send IFNAME DESTINATION SOURCE TAGS FLOW COUNT GAP
 *       frames of 64 bytes, GAP microseconds apart; TAGS: "-", or such as 8100000a
 *   counted send ADDRESS PORT FLOW COUNT GAP
 *       datagrams of 64 bytes
 *   counted receive IFNAME|PORT QUIET
 *       until none has come for QUIET milliseconds after the first one
 *
 * The receiver prints "ready" when it can miss none, and at its end a line of JSON for each flow:
 * {"flow":2,"received":10,"twice":0,"late":0}. `received` counts each number once, `late` those that came
 * behind a higher one.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXPERIMENTAL 0x88b5
#define MAGIC 0x4f54434eu
#define FLOWS 16
#define NUMBERS 1000000
#define LENGTH 64
#define BUFFER (8 << 20)

struct message {
  uint32_t magic, flow, number;
};

struct flow {
  uint8_t seen[NUMBERS];
  uint32_t received, twice, late, next;
};

static struct flow flows[FLOWS];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void read_mac(const char *text, uint8_t *mac) {
  unsigned byte[6];
  if (sscanf(text, "%x:%x:%x:%x:%x:%x", byte, byte + 1, byte + 2, byte + 3, byte + 4, byte + 5) != 6) exit(2);
  for (int i = 0; i < 6; i++) mac[i] = (uint8_t)byte[i];
}

static int frames_of(const char *ifname) {
  int fd = socket(AF_PACKET, SOCK_RAW, htons(EXPERIMENTAL)), one = 1;
  struct sockaddr_ll place = {
      .sll_family = AF_PACKET, .sll_protocol = htons(EXPERIMENTAL), .sll_ifindex = (int)if_nametoindex(ifname)};
  if (fd < 0) fail("socket");
  if (place.sll_ifindex == 0) fail(ifname);
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0) fail("PACKET_IGNORE_OUTGOING");
  if (bind(fd, (struct sockaddr *)&place, sizeof place) < 0) fail("bind");
  return fd;
}

static int datagrams_at(uint16_t port) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (fd < 0) fail("socket");
  if (bind(fd, (struct sockaddr *)&place, sizeof place) < 0) fail("bind");
  return fd;
}

static void send_all(int fd, uint8_t *packet, size_t at, char **words) {
  struct message message = {htonl(MAGIC), htonl((uint32_t)atoi(words[0])), 0};
  uint32_t count = (uint32_t)atoi(words[1]);
  useconds_t gap = (useconds_t)atoi(words[2]);
  for (uint32_t i = 0; i < count; i++) {
    message.number = htonl(i);
    memcpy(packet + at, &message, sizeof message);
    if (send(fd, packet, LENGTH, 0) != LENGTH) fail("send");
    if (gap > 0) usleep(gap);
  }
  printf("%u\n", count);
}

static void send_frames(char **words) {
  uint8_t frame[LENGTH] = {0};
  size_t at = 12;
  read_mac(words[1], frame);
  read_mac(words[2], frame + 6);
  for (const char *tag = words[3]; strlen(tag) >= 8 && at < LENGTH / 2; tag += 8, at += 4)
    if (sscanf(tag, "%2hhx%2hhx%2hhx%2hhx", frame + at, frame + at + 1, frame + at + 2, frame + at + 3) != 4) exit(2);
  frame[at++] = EXPERIMENTAL >> 8;
  frame[at++] = EXPERIMENTAL & 0xff;
  send_all(frames_of(words[0]), frame, at, words + 4);
}

static void send_datagrams(char **words) {
  uint8_t packet[LENGTH] = {0};
  int fd = datagrams_at(0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  if (inet_pton(AF_INET, words[0], &to.sin_addr) != 1) exit(2);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  send_all(fd, packet, 0, words + 2);
}

static void take(const uint8_t *packet, size_t length, size_t at) {
  struct message message;
  if (length < at + sizeof message) return;
  memcpy(&message, packet + at, sizeof message);
  uint32_t number = ntohl(message.number), index = ntohl(message.flow);
  if (ntohl(message.magic) != MAGIC || index >= FLOWS || number >= NUMBERS) return;
  struct flow *flow = &flows[index];
  if (flow->seen[number]) {
    flow->twice++;
    return;
  }
  flow->seen[number] = 1;
  flow->received++;
  if (number < flow->next) flow->late++;
  else flow->next = number + 1;
}

static void receive(const char *where, int quiet) {
  int is_port = where[strspn(where, "0123456789")] == 0, size = BUFFER, got = 0;
  int fd = is_port ? datagrams_at((uint16_t)atoi(where)) : frames_of(where);
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0) fail("SO_RCVBUFFORCE");
  puts("ready");
  fflush(stdout);
  while (poll(&wait, 1, got ? quiet : -1) > 0) {
    uint8_t packet[2048];
    ssize_t length = recv(fd, packet, sizeof packet, 0);
    if (length < 0) fail("recv");
    take(packet, (size_t)length, is_port ? 0 : 14);
    got = 1;
  }
  for (int i = 0; i < FLOWS; i++) {
    struct flow *flow = &flows[i];
    if (flow->received > 0)
      printf("{\"flow\":%d,\"received\":%u,\"twice\":%u,\"late\":%u}\n", i, flow->received, flow->twice, flow->late);
  }
}

int main(int count, char **words) {
  if (count == 9 && strcmp(words[1], "send") == 0) send_frames(words + 2);
  else if (count == 7 && strcmp(words[1], "send") == 0) send_datagrams(words + 2);
  else if (count == 4 && strcmp(words[1], "receive") == 0) receive(words[2], atoi(words[3]));
  else return 2;
  return 0;
}
