/* Conversion between JavaScript's values and C's, and errors. Knows no device. */
#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *code_of(int number) {
  static const struct {
    int number;
    const char *code;
  } codes[] = {
#define CODE(name) {name, #name}
      CODE(EPERM),       CODE(ENOENT),       CODE(EINTR),        CODE(EIO),           CODE(ENXIO),
      CODE(EBADF),       CODE(EAGAIN),       CODE(ENOMEM),       CODE(EACCES),        CODE(EFAULT),
      CODE(EBUSY),       CODE(EEXIST),       CODE(ENODEV),       CODE(ENOTDIR),       CODE(EISDIR),
      CODE(EINVAL),      CODE(ENFILE),       CODE(EMFILE),       CODE(ENOTTY),        CODE(ENOSPC),
      CODE(ERANGE),      CODE(ENAMETOOLONG), CODE(ENOSYS),       CODE(ELOOP),         CODE(EBADFD),
      CODE(ENOTSOCK),    CODE(EDESTADDRREQ), CODE(EMSGSIZE),     CODE(ENOPROTOOPT),   CODE(EPROTONOSUPPORT),
      CODE(EOPNOTSUPP),  CODE(EAFNOSUPPORT), CODE(EADDRINUSE),   CODE(EADDRNOTAVAIL), CODE(ENETDOWN),
      CODE(ENETUNREACH), CODE(ENOBUFS),      CODE(ECONNREFUSED), CODE(EHOSTUNREACH),  CODE(EHOSTDOWN),
      CODE(EPROTOTYPE),  CODE(EOVERFLOW),    CODE(ETIMEDOUT),
#undef CODE
  };
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (codes[i].number == number) return codes[i].code;
  return NULL;
}

napi_value ot_throw(napi_env env, const struct ot_fault *fault) {
  char code[16], message[512];
  const char *name = code_of(fault->number);
  if (name) snprintf(code, sizeof code, "%s", name);
  else snprintf(code, sizeof code, "E%d", fault->number);
  /* %m is strerror(errno), safe in threads and the same in every libc. */
  errno = fault->number;
  snprintf(message, sizeof message, "%s: %m (%s)", fault->step, code);
  napi_value js_code, js_message, js_syscall, error;
  napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &js_code);
  napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &js_message);
  napi_create_string_utf8(env, fault->syscall, NAPI_AUTO_LENGTH, &js_syscall);
  if (napi_create_error(env, js_code, js_message, &error) != napi_ok) return NULL;
  ot_set(env, error, "errno", ot_int(env, fault->number));
  ot_set(env, error, "syscall", js_syscall);
  napi_throw(env, error);
  return NULL;
}

napi_value ot_throw_argument(napi_env env, const char *format, ...) {
  char message[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  napi_throw_type_error(env, "EINVAL", message);
  return NULL;
}

bool ot_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  size_t given = count;
  /* Missing ones are filled with undefined. */
  return napi_get_cb_info(env, info, &given, values, NULL, NULL) == napi_ok;
}

bool ot_to_int(napi_env env, napi_value value, const char *name, int64_t least, int64_t most, int64_t *result) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok || floor(number) != number || number < (double)least ||
      number > (double)most) {
    ot_throw_argument(env, "%s must be an integer from %lld to %lld", name, (long long)least, (long long)most);
    return false;
  }
  *result = (int64_t)number;
  return true;
}

bool ot_to_text(napi_env env, napi_value value, const char *name, char *text, size_t size) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok || length >= size) {
    ot_throw_argument(env, "%s must be a string of at most %zu bytes", name, size - 1);
    return false;
  }
  napi_get_value_string_utf8(env, value, text, size, &length);
  if (strlen(text) == length) return true;
  ot_throw_argument(env, "%s must not contain a zero byte", name);
  return false;
}

bool ot_to_bytes(napi_env env, napi_value value, const char *name, uint8_t **bytes, size_t *length) {
  napi_typedarray_type type;
  bool is = false;
  napi_is_typedarray(env, value, &is);
  if (is && napi_get_typedarray_info(env, value, &type, length, (void **)bytes, NULL, NULL) == napi_ok &&
      type == napi_uint8_array)
    return true;
  ot_throw_argument(env, "%s must be a Uint8Array", name);
  return false;
}

bool ot_has(napi_env env, napi_value object, const char *name, napi_value *value) {
  napi_valuetype type;
  if (napi_typeof(env, object, &type) != napi_ok || type != napi_object) return false;
  if (napi_get_named_property(env, object, name, value) != napi_ok) return false;
  return napi_typeof(env, *value, &type) == napi_ok && type != napi_undefined;
}

static bool missing(napi_env env, const char *name, bool required) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending && !required) return true;
  if (!pending) ot_throw_argument(env, "%s is missing", name);
  return false;
}

bool ot_get_int(napi_env env, napi_value object, const char *name, bool required, int64_t least, int64_t most,
                int64_t *result) {
  napi_value value;
  if (!ot_has(env, object, name, &value)) return missing(env, name, required);
  return ot_to_int(env, value, name, least, most, result);
}

bool ot_get_bool(napi_env env, napi_value object, const char *name, bool required, bool *result) {
  napi_value value;
  if (!ot_has(env, object, name, &value)) return missing(env, name, required);
  if (napi_get_value_bool(env, value, result) == napi_ok) return true;
  ot_throw_argument(env, "%s must be true or false", name);
  return false;
}

bool ot_get_text(napi_env env, napi_value object, const char *name, bool required, char *text, size_t size) {
  napi_value value;
  if (!ot_has(env, object, name, &value)) return missing(env, name, required);
  return ot_to_text(env, value, name, text, size);
}

bool ot_get_ifname(napi_env env, napi_value object, const char *name, bool required, char ifname[OT_NAME]) {
  if (!ot_get_text(env, object, name, required, ifname, OT_NAME)) return false;
  if (!ifname[0]) {
    if (!required) return true;
    ot_throw_argument(env, "%s must not be empty", name);
    return false;
  }
  if (strcmp(ifname, ".") && strcmp(ifname, "..") && !strpbrk(ifname, "/:% \t\n\r\v\f")) return true;
  ot_throw_argument(env, "%s is no name of a network interface", name);
  return false;
}

napi_value ot_int(napi_env env, int64_t value) {
  napi_value result = NULL;
  napi_create_int64(env, value, &result);
  return result;
}

void ot_set(napi_env env, napi_value object, const char *name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

void ot_export(napi_env env, napi_value exports, const char *name, napi_callback verb) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, verb, NULL, &function) == napi_ok)
    ot_set(env, exports, name, function);
}

void ot_set_text(napi_env env, napi_value object, const char *name, const char *text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) ot_set(env, object, name, value);
}

void ot_set_bool(napi_env env, napi_value object, const char *name, bool flag) {
  napi_value value;
  if (napi_get_boolean(env, flag, &value) == napi_ok) ot_set(env, object, name, value);
}

void ot_set_mac(napi_env env, napi_value object, const uint8_t *mac) {
  char text[18];
  snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  ot_set_text(env, object, "mac", text);
}

bool ot_get_place(napi_env env, napi_value options, char *netns, char *ifname) {
  netns[0] = ifname[0] = 0;
  return ot_get_text(env, options, "netns", false, netns, OT_PATH) &&
         ot_get_ifname(env, options, "ifname", true, ifname);
}
