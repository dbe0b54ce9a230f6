/*
 * The state of a link by ioctls, netdevice(7), in the thread's namespace. Unlike a netlink socket this one has no queue
 * that other processes can write to, does not wait for the rtnl lock, and answers with a fixed length. Changes nothing.
 */
#include "../overtap.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int ask(int fd, unsigned long what, const char *ifname, struct ifreq *answer) {
  memset(answer, 0, sizeof *answer);
  snprintf(answer->ifr_name, sizeof answer->ifr_name, "%s", ifname);
  return ioctl(fd, what, answer) < 0 ? errno : 0;
}

int ot_link_ask(int fd, const char *ifname, struct ot_link *link) {
  struct ifreq answer;
  int number;
  if ((number = ask(fd, SIOCGIFINDEX, ifname, &answer))) return number;
  link->index = answer.ifr_ifindex;
  if ((number = ask(fd, SIOCGIFFLAGS, ifname, &answer))) return number;
  link->flags = (unsigned short)answer.ifr_flags;
  if ((number = ask(fd, SIOCGIFMTU, ifname, &answer))) return number;
  link->mtu = (unsigned)answer.ifr_mtu;
  if ((number = ask(fd, SIOCGIFHWADDR, ifname, &answer))) return number;
  memcpy(link->mac, answer.ifr_hwaddr.sa_data, 6);
  link->type = answer.ifr_hwaddr.sa_family;
  return 0;
}

int ot_link_look(const char *ifname, struct ot_link *link) {
  memset(link, 0, sizeof *link);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int number = ot_link_ask(fd, ifname, link);
  close(fd);
  return number;
}

int ot_link_state(const char *netns, const char *ifname, struct ot_link *link, struct ot_fault *fault) {
  int home;
  if (ot_netns_enter(netns, &home, fault) < 0) {
    /* The file of an unmounted namespace is an ordinary empty file. */
    bool gone = fault->number == ENOENT || (fault->number == EINVAL && !strcmp(fault->syscall, "setns"));
    return gone ? 0 : -1;
  }
  int number = ot_link_look(ifname, link);
  ot_netns_leave(home);
  if (number == ENODEV) return 0;
  return number ? ot_fail(fault, number, "ioctl", "reading the state of %s", ifname) : 1;
}
