/* Texts of the CNI plugin: reading, quoting, and one member of a JSON object. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cni.h"

bool text_add(struct text *text, const char *bytes, size_t length) {
  if (text->length + length + 1 > text->room) {
    size_t room = (text->length + length + 1) * 2;
    char *grown = realloc(text->bytes, room);
    if (grown == NULL) return false;
    text->bytes = grown;
    text->room = room;
  }
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = '\0';
  return true;
}

bool text_word(struct text *text, const char *word) { return text_add(text, word, strlen(word)); }

bool text_quote(struct text *text, const char *bytes, size_t length) {
  if (!text_word(text, "\"")) return false;
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    char escaped[8];
    if (byte == '"' || byte == '\\') snprintf(escaped, sizeof escaped, "\\%c", byte);
    else if (byte < 0x20 || byte == 0x7f) snprintf(escaped, sizeof escaped, "\\u%04x", byte);
    else snprintf(escaped, sizeof escaped, "%c", byte);
    if (!text_word(text, escaped)) return false;
  }
  return text_word(text, "\"");
}

int text_read(struct text *text, int fd) {
  char part[16384];
  for (;;) {
    ssize_t got = read(fd, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) return text_add(text, "", 0) ? 0 : -1;
    if (text->length + (size_t)got > MOST_TEXT) {
      errno = EMSGSIZE;
      return -1;
    }
    if (!text_add(text, part, (size_t)got)) return -1;
  }
}

/* The end of a string that begins behind its quote; NULL: it has none. */
static const char *string_end(const char *at) {
  for (; *at != '\0' && *at != '"'; at++)
    if (*at == '\\' && *++at == '\0') return NULL;
  return *at == '"' ? at : NULL;
}

static const char *past_space(const char *at) { return at + strspn(at, " \t\r\n"); }

/* Copies a string, or the digits of a number. False: it is another value, or longer, or has escapes. */
static bool copy_value(const char *at, char *value, size_t room) {
  bool is_string = *at == '"';
  const char *begin = is_string ? at + 1 : at;
  const char *end = is_string ? string_end(begin) : at + strspn(at, "0123456789");
  if (end == NULL || (!is_string && end == begin)) return false;
  size_t length = (size_t)(end - begin);
  if (length >= room || memchr(begin, '\\', length) != NULL) return false;
  memcpy(value, begin, length);
  value[length] = '\0';
  return true;
}

bool json_member(const char *json, const char *key, char *value, size_t room) {
  int depth = 0;
  for (const char *at = json; *at != '\0'; at++) {
    if (*at == '{' || *at == '[') depth++;
    if (*at == '}' || *at == ']') depth--;
    if (*at != '"') continue;
    const char *end = string_end(at + 1);
    if (end == NULL) return false;
    const char *next = past_space(end + 1);
    bool is_key =
        depth == 1 && *next == ':' && strlen(key) == (size_t)(end - at - 1) && memcmp(at + 1, key, strlen(key)) == 0;
    if (is_key) return copy_value(past_space(next + 1), value, room);
    at = end;
  }
  return false;
}
