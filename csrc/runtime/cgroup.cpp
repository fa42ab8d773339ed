// The limits that a container puts on a process: the cgroup's CPU quota, the affinity mask.
//
// A quota sits in a folder of the cgroup file system. /proc/self/cgroup names the folder within its
// hierarchy, /proc/self/mountinfo says where the hierarchy is mounted; every folder from there up
// to the mount may hold a tighter quota. Whatever is missing or unreadable counts as "no limit".
#include "runtime/cgroup.hpp"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include "fastla/runtime.h"

namespace fastla {
namespace {

constexpr int kPathBytes = 4096;  // PATH_MAX: the kernel opens nothing longer

struct Path {
  char text[kPathBytes] = "";
};

// An overlong path becomes empty, so that it opens nothing.
void join(Path &out, const char *a, const char *b, const char *c) {
  const int n = snprintf(out.text, sizeof out.text, "%s%s%s", a, b, c);
  if (n < 0 || n >= kPathBytes) out.text[0] = '\0';
}

// The lines of a file, one after the other, however long they are.
class Lines {
 public:
  Lines(const char *root, const char *path) {
    Path full;
    join(full, root, path, "");
    file_ = fopen(full.text, "re");
  }
  ~Lines() {
    free(line_);
    if (file_ != nullptr) fclose(file_);
  }
  Lines(const Lines &) = delete;
  Lines &operator=(const Lines &) = delete;

  // nullptr at the end; the caller may change the text.
  char *next() {
    if (file_ == nullptr) return nullptr;
    const ssize_t length = getline(&line_, &capacity_, file_);
    if (length < 0) return nullptr;
    if (length > 0 && line_[length - 1] == '\n') line_[length - 1] = '\0';
    return line_;
  }

 private:
  FILE *file_ = nullptr;
  char *line_ = nullptr;
  size_t capacity_ = 0;
};

// Is word one of the names in a list such as "rw,cpu,cpuacct"?
bool in_list(const char *list, const char *word) {
  const size_t length = strlen(word);
  for (const char *p = list;; ++p) {
    const size_t here = strcspn(p, ",");
    if (here == length && strncmp(p, word, length) == 0) return true;
    p += here;
    if (*p == '\0') return false;
  }
}

// mountinfo writes a blank as \040, and so on.
void unescape(char *s) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  char *out = s;
  while (*s != '\0') {
    if (s[0] == '\\' && octal(s[1]) && octal(s[2]) && octal(s[3])) {
      *out++ = static_cast<char>((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
      s += 4;
    } else {
      *out++ = *s++;
    }
  }
  *out = '\0';
}

enum class Version { v1, v2 };

// The process's folder within the hierarchy that holds the cpu controller: of "4:cpu,cpuacct:/a/b"
// or "0::/a/b" the last field.
bool find_folder(const char *root, Version version, Path &folder) {
  Lines lines(root, "/proc/self/cgroup");
  while (char *line = lines.next()) {
    char *controllers = strchr(line, ':');
    char *path = controllers != nullptr ? strchr(controllers + 1, ':') : nullptr;
    if (path == nullptr || path[1] != '/') continue;
    *controllers++ = '\0';
    *path++ = '\0';
    const bool match = version == Version::v2 ? strcmp(line, "0") == 0 && *controllers == '\0'
                                              : in_list(controllers, "cpu");
    if (!match) continue;
    join(folder, path, "", "");
    return true;
  }
  return false;
}

// The part of folder below top, or nullptr when it is not below it.
const char *below(const char *folder, const char *top) {
  const size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
  if (strncmp(folder, top, length) != 0) return nullptr;
  return folder[length] == '/' || folder[length] == '\0' ? folder + length : nullptr;
}

struct Mount {
  char *top;    // the folder of the hierarchy that is mounted
  char *point;  // where
};

// One line: "id parent major:minor top point options [tags...] - type source super-options".
bool parse_mount(char *line, Version version, Mount &mount) {
  char *rest = strstr(line, " - ");
  if (rest == nullptr) return false;
  *rest = '\0';
  char *save = nullptr;
  const char *type = strtok_r(rest + 3, " ", &save);
  if (type == nullptr || strcmp(type, version == Version::v2 ? "cgroup2" : "cgroup") != 0)
    return false;
  strtok_r(nullptr, " ", &save);  // the source may be any word
  const char *options = strtok_r(nullptr, " ", &save);
  if (version == Version::v1 && (options == nullptr || !in_list(options, "cpu"))) return false;

  char *field = strtok_r(line, " ", &save);
  for (int i = 0; i < 3 && field != nullptr; ++i) field = strtok_r(nullptr, " ", &save);
  mount.top = field;
  mount.point = field != nullptr ? strtok_r(nullptr, " ", &save) : nullptr;
  if (mount.point == nullptr) return false;
  unescape(mount.top);
  unescape(mount.point);
  return true;
}

// The hierarchy's mount point and the process's folder below it. A container may see its folder's
// name as the host knows it, or nothing but ".."; then what is mounted is taken to be its own
// folder.
bool find_place(const char *root, Version version, Path &point, Path &inside) {
  Path folder;
  if (!find_folder(root, version, folder)) return false;
  bool found = false;
  Lines lines(root, "/proc/self/mountinfo");
  while (char *line = lines.next()) {
    Mount mount;
    if (!parse_mount(line, version, mount)) continue;
    const char *part =
        strstr(folder.text, "/..") != nullptr ? nullptr : below(folder.text, mount.top);
    if (found && part == nullptr) continue;
    join(point, mount.point, "", "");
    join(inside, part != nullptr ? part : "", "", "");
    found = true;
    if (part != nullptr) break;  // mounted twice: the one that contains us counts
  }
  return found;
}

bool read_integer(const char *&text, int64_t &value) {
  char *end = nullptr;
  errno = 0;
  value = strtoll(text, &end, 10);
  if (end == text || errno != 0) return false;
  text = end;
  return true;
}

// quota / period rounded up; 0 where either is missing, negative ("no limit") or nonsense.
int32_t cpus_of(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return 0;
  const int64_t cpus = (quota - 1) / period + 1;
  return cpus > INT32_MAX ? INT32_MAX : static_cast<int32_t>(cpus);
}

bool read_file_integer(const char *root, const char *folder, const char *file, int64_t &value) {
  Path path;
  join(path, folder, "/", file);
  Lines lines(root, path.text);
  const char *text = lines.next();
  return text != nullptr && read_integer(text, value);
}

// The quota of one folder, or 0. v2: cpu.max holds "quota period", or "max period".
int32_t folder_cpus(const char *root, Version version, const char *folder) {
  int64_t quota = 0, period = 0;
  if (version == Version::v1) {
    const bool both = read_file_integer(root, folder, "cpu.cfs_quota_us", quota) &&
                      read_file_integer(root, folder, "cpu.cfs_period_us", period);
    return both ? cpus_of(quota, period) : 0;
  }
  Path path;
  join(path, folder, "/", "cpu.max");
  Lines lines(root, path.text);
  const char *text = lines.next();
  const bool both = text != nullptr && read_integer(text, quota) && read_integer(text, period);
  return both ? cpus_of(quota, period) : 0;
}

int32_t tighter(int32_t a, int32_t b) { return a == 0 ? b : b == 0 || a < b ? a : b; }

int32_t hierarchy_cpus(const char *root, Version version) {
  Path point, inside, folder;
  if (!find_place(root, version, point, inside)) return 0;
  int32_t cpus = 0;
  for (;;) {
    join(folder, point.text, inside.text, "");
    cpus = tighter(cpus, folder_cpus(root, version, folder.text));
    char *slash = strrchr(inside.text, '/');
    if (slash == nullptr) return cpus;
    *slash = '\0';
  }
}

}  // namespace

int32_t cgroup_cpus(const char *root) noexcept {
  if (root == nullptr) root = "";
  // In a hybrid system the cpu controller is in one of the two; the other has no quota files.
  return tighter(hierarchy_cpus(root, Version::v2), hierarchy_cpus(root, Version::v1));
}

int32_t affinity_cpus() noexcept {
#if defined(__linux__)
  // The kernel refuses a mask shorter than its own, and does not tell how long that is.
  for (int bits = 1024; bits <= 1 << 20; bits *= 2) {
    cpu_set_t *mask = CPU_ALLOC(bits);
    if (mask == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(bits);
    const bool known = sched_getaffinity(0, bytes, mask) == 0;
    const int count = known ? CPU_COUNT_S(bytes, mask) : 0;
    const bool too_short = !known && errno == EINVAL;
    CPU_FREE(mask);
    if (count > 0) return count;
    if (!too_short) break;
  }
#endif
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 && online <= INT32_MAX ? static_cast<int32_t>(online) : 1;
}

}  // namespace fastla

int32_t fastla_cgroup_cpus(const char *root) { return fastla::cgroup_cpus(root); }

int32_t fastla_affinity_cpus(void) { return fastla::affinity_cpus(); }
