/* Who would have been called without this library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "blas.h"

typedef struct Names {
  char *text; /* one after the other, each with its zero */
  size_t length;
} Names;

static int add_name(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  Names *names = data;
  const size_t length = strlen(info->dlpi_name) + 1;
  char *text = realloc(names->text, names->length + length);
  if (!text) return 1;
  names->text = text;
  memcpy(text + names->length, info->dlpi_name, length);
  names->length += length;
  return 0;
}

Function look_up(const char *name, Function ours) {
  Names names = {NULL, 0};
  Function found = NULL;
  dl_iterate_phdr(&add_name, &names); /* dlopen in there could wait for a lock for ever */
  for (size_t at = 0; at < names.length && !found; at += strlen(names.text + at) + 1) {
    if (!names.text[at]) continue; /* the program itself, which stands for all global symbols */
    void *library = dlopen(names.text + at, RTLD_LAZY | RTLD_NOLOAD);
    if (!library) continue;
    void *symbol = dlsym(library, name);
    memcpy(&found, &symbol, sizeof found);
    if (found == ours) found = NULL;
    if (!found) dlclose(library);
  }
  free(names.text);
  return found;
}
