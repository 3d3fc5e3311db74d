// The layers of one example, computed by one block in shared memory. Every size is a template argument.
// Sums are taken in an order that depends on nothing but the sizes, so results repeat bit for bit.
// C H W: input channels, rows, columns; O P Q: output channels, rows, columns; R S: the filter or window.

#define EACH(i, count) for (int i = threadIdx.x; i < (count); i += THREADS)

// What the draws of one example hang on.
struct Draw {
    unsigned example, epoch, low, high;
};

// Philox-4x32-10 (Salmon et al., SC 2011).
__device__ inline void philox(unsigned (&c)[4], unsigned k0, unsigned k1) {
    for (int round = 0; round < 10; ++round) {
        unsigned long long left = 0xD2511F53ull * c[0], right = 0xCD9E8D57ull * c[2];
        unsigned c0 = (unsigned)(right >> 32) ^ c[1] ^ k0, c2 = (unsigned)(left >> 32) ^ c[3] ^ k1;
        c[0] = c0, c[1] = (unsigned)right, c[2] = c2, c[3] = (unsigned)left;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
}

// The sum over a warp's lanes, in lane 0, by halves.
__device__ inline float warp_sum(float value) {
    for (int step = 16; step; step /= 2) value += __shfl_down_sync(0xffffffffu, value, step);
    return value;
}

struct Identity {
    static __device__ float value(float x) { return x; }
};
struct Sigmoid {
    static __device__ float value(float x) { return 1.f / (1.f + expf(-x)); }
    static __device__ float slope(float y) { return y * (1.f - y); }
};
struct Tanh {
    static __device__ float value(float x) { return tanhf(x); }
    static __device__ float slope(float y) { return 1.f - y * y; }
};
// Without the comparison's else NaN would turn into 0.
struct ReLU {
    static __device__ float value(float x) { return x < 0.f ? 0.f : x; }
    static __device__ float slope(float y) { return y > 0.f ? 1.f : 0.f; }
};
// One struct for each slope: C++17 takes no float as a template argument.
#define LEAKY_RELU(name, slope_below)                                                \
    struct name {                                                                    \
        static __device__ float value(float x) { return x > 0.f ? x : x * slope_below; } \
        static __device__ float slope(float y) { return y > 0.f ? 1.f : slope_below; }   \
    };

template <class A, int N>
__device__ void activate(const float* x, float* y) {
    EACH(i, N) y[i] = A::value(x[i]);
}
template <class A, int N>
__device__ void slope(const float* y, float* gradient) {
    EACH(i, N) gradient[i] *= A::slope(y[i]);
}

// A number is kept where its word is at least the threshold; going back the same draw is made again.
template <int N, int POSITION>
__device__ void dropout(const float* x, float* y, Draw d, unsigned threshold, float scale) {
    EACH(i, N) {
        unsigned c[4] = {d.example, d.epoch, (unsigned)i / 4, 2u + POSITION};
        philox(c, d.low, d.high);
        unsigned word = i % 4 == 0 ? c[0] : i % 4 == 1 ? c[1] : i % 4 == 2 ? c[2] : c[3];
        y[i] = word >= threshold ? x[i] * scale : 0.f;
    }
}

template <int C, int H, int W, int O, int P, int Q, int R, int S, int SY, int SX, int PY, int PX, int DY, int DX, int G>
struct Conv {
    static constexpr int CG = C / G, OG = O / G, T = 4, RUNS = (Q + T - 1) / T, BACK = (W + T - 1) / T;

    // A thread makes T neighbours of one row, so that a weight is loaded once for T products.
    template <class A>
    static __device__ void forward(const float* x, const float* __restrict__ w, const float* __restrict__ b, float* y) {
        EACH(job, O * P * RUNS) {
            const int o = job / (P * RUNS), p = job / RUNS % P, q = job % RUNS * T;
            float sum[T];
#pragma unroll
            for (int t = 0; t < T; ++t) sum[t] = b ? b[o] : 0.f;
            for (int c = 0; c < CG; ++c)
                for (int r = 0; r < R; ++r) {
                    const int h = p * SY - PY + r * DY;
                    if (h < 0 || h >= H) continue;
                    const float* row = x + ((o / OG * CG + c) * H + h) * W;
                    const float* weight = w + ((o * CG + c) * R + r) * S;
#pragma unroll
                    for (int s = 0; s < S; ++s)
#pragma unroll
                        for (int t = 0; t < T; ++t) {
                            const int column = (q + t) * SX - PX + s * DX;
                            if (column >= 0 && column < W) sum[t] += weight[s] * row[column];
                        }
                }
#pragma unroll
            for (int t = 0; t < T; ++t)
                if (q + t < Q) y[(o * P + p) * Q + q + t] = A::value(sum[t]);
        }
    }

    // Each input gathers from the outputs that saw it: nothing is scattered.
    static __device__ void input(const float* dy, const float* __restrict__ w, float* dx) {
        EACH(job, C * H * BACK) {
            const int c = job / (H * BACK), h = job / BACK % H, first = job % BACK * T;
            float sum[T] = {};
            for (int k = 0; k < OG; ++k)
                for (int r = 0; r < R; ++r) {
                    const int o = c / CG * OG + k, top = h + PY - r * DY;
                    if (top < 0 || top % SY || top / SY >= P) continue;
                    const float* row = dy + (o * P + top / SY) * Q;
                    const float* weight = w + ((o * CG + c % CG) * R + r) * S;
#pragma unroll
                    for (int s = 0; s < S; ++s)
#pragma unroll
                        for (int t = 0; t < T; ++t) {
                            const int left = first + t + PX - s * DX;
                            if (left >= 0 && left % SX == 0 && left / SX < Q) sum[t] += weight[s] * row[left / SX];
                        }
                }
#pragma unroll
            for (int t = 0; t < T; ++t)
                if (first + t < W) dx[(c * H + h) * W + first + t] = sum[t];
        }
    }

    // A warp makes one row of one filter: its lanes go over the places, a fixed tree adds what they found.
    static __device__ void weights(const float* dy, const float* x, float* dw) {
        const int lane = threadIdx.x % 32;
        for (int job = threadIdx.x / 32; job < O * CG * R; job += THREADS / 32) {
            const int o = job / (CG * R), c = job / R % CG + o / OG * CG, r = job % R;
            float sum[S] = {};
            for (int place = lane; place < P * Q; place += 32) {
                const int h = place / Q * SY - PY + r * DY;
                if (h < 0 || h >= H) continue;
                const float g = dy[o * P * Q + place];
                const float* row = x + (c * H + h) * W;
#pragma unroll
                for (int s = 0; s < S; ++s) {
                    const int column = place % Q * SX - PX + s * DX;
                    if (column >= 0 && column < W) sum[s] += g * row[column];
                }
            }
#pragma unroll
            for (int s = 0; s < S; ++s) {
                const float total = warp_sum(sum[s]);
                if (lane == 0) dw[job * S + s] = total;
            }
        }
    }

    static __device__ void bias(const float* dy, float* db) {
        const int lane = threadIdx.x % 32;
        for (int o = threadIdx.x / 32; o < O; o += THREADS / 32) {
            float sum = 0.f;
            for (int place = lane; place < P * Q; place += 32) sum += dy[o * P * Q + place];
            sum = warp_sum(sum);
            if (lane == 0) db[o] = sum;
        }
    }
};

template <int IN, int OUT>
struct Dense {
    // A warp makes one output, its lanes read the weights side by side.
    template <class A>
    static __device__ void forward(const float* x, const float* __restrict__ w, const float* __restrict__ b, float* y) {
        const int lane = threadIdx.x % 32;
        for (int o = threadIdx.x / 32; o < OUT; o += THREADS / 32) {
            float sum = 0.f;
#pragma unroll 8
            for (int i = lane; i < IN; i += 32) sum += w[o * IN + i] * x[i];
            sum = warp_sum(sum);
            if (lane == 0) y[o] = A::value(sum + (b ? b[o] : 0.f));
        }
    }
    static __device__ void input(const float* dy, const float* __restrict__ w, float* dx) {
        EACH(i, IN) {
            float sum = 0.f;
#pragma unroll 8
            for (int o = 0; o < OUT; ++o) sum += w[o * IN + i] * dy[o];
            dx[i] = sum;
        }
    }
};

template <int C, int H, int W, int P, int Q, int R, int S, int SY, int SX, int PY, int PX, bool MAX, bool WITH_PADDING>
struct Pool {
    // How many numbers a window's mean is taken over. (Windows may hang over the far padding; that doesn't count.)
    static __device__ int count(int p, int q) {
        const int top = p * SY - PY, left = q * SX - PX, near = WITH_PADDING ? 1 : 0;
        const int rows = min(top + R, H + near * PY) - max(top, -near * PY);
        return rows * (min(left + S, W + near * PX) - max(left, -near * PX));
    }
    // Where the first of a window's largest numbers lies; NaN is larger than any.
    static __device__ int largest(const float* plane, int p, int q) {
        int which = -1;
        float best = 0.f;
        for (int r = 0; r < R; ++r)
            for (int s = 0; s < S; ++s) {
                const int h = p * SY - PY + r, w = q * SX - PX + s;
                if (h < 0 || h >= H || w < 0 || w >= W) continue;
                const float v = plane[h * W + w];
                if (which < 0 || v > best || (v != v && best == best)) which = h * W + w, best = v;
            }
        return which;
    }
    static __device__ void forward(const float* x, float* y) {
        EACH(i, C * P * Q) {
            const int c = i / (P * Q), p = i / Q % P, q = i % Q;
            const float* plane = x + c * H * W;
            if (MAX) {
                y[i] = plane[largest(plane, p, q)];
            } else {
                float sum = 0.f;
                for (int r = 0; r < R; ++r)
                    for (int s = 0; s < S; ++s) {
                        const int h = p * SY - PY + r, w = q * SX - PX + s;
                        if (h >= 0 && h < H && w >= 0 && w < W) sum += plane[h * W + w];
                    }
                y[i] = sum / (float)count(p, q);
            }
        }
    }
    static __device__ void input(const float* dy, const float* x, float* dx) {
        EACH(i, C * H * W) {
            const int c = i / (H * W), h = i / W % H, w = i % W;
            float sum = 0.f;
            for (int r = 0; r < R; ++r)
                for (int s = 0; s < S; ++s) {
                    const int top = h + PY - r, left = w + PX - s;
                    if (top < 0 || left < 0 || top % SY || left % SX) continue;
                    const int p = top / SY, q = left / SX;
                    if (p >= P || q >= Q) continue;
                    const float g = dy[(c * P + p) * Q + q];
                    if (!MAX) sum += g / (float)count(p, q);
                    else if (largest(x + c * H * W, p, q) == h * W + w) sum += g;
                }
            dx[i] = sum;
        }
    }
};

// Sums over the batch of what examples left in the stash, one row each: the order is that of the examples.
__device__ inline float sums(const float* column, int n) {
    float sum = 0.f;
#pragma unroll 16
    for (int row = 0; row < n; ++row) sum += column[(long long)row * STASH];
    return sum;
}
__device__ inline float products(const float* x, const float* dy, int n) {
    float sum = 0.f;
#pragma unroll 16
    for (int row = 0; row < n; ++row) sum += x[(long long)row * STASH] * dy[(long long)row * STASH];
    return sum;
}
