/* The verbs on the rights of the process as JavaScript calls them. Owns the checks of their arguments. */
#include <stdlib.h>

#include "args.h"
#include "../process/privilege.h"

#define MOST_WORDS 65536
#define MOST_CAPABILITIES 64

/* Arguments (numbers of capabilities). */
static napi_value keep_capabilities(napi_env env, napi_callback_info info) {
  napi_value list;
  uint32_t length = 0;
  uint64_t keep = 0;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &list)) return NULL;
  if (napi_get_array_length(env, list, &length) != napi_ok)
    return ot_throw_argument(env, "the capabilities must be an array");
  for (uint32_t i = 0; i < length; i++) {
    napi_value value;
    int64_t number;
    napi_get_element(env, list, i, &value);
    if (!ot_to_int(env, value, "capability", 0, MOST_CAPABILITIES - 1, &number)) return NULL;
    keep |= UINT64_C(1) << number;
  }
  return ot_keep_capabilities(keep, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

static void release(char **words) {
  for (size_t i = 0; words && words[i]; i++) free(words[i]);
  free(words);
}

/* A copy of a text, of any length; NULL: it is no text, or there is no memory. */
static char *copy(napi_env env, napi_value value) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return NULL;
  char *text = malloc(length + 1);
  if (text) napi_get_value_string_utf8(env, value, text, length + 1, &length);
  return text;
}

/* A list that ends with NULL; NULL: an exception is pending. */
static char **words_of(napi_env env, napi_value list, const char *name) {
  uint32_t length = 0;
  char **words = NULL;
  if (napi_get_array_length(env, list, &length) == napi_ok && length <= MOST_WORDS)
    words = calloc(length + 1, sizeof *words);
  for (uint32_t i = 0; words && i < length; i++) {
    napi_value value;
    napi_get_element(env, list, i, &value);
    words[i] = copy(env, value);
    if (words[i]) continue;
    release(words);
    words = NULL;
  }
  if (!words) ot_throw_argument(env, "%s must be an array of texts", name);
  return words;
}

#define MOST_DESCRIPTORS 1024

/* Reads a list of descriptors. Returns their number, or -1 with an exception pending. */
static int descriptors_of(napi_env env, napi_value list, int fds[MOST_DESCRIPTORS]) {
  uint32_t length = 0;
  if (napi_get_array_length(env, list, &length) != napi_ok || length > MOST_DESCRIPTORS) {
    ot_throw_argument(env, "descriptors must be an array");
    return -1;
  }
  for (uint32_t i = 0; i < length; i++) {
    napi_value value;
    int64_t fd;
    napi_get_element(env, list, i, &value);
    if (!ot_to_int(env, value, "descriptor", 0, INT32_MAX, &fd)) return -1;
    fds[i] = (int)fd;
  }
  return (int)length;
}

/* Arguments (path, words, environment, descriptors). */
static napi_value execute(napi_env env, napi_callback_info info) {
  napi_value values[4];
  char path[OT_PATH];
  int fds[MOST_DESCRIPTORS];
  struct ot_fault fault;
  if (!ot_arguments(env, info, 4, values) || !ot_to_text(env, values[0], "path", path, sizeof path)) return NULL;
  int count = descriptors_of(env, values[3], fds);
  if (count < 0) return NULL;
  char **words = words_of(env, values[1], "words");
  if (!words) return NULL;
  char **environment = words_of(env, values[2], "environment");
  if (environment) {
    ot_execute(path, words, environment, fds, (size_t)count, &fault);
    ot_throw(env, &fault);
  }
  release(words);
  release(environment);
  return NULL;
}

void ot_export_privilege(napi_env env, napi_value exports) {
  ot_export(env, exports, "keepCapabilities", keep_capabilities);
  ot_export(env, exports, "execute", execute);
}
