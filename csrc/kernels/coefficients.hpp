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
  static constexpr float sqrt_2 = 0x1.6a09e6p0f;
  static constexpr float sqrt_half = 0x1.6a09e6p-1f;
  static constexpr float linear_high = 0x1.98845p0f;
  static constexpr float linear_low = 0x1.9ea1b2p-23f;
  static constexpr float cubic_high = 0x1.2444f2p-4f;
  static constexpr float cubic_low = 0x1.49b16ap-29f;
  static constexpr float exp[] = {
      0x1p-1f, 0x1.555554p-3f, 0x1.5554fp-5f, 0x1.111308p-7f, 0x1.6d436ap-10f, 0x1.9e065ep-13f,
  };
  static constexpr float exp2[] = {
      0x1.62e43p-1f, 0x1.ebfbd8p-3f, 0x1.c6af78p-5f, 0x1.3b30bp-7f, 0x1.5f0a66p-10f,
      0x1.3f9138p-13f,
  };
  static constexpr float log[] = {
      0x1.555554p-1f, 0x1.999bd4p-2f, 0x1.23f1ap-2f, 0x1.ec1e44p-3f,
  };
  static constexpr float erf[] = {
      0x1.06eba8p-3f, -0x1.81273ap-2f, 0x1.ce2adcp-4f, -0x1.b7a96ap-6f, 0x1.4f303ep-8f,
      -0x1.61e99ap-11f,
  };
  static constexpr float mills[] = {
      0x1.82b4bcp-1f, -0x1.373e38p-1f, 0x1.8c6d9p-2f, -0x1.7e003p-3f, 0x1.eed68cp-5f,
      -0x1.ed0d7ap-8f, -0x1.ccad52p-9f, 0x1.9a9bd8p-10f, 0x1.78c646p-13f, -0x1.123ac2p-13f,
  };
};
template <> struct Coefficients<double> {
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double ln2_high = 0x1.62e42fefa3p-1;
  static constexpr double ln2_low = 0x1.3de6af278ece6p-42;
  static constexpr double sqrt_2 = 0x1.6a09e667f3bcdp0;
  static constexpr double sqrt_half = 0x1.6a09e667f3bcdp-1;
  static constexpr double linear_high = 0x1.9884533d4364p0;
  static constexpr double linear_low = 0x1.08d0fcb3c500cp-48;
  static constexpr double cubic_high = 0x1.2444f2a4d8b4bp-4;
  static constexpr double cubic_low = -0x1.6c843a29d1c7p-61;
  static constexpr double exp[] = {
      0x1p-1, 0x1.5555555555559p-3, 0x1.555555555554cp-5, 0x1.111111110f659p-7,
      0x1.6c16c16c1b324p-10, 0x1.a01a01b0007a8p-13, 0x1.a01a018b43f54p-16, 0x1.71ddf819a5574p-19,
      0x1.27e5198750aadp-22, 0x1.af5f16982257ep-26, 0x1.1f10265ff6234p-29,
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
  static constexpr double erf[] = {
      0x1.06eba8214db69p-3, -0x1.812746b037a09p-2, 0x1.ce2f21a044435p-4, -0x1.b82ce31308a25p-6,
      0x1.565bcd25cdd66p-8, -0x1.c02db93a4c4ffp-11, 0x1.f9a3e6e8e19e5p-14, -0x1.f4e460826b9d4p-17,
      0x1.bafffd305d684p-20, -0x1.6a1fd8d14133cp-23, 0x1.38085aa1604efp-26, -0x1.2145a7d0f9debp-29,
  };
  static constexpr double mills[] = {
      0x1.82b4bb8c94dcep-1, -0x1.373e3a893c28ap-1, 0x1.8c6dbf2cfc2c6p-2, -0x1.7dff2bff6842bp-3,
      0x1.eec4cc3e47f69p-5, -0x1.ee2761044b409p-8, -0x1.c81719cc7d23fp-9, 0x1.ab825fb38194cp-10,
      0x1.17a4a76f7f363p-13, -0x1.e4a422272e501p-13, -0x1.0012af1676d9fp-19, 0x1.26d0676f4f4bcp-15,
      0x1.7fecb292743d5p-21, -0x1.8d490921b0682p-18, -0x1.4fce53e57ccc1p-21, 0x1.124b4ebfe0d31p-20,
      0x1.1bf4bc928b5ep-22, -0x1.50205202a01cp-23, -0x1.4c7a9e5b87f64p-24, 0x1.12ef3a8504d3fp-26,
      0x1.f876853cbbc25p-27, -0x1.5b22b1ca69209p-32, -0x1.49d92c0630704p-30,
  };
};

}  // namespace
