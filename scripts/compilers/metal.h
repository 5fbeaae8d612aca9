// The part of Metal's library that the kernels use, for NVIDIA's compiler of CUDA (nvidia.py).
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fffffff)

namespace metal {
using uint = unsigned int;
using ushort = unsigned short;

struct half {
    ushort bits = 0;
    constexpr half() {}
    half(float v) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(v)); }
    operator float() const {
        float v;
        asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits));
        return v;
    }
};

template <class T, int N> struct Components;
template <class T> struct alignas(2 * sizeof(T)) Components<T, 2> {
    T x{}, y{};
    constexpr T &at(uint i) { return i == 0 ? x : y; }
    constexpr const T &at(uint i) const { return i == 0 ? x : y; }
};
template <class T> struct alignas(4 * sizeof(T)) Components<T, 3> {
    T x{}, y{}, z{};
    constexpr T &at(uint i) { return i == 0 ? x : i == 1 ? y : z; }
    constexpr const T &at(uint i) const { return i == 0 ? x : i == 1 ? y : z; }
};
template <class T> struct alignas(4 * sizeof(T)) Components<T, 4> {
    T x{}, y{}, z{}, w{};
    constexpr T &at(uint i) { return i == 0 ? x : i == 1 ? y : i == 2 ? z : w; }
    constexpr const T &at(uint i) const { return i == 0 ? x : i == 1 ? y : i == 2 ? z : w; }
};

#define EACH _Pragma("unroll") for (int i = 0; i < N; i++)
#define OPERATOR(R, op, Right) \
    friend constexpr vec<R, N> operator op(vec a, Right b) { \
        vec<R, N> r; \
        EACH r[i] = R(a[i] op b[i]); \
        return r; \
    }
#define UNARY(op) \
    friend constexpr vec operator op(vec a) { \
        EACH a[i] = T(op a[i]); \
        return a; \
    }

// Operators are friends, so that one side may be a scalar.
template <class T, int N> struct vec : Components<T, N> {
    using uints = vec<uint, N>;
    constexpr vec() {}
    constexpr vec(T all) { EACH (*this)[i] = all; }
    template <class U> explicit constexpr vec(vec<U, N> v) { EACH (*this)[i] = T(v[i]); }
    template <class A, class B, class... More> constexpr vec(A a, B b, More... more) {
        uint k = 0;
        put(k, a), put(k, b), (put(k, more), ...);
    }
    constexpr void put(uint &k, T part) { (*this)[k++] = part; }
    template <class U, int M> constexpr void put(uint &k, vec<U, M> parts) { for (int i = 0; i < M; i++) (*this)[k++] = parts[i]; }
    constexpr T &operator[](uint i) { return this->at(i); }
    constexpr const T &operator[](uint i) const { return this->at(i); }
    template <int... I> constexpr vec<T, sizeof...(I)> swizzle() const { return {(*this)[I]...}; }

    OPERATOR(T, +, vec) OPERATOR(T, -, vec) OPERATOR(T, *, vec) OPERATOR(T, /, vec) OPERATOR(T, %, vec)
    OPERATOR(T, &, vec) OPERATOR(T, |, vec) OPERATOR(T, ^, vec) OPERATOR(T, <<, uints) OPERATOR(T, >>, uints)
    OPERATOR(bool, <, vec) OPERATOR(bool, >, vec) OPERATOR(bool, <=, vec) OPERATOR(bool, >=, vec)
    OPERATOR(bool, ==, vec) OPERATOR(bool, !=, vec)
    UNARY(-) UNARY(~) UNARY(!)
};

#define VECTORS(T) using T##2 = vec<T, 2>; using T##3 = vec<T, 3>; using T##4 = vec<T, 4>;
VECTORS(float) VECTORS(half) VECTORS(uint) VECTORS(int) VECTORS(bool)

template <class T, int C, int R> struct mat {
    vec<T, R> columns[C];
    constexpr mat() {}
    template <class... V> constexpr mat(vec<T, R> first, V... more) : columns{first, more...} {}
    template <class U> explicit constexpr mat(mat<U, C, R> m) {
        _Pragma("unroll") for (int i = 0; i < C; i++) columns[i] = vec<T, R>(m[i]);
    }
    constexpr vec<T, R> &operator[](uint i) { return columns[i]; }
    constexpr const vec<T, R> &operator[](uint i) const { return columns[i]; }
    friend constexpr mat operator+(mat a, mat b) {
        _Pragma("unroll") for (int i = 0; i < C; i++) a[i] = a[i] + b[i];
        return a;
    }
    friend constexpr vec<T, R> operator*(mat m, vec<T, C> v) {
        vec<T, R> sum = m[0] * v[0];
        _Pragma("unroll") for (int i = 1; i < C; i++) sum = sum + m[i] * v[i];
        return sum;
    }
    friend constexpr mat operator*(mat m, mat<T, C, C> n) {
        mat r;
        _Pragma("unroll") for (int i = 0; i < C; i++) r[i] = m * n[i];
        return r;
    }
    friend constexpr mat operator*(mat m, T s) {
        _Pragma("unroll") for (int i = 0; i < C; i++) m[i] = m[i] * s;
        return m;
    }
};
using float4x4 = mat<float, 4, 4>;
using half4x4 = mat<half, 4, 4>;

// Functions of scalars, and of vectors by components.
#define ONE(name) \
    template <class T, int N> vec<T, N> name(vec<T, N> a) { \
        EACH a[i] = name(a[i]); \
        return a; \
    }
#define TWO(name) \
    template <class T, int N> vec<T, N> name(vec<T, N> a, vec<T, N> b) { \
        EACH a[i] = name(a[i], b[i]); \
        return a; \
    }
#define THREE(name) \
    template <class T, int N> vec<T, N> name(vec<T, N> a, vec<T, N> b, vec<T, N> c) { \
        EACH a[i] = name(a[i], b[i], c[i]); \
        return a; \
    }
#define MATH(name, function) inline float name(float v) { return function(v); } ONE(name)
MATH(exp, expf) MATH(exp2, exp2f) MATH(log, logf) MATH(log2, log2f) MATH(sqrt, sqrtf) MATH(rsqrt, rsqrtf)
MATH(floor, floorf) MATH(ceil, ceilf) MATH(rint, rintf) MATH(trunc, truncf)
inline float pow(float a, float b) { return powf(a, b); }
inline float fma(float a, float b, float c) { return fmaf(a, b, c); }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline float abs(float v) { return fabsf(v); }
template <class T> T min(T a, T b) { return b < a ? b : a; }
template <class T> T max(T a, T b) { return a < b ? b : a; }
template <class T> T abs(T v) { return v < T(0) ? -v : v; }
template <class T> T clamp(T v, T least, T most) { return min(max(v, least), most); }
template <class T> T sign(T v) { return T(T(0) < v) - T(v < T(0)); }
TWO(pow) THREE(fma) TWO(min) TWO(max) ONE(abs) THREE(clamp) ONE(sign)
template <class T> T select(T a, T b, bool second) { return second ? b : a; }
template <class T, int N> vec<T, N> select(vec<T, N> a, vec<T, N> b, vec<bool, N> second) {
    EACH a[i] = second[i] ? b[i] : a[i];
    return a;
}
template <int N> bool all(vec<bool, N> v) {
    bool r = true;
    EACH r = r && v[i];
    return r;
}
template <int N> bool any(vec<bool, N> v) { return !all(!v); }
template <class T, int N> T dot(vec<T, N> a, vec<T, N> b) {
    T sum{};
    EACH sum = sum + a[i] * b[i];
    return sum;
}
inline uint extract_bits(uint v, uint first, uint count) { return count == 0 ? 0 : v << (32 - first - count) >> (32 - count); }
inline int extract_bits(int v, uint first, uint count) { return count == 0 ? 0 : v << (32 - first - count) >> (32 - count); }

enum class mem_flags { mem_device, mem_threadgroup };
__device__ inline void threadgroup_barrier(mem_flags) { __syncthreads(); }
}

using metal::half;
template <class T, class U> T as_type(U v) {
    static_assert(sizeof(T) == sizeof(U), "");
    T r;
    memcpy(&r, &v, sizeof r);
    return r;
}
