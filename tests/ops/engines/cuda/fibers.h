// Runs CUDA C++ on a CPU: each thread of a block is a fiber that gives way at barriers and shuffles.
// One block runs after another; `order` says in which order blocks and threads take their turns.
#include <csetjmp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#include <algorithm>
#include <functional>
#include <random>
#include <vector>
using std::max;
using std::min;

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __shared__ static
#define __restrict__

struct Index { unsigned x; };
struct float4 { float x, y, z, w; };
struct float2 { float x, y; };
struct int2 { int x, y; };
struct int4 { int x, y, z, w; };
static Index threadIdx, blockIdx, blockDim, gridDim;

namespace fibers {
enum State { READY, AT_BLOCK, AT_WARP, DONE };
struct Fiber {
    ucontext_t context;
    jmp_buf place;
    bool started = false;
    State state = READY;
    std::vector<char> stack = std::vector<char>(32 << 10);
};
static std::vector<Fiber> all;
static std::vector<double> lanes;
static jmp_buf scheduler;
static unsigned now;
static std::function<void()> body;

static void yield(State state) {
    all[now].state = state;
    if (!_setjmp(all[now].place)) _longjmp(scheduler, 1);
}
static void entry() {
    body();
    all[now].state = DONE;
    _longjmp(scheduler, 1);
}
static void resume(unsigned thread) {
    now = thread, threadIdx.x = thread;
    Fiber& fiber = all[thread];
    if (_setjmp(scheduler)) return;
    if (fiber.started) _longjmp(fiber.place, 1);
    fiber.started = true;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, entry, 0);
    setcontext(&fiber.context);
}
// Lets those go on whose whole group waits in the same way. Threads that are done are waited for by nobody.
static bool release(unsigned from, unsigned to, State state) {
    bool any = false;
    for (unsigned t = from; t < to; ++t) {
        if (all[t].state != state && all[t].state != DONE) return false;
        any |= all[t].state == state;
    }
    for (unsigned t = from; t < to; ++t)
        if (all[t].state == state) all[t].state = READY;
    return any;
}
static void block(const std::vector<unsigned>& turns) {
    const unsigned count = turns.size();
    if (all.size() < count) all = std::vector<Fiber>(count), lanes.resize(count);
    for (unsigned t = 0; t < count; ++t) all[t].started = false, all[t].state = READY;
    for (;;) {
        bool ran = false, left = false;
        for (unsigned t : turns)
            if (all[t].state == READY) resume(t), ran = true;
        for (unsigned t = 0; t < count; t += 32) ran |= release(t, min(t + 32, count), AT_WARP);
        ran |= release(0, count, AT_BLOCK);
        for (unsigned t = 0; t < count; ++t) left |= all[t].state != DONE;
        if (!left) return;
        if (!ran) fprintf(stderr, "threads wait for each other\n"), abort();
    }
}
static std::vector<unsigned> turns(unsigned count, unsigned order, unsigned salt) {
    std::vector<unsigned> made(count);
    for (unsigned i = 0; i < count; ++i) made[i] = i;
    if (order) std::shuffle(made.begin(), made.end(), std::mt19937(order + salt));
    return made;
}
static void grid(unsigned blocks, unsigned threads, unsigned order, std::function<void()> kernel) {
    body = kernel, gridDim.x = blocks, blockDim.x = threads;
    for (unsigned b : turns(blocks, order, 0)) blockIdx.x = b, block(turns(threads, order, b + 1));
}
}  // namespace fibers

static void __syncthreads() { fibers::yield(fibers::AT_BLOCK); }
template <class T>
static T from_lane(T value, unsigned lane) {
    fibers::lanes[fibers::now] = value;
    fibers::yield(fibers::AT_WARP);
    const T other = (T)fibers::lanes[fibers::now / 32 * 32 + lane];
    fibers::yield(fibers::AT_WARP);
    return other;
}
template <class T>
static T __shfl_xor_sync(unsigned, T value, int step) { return from_lane(value, (threadIdx.x ^ step) % 32); }
template <class T>
static T __shfl_sync(unsigned, T value, int lane) { return from_lane(value, lane % 32); }
static int __float_as_int(float x) { int y; memcpy(&y, &x, 4); return y; }
static float __int_as_float(int x) { float y; memcpy(&y, &x, 4); return y; }
static float tensor_operand(unsigned bits) { return __int_as_float(bits & 0xffffe000u); }
static unsigned operands[1024][6];
static void multiply(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
    const unsigned mine[6] = {a0, a1, a2, a3, b0, b1};
    memcpy(operands[fibers::now], mine, sizeof mine);
    fibers::yield(fibers::AT_WARP);
    const unsigned warp = fibers::now / 32 * 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    for (unsigned k = 0; k < 8; ++k)
        for (unsigned i = 0; i < 4; ++i) {
            const float a = tensor_operand(operands[warp + 4 * g + k % 4][i / 2 + k / 4 * 2]);
            c[i] += a * tensor_operand(operands[warp + 4 * (2 * t + i % 2) + k % 4][4 + k / 4]);
        }
    fibers::yield(fibers::AT_WARP);
}
static double __dadd_rn(double x, double y) { return x + y; }
static double __dsub_rn(double x, double y) { return x - y; }
static double __dmul_rn(double x, double y) { return x * y; }
static double __ddiv_rn(double x, double y) { return x / y; }
static float __fdividef(float x, float y) { return x / y; }
static void __syncwarp() { fibers::yield(fibers::AT_WARP); }
alignas(16) static float memory[(227 << 10) / 4];
