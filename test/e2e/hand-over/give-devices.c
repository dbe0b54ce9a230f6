/*
 * Opens TUN and TAP devices, and becomes a program that inherits them:
 *
 *   give-devices KIND:NAME:FD:FLAGS[:FDNAME]... -- COMMAND...
 *
 * KIND is tap, tun, or file (of which NAME is the path). FLAGS: v a virtio-net header, m several queues, p with packet
 * information (no IFF_NO_PI), - none. With an FDNAME the variables of sd_listen_fds(3) are set, as by a service
 * manager.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef IFF_MULTI_QUEUE
#define IFF_MULTI_QUEUE 0x0100
#endif

static int open_device(const char *kind, const char *name, const char *flags) {
  struct ifreq request;
  int fd = open("/dev/net/tun", O_RDWR);
  if (fd < 0) err(1, "/dev/net/tun");
  memset(&request, 0, sizeof request);
  snprintf(request.ifr_name, IFNAMSIZ, "%.15s", name);
  request.ifr_flags = (short)((strcmp(kind, "tun") ? IFF_TAP : IFF_TUN) | (strchr(flags, 'p') ? 0 : IFF_NO_PI) |
                              (strchr(flags, 'v') ? IFF_VNET_HDR : 0) | (strchr(flags, 'm') ? IFF_MULTI_QUEUE : 0));
  if (ioctl(fd, TUNSETIFF, &request) < 0) err(1, "TUNSETIFF %s", name);
  return fd;
}

int main(int argc, char **argv) {
  char names[1024] = "", count[16], pid[16];
  int at, listed = 0;
  for (at = 1; at < argc && strcmp(argv[at], "--"); at++) {
    char kind[8], name[256], flags[8], listen[64] = "";
    int to;
    if (sscanf(argv[at], "%7[^:]:%255[^:]:%d:%7[^:]:%63s", kind, name, &to, flags, listen) < 4)
      errx(2, "%s: KIND:NAME:FD:FLAGS[:FDNAME]", argv[at]);
    int fd = strcmp(kind, "file") ? open_device(kind, name, flags) : open(name, O_RDWR);
    if (fd < 0) err(1, "%s", name);
    if (fd != to) {
      if (dup2(fd, to) < 0) err(1, "dup2");
      close(fd);
    }
    if (!listen[0]) continue;
    snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", listed++ ? ":" : "", listen);
  }
  if (at + 1 >= argc) errx(2, "no command");
  if (listed) {
    snprintf(count, sizeof count, "%d", listed);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDNAMES", names, 1);
  }
  execvp(argv[at + 1], argv + at + 1);
  err(1, "%s", argv[at + 1]);
}
