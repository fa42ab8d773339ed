// The floating-point environment of a task: round to nearest, no FTZ or DAZ, exceptions masked.
//
// A worker's or caller's control word must never reach a result, and the flags that a task raises must
// reach the caller, whichever thread ran it.
#pragma once
#include <stdint.h>

#include "fastla/gemm.h"
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace fastla {

#if defined(__x86_64__)
class FpScope {
 public:
  FpScope() noexcept : saved_(_mm_getcsr()) { change(saved_, kDefault); }
  ~FpScope() {
    if (open_) close();
  }
  FpScope(const FpScope &) = delete;
  FpScope &operator=(const FpScope &) = delete;

  // Ends the scope: the exceptions raised since it began, as FASTLA_FP_* bits.
  uint32_t close() noexcept {
    const uint32_t csr = _mm_getcsr();
    change(csr, saved_);
    open_ = false;
    uint32_t flags = 0;
    if (csr & kInvalid) flags |= FASTLA_FP_INVALID;
    if (csr & kDivide) flags |= FASTLA_FP_DIVIDE;
    if (csr & kOverflow) flags |= FASTLA_FP_OVERFLOW;
    if (csr & kUnderflow) flags |= FASTLA_FP_UNDERFLOW;
    return flags;
  }

  // Sets them in the calling thread's status, without trapping.
  static void raise(uint32_t flags) noexcept {
    uint32_t csr = _mm_getcsr();
    if (flags & FASTLA_FP_INVALID) csr |= kInvalid;
    if (flags & FASTLA_FP_DIVIDE) csr |= kDivide;
    if (flags & FASTLA_FP_OVERFLOW) csr |= kOverflow;
    if (flags & FASTLA_FP_UNDERFLOW) csr |= kUnderflow;
    _mm_setcsr(csr);
  }

 private:
  static constexpr uint32_t kDefault = 0x1f80, kInvalid = 1, kDivide = 4, kOverflow = 8,
                            kUnderflow = 16, kInexact = 32;
  // Reading the register takes 6 ns, writing it more than a 4 x 4 product; nobody reads whether something was inexact.
  static void change(uint32_t from, uint32_t to) noexcept {
    if ((from | kInexact) != (to | kInexact)) _mm_setcsr(to);
  }
  uint32_t saved_;
  bool open_ = true;
};
#elif defined(__aarch64__)
class FpScope {
 public:
  FpScope() noexcept {
    __asm__ volatile("mrs %0, fpcr" : "=r"(control_));
    __asm__ volatile("mrs %0, fpsr" : "=r"(status_));
    __asm__ volatile("msr fpcr, %0" ::"r"(uint64_t{0}));
    __asm__ volatile("msr fpsr, %0" ::"r"(uint64_t{0}));
  }
  ~FpScope() {
    if (open_) close();
  }
  FpScope(const FpScope &) = delete;
  FpScope &operator=(const FpScope &) = delete;

  uint32_t close() noexcept {
    uint64_t sr;
    __asm__ volatile("mrs %0, fpsr" : "=r"(sr));
    __asm__ volatile("msr fpcr, %0" ::"r"(control_));
    __asm__ volatile("msr fpsr, %0" ::"r"(status_));
    open_ = false;
    // FPSR: invalid, divide, overflow, underflow are bits 0..3, in the order of FASTLA_FP_*.
    return uint32_t(sr) & 15u;
  }

  static void raise(uint32_t flags) noexcept {
    uint64_t sr;
    __asm__ volatile("mrs %0, fpsr" : "=r"(sr));
    __asm__ volatile("msr fpsr, %0" ::"r"(sr | flags));
  }

 private:
  uint64_t control_, status_;
  bool open_ = true;
};
#else
#error "fpenv: this architecture has no FpScope yet"
#endif

}  // namespace fastla
