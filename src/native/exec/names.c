/* Names and indices of links, and the ioctls of brctl: what a program asks without netlink. */
#include "exec.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

int ox_call(uint32_t request, const void *from, size_t length, void *to, size_t room) {
  const struct ox_caller caller = {.netns = ox_netns(), .pid = (uint32_t)getpid()};
  uint8_t head[sizeof caller + sizeof request];
  memcpy(head, &caller, sizeof caller);
  memcpy(head + sizeof caller, &request, sizeof request);
  int connection = ox_is_on() ? ox_connect() : -1;
  if (connection < 0) return -1;
  /* Begun, and not finished: the switch may have done it. */
  int result = ECONNABORTED;
  bool goesOn = ox_say(connection, OX_CALL, head, sizeof head, from, length);
  for (int questions = 0; goesOn && questions <= OX_MAX_QUESTIONS; questions++) {
    struct ox_bytes bytes, answer;
    uint32_t word = ox_hear(connection, &bytes);
    goesOn = word == OX_ASK;
    if (word == OX_PASS) result = -1;
    if (goesOn) {
      uint32_t fault = (uint32_t)ox_ask_kernel(&caller, bytes, &answer);
      goesOn = ox_say(connection, OX_REPLY, &fault, sizeof fault, answer.at, answer.length);
      free(answer.at);
    } else if (word == OX_RESULT && bytes.length >= sizeof(uint32_t)) {
      uint32_t fault;
      memcpy(&fault, bytes.at, sizeof fault);
      result = (int)(fault & 0xffff);
      if (bytes.length - sizeof fault >= room && room > 0) memcpy(to, bytes.at + sizeof fault, room);
      else if (room > 0) result = -1;
    }
    free(bytes.at);
  }
  ox_close(connection);
  return result;
}

static int finish(int fault) {
  if (fault == 0) return 0;
  errno = fault;
  return -1;
}

/* The kernel's answer, unless it does not know the device. */
static bool is_unknown(int result) { return result < 0 && (errno == ENODEV || errno == ENXIO); }

/* Words of the older ioctl of bridges: a code and two arguments. */
#define OLD_WORDS 3
/* Its code for the ports of a bridge, and how many numbers of ports there are. */
#define GET_PORT_LIST 7
#define MAX_PORTS 256

/* Gives a program the indices of a bridge's ports, by their numbers. @return 0, errno, or -1: not the switch's */
static int list_ports(const struct ifreq *request, const unsigned long *words) {
  int ports[MAX_PORTS];
  int fault = ox_call(SIOCDEVPRIVATE, request, sizeof *request, ports, sizeof ports);
  size_t wanted = words[2] < MAX_PORTS ? words[2] : MAX_PORTS;
  struct iovec from = {.iov_base = ports, .iov_len = wanted * sizeof *ports};
  struct iovec to = {.iov_base = (void *)words[1], .iov_len = from.iov_len};
  if (fault == 0 && process_vm_writev(getpid(), &from, 1, &to, 1, 0) != (ssize_t)to.iov_len) return EFAULT;
  return fault;
}

/* The older ioctl of bridges, by which brctl sets what it cannot write in /sys: a code and its arguments. Other
 * programs may give other things by it. */
static int of_bridge(const struct ifreq *given, int result) {
  int saved = errno;
  struct ifreq request = {0};
  unsigned long words[OLD_WORDS] = {0};
  memcpy(request.ifr_name, given->ifr_name, IFNAMSIZ);
  struct iovec to = {.iov_base = words, .iov_len = sizeof words};
  struct iovec from = {.iov_base = given->ifr_data, .iov_len = to.iov_len};
  _Static_assert(sizeof request.ifr_ifru >= sizeof words, "code and arguments have room");
  bool isRead = given->ifr_data != NULL && process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)to.iov_len;
  memcpy(&request.ifr_ifru, words, sizeof words);
  int fault = -1;
  if (isRead && words[0] == GET_PORT_LIST) fault = list_ports(&request, words);
  else if (isRead) fault = ox_call(SIOCDEVPRIVATE, &request, sizeof request, NULL, 0);
  if (fault >= 0) return finish(fault);
  errno = saved;
  return result;
}

/* Codes of SIOCSIFBR, which brctl tries when the newer ioctl is refused: what the switch refuses is not the kernel's.
 */
#define OLD_ADD_BRIDGE 2
#define OLD_DEL_BRIDGE 3

/* @return the newer ioctl, its name in `given`; 0: it is none */
static unsigned renewed(unsigned code, const void *argument, struct ifreq *given) {
  if (code != SIOCSIFBR || argument == NULL) return 0;
  const unsigned long *words = argument;
  if (words[0] != OLD_ADD_BRIDGE && words[0] != OLD_DEL_BRIDGE) return 0;
  if (words[1] == 0) return 0;
  strncpy(given->ifr_name, (const char *)words[1], IFNAMSIZ - 1);
  return words[0] == OLD_ADD_BRIDGE ? SIOCBRADDBR : SIOCBRDELBR;
}

#ifdef __GLIBC__
PUBLIC int ioctl(int fd, unsigned long request, ...) {
  static int (*real)(int, unsigned long, ...);
#else
PUBLIC int ioctl(int fd, int request, ...) {
  static int (*real)(int, int, ...);
#endif
  va_list list;
  va_start(list, request);
  void *argument = va_arg(list, void *);
  va_end(list);
  if (real == NULL) real = ox_real("ioctl");
  unsigned code = (unsigned)request;
  struct ifreq named = {0};
  unsigned newer = renewed(code, argument, &named);
  if (newer != 0) {
    int fault = ox_call(newer, &named, sizeof named, NULL, 0);
    return fault < 0 ? real(fd, request, argument) : finish(fault);
  }
  if (code == SIOCBRADDBR || code == SIOCBRDELBR || code == SIOCBRADDIF || code == SIOCBRDELIF) {
    struct ifreq given = {0};
    if (argument == NULL) return real(fd, request, argument);
    if (code == SIOCBRADDBR || code == SIOCBRDELBR) strncpy(given.ifr_name, argument, IFNAMSIZ - 1);
    else memcpy(&given, argument, sizeof given);
    int fault = ox_call(code, &given, sizeof given, NULL, 0);
    return fault < 0 ? real(fd, request, argument) : finish(fault);
  }
  /* The port is set up or down before its device, which the kernel does. */
  if (code == SIOCSIFFLAGS && argument != NULL) {
    int fault = ox_call(code, argument, sizeof(struct ifreq), NULL, 0);
    if (fault >= 0) return finish(fault);
  }
  int result = real(fd, request, argument);
  if (code == SIOCDEVPRIVATE && argument != NULL && result < 0 && (errno == EOPNOTSUPP || errno == ENODEV))
    return of_bridge(argument, result);
  bool isAsked = code == SIOCGIFINDEX || code == SIOCGIFNAME || code == SIOCGIFFLAGS || code == SIOCGIFTXQLEN;
  if (!isAsked || argument == NULL || !is_unknown(result)) return result;
  int saved = errno;
  int fault = ox_call(code, argument, sizeof(struct ifreq), argument, sizeof(struct ifreq));
  return finish(fault < 0 ? saved : fault);
}

PUBLIC unsigned if_nametoindex(const char *name) {
  static unsigned (*real)(const char *);
  if (real == NULL) real = ox_real("if_nametoindex");
  unsigned index = real(name);
  struct ifreq given = {0};
  if (index != 0 || !is_unknown(-1) || strlen(name) >= IFNAMSIZ) return index;
  strcpy(given.ifr_name, name);
  if (ox_call(SIOCGIFINDEX, &given, sizeof given, &given, sizeof given) == 0) return (unsigned)given.ifr_ifindex;
  errno = ENODEV;
  return 0;
}

/* As the header of each C library declares it. */
#ifdef __GLIBC__
PUBLIC char *if_indextoname(unsigned index, char name[IF_NAMESIZE]) {
#else
PUBLIC char *if_indextoname(unsigned index, char *name) {
#endif
  static char *(*real)(unsigned, char *);
  if (real == NULL) real = ox_real("if_indextoname");
  char *found = real(index, name);
  struct ifreq given = {.ifr_ifindex = (int)index};
  if (found != NULL || !is_unknown(-1)) return found;
  if (ox_call(SIOCGIFNAME, &given, sizeof given, &given, sizeof given) == 0) {
    memcpy(name, given.ifr_name, IFNAMSIZ);
    name[IFNAMSIZ - 1] = 0;
    return name;
  }
  errno = ENXIO;
  return NULL;
}
