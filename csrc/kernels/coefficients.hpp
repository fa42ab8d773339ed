// Constants and polynomials of math.hpp, constant term first; docs/functions.md says what they fit.
// Written by tools/fit_functions.py --write; do not edit.
// clang-format off
#pragma once

namespace {

template <class T> struct Coefficients;
template <> struct Coefficients<float> {
  static constexpr float log2_e = 0x1.715476p0f;
  static constexpr float ln2_high = 0x1.62e4p-1f;
  static constexpr float ln2_low = 0x1.7f7d1cp-20f;
  static constexpr float sqrt_half = 0x1.6a09e6p-1f;
  static constexpr float density = 0x1.988454p-2f;
  static constexpr float linear_high = 0x1.98845p0f;
  static constexpr float linear_low = 0x1.9ea1b2p-23f;
  static constexpr float cubic_high = 0x1.2444f2p-4f;
  static constexpr float cubic_low = 0x1.49b16ap-29f;
  static constexpr float exp[] = {
      0x1p0f, 0x1.fffff8p-2f, 0x1.55548ep-3f, 0x1.555b96p-5f, 0x1.123bdp-7f, 0x1.68525cp-10f,
  };
  static constexpr float exp2[] = {
      0x1.62e43p-1f, 0x1.ebfbd8p-3f, 0x1.c6af78p-5f, 0x1.3b30bp-7f, 0x1.5f0a66p-10f,
      0x1.3f9138p-13f,
  };
  static constexpr float log[] = {
      0x1.555554p-1f, 0x1.999bd4p-2f, 0x1.23f1ap-2f, 0x1.ec1e44p-3f,
  };
  static constexpr float mills_over[] = {
      0x1.8p-1f, 0x1.4d75eep-1f, 0x1.14c88cp-2f, 0x1.e6b854p-5f, 0x1.85b6a6p-8f,
  };
  static constexpr float mills_under[] = {
      0x1.8p0f, 0x1.3fec9ap1f, 0x1.c8ea5cp0f, 0x1.62650ep-1f, 0x1.3107dep-3f, 0x1.e86dp-7f,
  };
};
template <> struct Coefficients<double> {
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double ln2_high = 0x1.62e42fefa3p-1;
  static constexpr double ln2_low = 0x1.3de6af278ece6p-42;
  static constexpr double sqrt_half = 0x1.6a09e667f3bcdp-1;
  static constexpr double density = 0x1.9884533d43651p-2;
  static constexpr double linear_high = 0x1.9884533d4364p0;
  static constexpr double linear_low = 0x1.08d0fcb3c500cp-48;
  static constexpr double cubic_high = 0x1.2444f2a4d8b4bp-4;
  static constexpr double cubic_low = -0x1.6c843a29d1c7p-61;
  static constexpr double exp[] = {
      0x1p0, 0x1.000000000000bp-1, 0x1.555555555550fp-3, 0x1.55555555502ap-5, 0x1.1111111122b4ep-7,
      0x1.6c16c1852be0bp-10, 0x1.a01a014496ad8p-13, 0x1.a01997c6b663p-16, 0x1.71deec68ad9acp-19,
      0x1.28af424d262dfp-22, 0x1.add7694642f1p-26,
  };
  static constexpr double exp2[] = {
      0x1.62e42fefa39efp-1, 0x1.ebfbdff82c5a5p-3, 0x1.c6b08d704a122p-5, 0x1.3b2ab6fb9ffb3p-7,
      0x1.5d87fe78a1121p-10, 0x1.4309130f137dp-13, 0x1.ffcbfc5959341p-17, 0x1.62bfc71effb6ep-20,
      0x1.b5253f676f523p-24, 0x1.e61c0fbb20c62p-28, 0x1.e9470fae783f9p-32,
  };
  static constexpr double log[] = {
      0x1.5555555555594p-1, 0x1.999999997f73fp-2, 0x1.249249423ac79p-2, 0x1.c71c51d6d7e76p-3,
      0x1.746647f14b165p-3, 0x1.39a0eaea500eep-3, 0x1.2f0ccd19fce98p-3,
  };
  static constexpr double mills_over[] = {
      0x1.8p-1, 0x1.3d2649232d1cbp0, 0x1.03c3981d17f8fp0, 0x1.1094fcce78ecep-1,
      0x1.920111312d39bp-3, 0x1.b1566cade9a9ep-5, 0x1.59491e6b50c5ep-7, 0x1.921bdf7f27b6cp-10,
      0x1.48bd3e8b2b832p-13, 0x1.571cf2d36a7f1p-17, 0x1.5f6a748cc41a3p-22,
  };
  static constexpr double mills_under[] = {
      0x1.8p0, 0x1.d657e85a2662ap1, 0x1.0d859a332eac6p2, 0x1.7e4752e9b759ep1, 0x1.75ac12a3f30a7p0,
      0x1.090b4837306d7p-1, 0x1.1752d6f95b80fp-3, 0x1.b729848a5d445p-6, 0x1.fb540e1cd5fe5p-9,
      0x1.9cdfae67d37ap-12, 0x1.ae074a14f29fdp-16, 0x1.b86f378eb25a5p-21,
  };
};

}  // namespace
