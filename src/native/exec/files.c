/* /sys/class/net, as brctl reads it: a folder of overtap exec has the links of the switch beside the kernel's. Reading
 * only. */
/* node-gyp sets it, and the functions would be those of fopen64 and so on. */
#undef _FILE_OFFSET_BITS

#include "exec.h"

#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define SYSFS "/sys/class/net"
#define ROOM 4096
/* Bytes of the folder's path in the answer. */
#define FOLDER 256

/* The path to use instead; the given one where the folder has nothing of that name. */
static const char *redirect(const char *path, char *room) {
  size_t length = sizeof SYSFS - 1;
  if (path == NULL || strncmp(path, SYSFS, length) != 0 || (path[length] != 0 && path[length] != '/')) return path;
  if (strstr(path, "..") != NULL || !ox_is_on()) return path;
  int saved = errno;
  const struct ifreq nothing = {0};
  char folder[FOLDER];
  int fault = ox_call(OX_SYSFS, &nothing, sizeof nothing, folder, sizeof folder);
  folder[FOLDER - 1] = 0;
  int written = fault == 0 ? snprintf(room, ROOM, "%s%s", folder, path + length) : ROOM;
  bool isThere = written < ROOM && access(room, F_OK) == 0;
  errno = saved;
  return isThere ? room : path;
}

PUBLIC FILE *fopen(const char *path, const char *mode) {
  static FILE *(*real)(const char *, const char *);
  if (real == NULL) real = ox_real("fopen");
  char room[ROOM];
  return real(mode != NULL && mode[0] == 'r' && strchr(mode, '+') == NULL ? redirect(path, room) : path, mode);
}

PUBLIC DIR *opendir(const char *path) {
  static DIR *(*real)(const char *);
  if (real == NULL) real = ox_real("opendir");
  char room[ROOM];
  return real(redirect(path, room));
}

PUBLIC int scandir(const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
                   int (*order)(const struct dirent **, const struct dirent **)) {
  static int (*real)(const char *, struct dirent ***, int (*)(const struct dirent *),
                     int (*)(const struct dirent **, const struct dirent **));
  if (real == NULL) real = ox_real("scandir");
  char room[ROOM];
  return real(redirect(path, room), list, filter, order);
}

PUBLIC int stat(const char *path, struct stat *facts) {
  static int (*real)(const char *, struct stat *);
  if (real == NULL) real = ox_real("stat");
  char room[ROOM];
  return real(redirect(path, room), facts);
}
