// The layers of a block's examples, computed by one block in shared memory. Every size is a template argument.
// Sums are taken in an order that depends on nothing but the sizes, so results repeat bit for bit.
// Pointers are to the first example's numbers; the next example's lie FLOATS further on.
// C H W: input channels, rows, columns; O P Q: output channels, rows, columns; R S: the filter or window.

static_assert(EXAMPLES <= 2, "which of a block's examples it is, is told by one comparison");

// Of `count` numbers of each of the block's examples: where the example's begin, and which of them it is.
__device__ inline int example_at(int turn, int count) { return turn < count ? 0 : FLOATS; }
__device__ inline int number_of(int turn, int count) { return turn < count ? turn : turn - count; }

// Threads take turns at i = 0, 1, 2 and so on of each of the block's examples; `at` is where the example's numbers begin.
#define EACH(i, at, count)                                                                                     \
    for (int turn = threadIdx.x, i, at;                                                                        \
         turn < EXAMPLES * (count) && (i = number_of(turn, count), at = example_at(turn, count), true); turn += THREADS)

// What the draws of a block's examples hang on; the last block of a batch may have fewer examples than others.
struct Draw {
    const int* examples;
    int here;
    unsigned epoch, low, high;
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

// The sum over so many neighbouring lanes, in each of them. The whole warp takes part.
template <int LANES>
__device__ inline float lanes_sum(float value) {
#pragma unroll
    for (int step = LANES / 2; step; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
    return value;
}

// A thread's place among those that begin at thread FIRST, where passes that don't wait for each other start their own.
template <int FIRST>
__device__ inline int place_from() {
    return (threadIdx.x + THREADS - FIRST % THREADS) % THREADS;
}

// Activations; a slope is told by what came out. What goes back through a layer is multiplied by the slope before it.
struct Identity {
    static __device__ float value(float x) { return x; }
    static __device__ float slope(float) { return 1.f; }
};
// __fdividef may be off in the last two bits, but does not branch as the exact division does; the same goes for exp2f.
struct Sigmoid {
    static __device__ float value(float x) { return __fdividef(1.f, 1.f + exp2f(-1.44269504f * x)); }
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
    EACH(i, at, N) y[at + i] = A::value(x[at + i]);
}
template <class A, int N>
__device__ void slope(const float* y, float* gradient) {
    EACH(i, at, N) gradient[at + i] *= A::slope(y[at + i]);
}
// Copies N numbers. All threads take as many turns, so that their loads are under way together.
template <int N>
__device__ void copy(const float* x, float* y) {
#pragma unroll 8
    for (int turn = 0; turn < (N + THREADS - 1) / THREADS; ++turn) {
        const int i = turn * THREADS + threadIdx.x;
        if (i < N) y[i] = x[i];
    }
}
// Leaves the numbers of the examples that are here in their rows of the stash.
template <int N>
__device__ void keep(const float* x, float* stash, int here) {
    EACH(i, at, N) if (at < here * FLOATS) stash[at / FLOATS * STASH + i] = x[at + i];
}

// A number is kept where its word is at least the threshold; going back the same draw is made again.
template <int N, int POSITION>
__device__ void dropout(const float* x, float* y, Draw d, unsigned threshold, float scale) {
    EACH(i, at, N) {
        const int example = at < d.here * FLOATS ? d.examples[at / FLOATS] : 0;
        unsigned c[4] = {(unsigned)example, d.epoch, (unsigned)i / 4, 2u + POSITION};
        philox(c, d.low, d.high);
        unsigned word = i % 4 == 0 ? c[0] : i % 4 == 1 ? c[1] : i % 4 == 2 ? c[2] : c[3];
        y[at + i] = word >= threshold ? x[at + i] * scale : 0.f;
    }
}

// T: how many neighbours of a row a thread makes at a time, from a window of numbers that it loads once.
template <int C, int H, int W, int O, int P, int Q, int R, int S, int SY, int SX, int PY, int PX, int DY, int DX, int G>
struct Conv {
    static constexpr int CG = C / G, OG = O / G;

    // The numbers of an input row from a column on; beyond its ends there are zeros.
    template <int SPAN, bool INSIDE>
    static __device__ void load(float (&window)[SPAN], const float* row, int first, int width) {
#pragma unroll
        for (int j = 0; j < SPAN; ++j)
            window[j] = INSIDE || (unsigned)(first + j) < (unsigned)width ? row[first + j] : 0.f;
    }

    // A thread makes T columns of OT output channels; the next thread takes the next OT channels.
    template <class A, int T, int OT>
    static __device__ void forward(const float* x, const float* __restrict__ w, const float* __restrict__ b, float* y) {
        constexpr int RUNS = (Q + T - 1) / T, SPAN = (T - 1) * SX + (S - 1) * DX + 1;
        constexpr bool INSIDE = PX == 0 && (RUNS * T - 1) * SX + (S - 1) * DX < W;
        constexpr int TILES = O / OT;
        for (int job = threadIdx.x; job < EXAMPLES * P * RUNS * TILES; job += THREADS) {
            const int o = job % TILES * OT, q = job / TILES % RUNS * T, p = job / (TILES * RUNS) % P;
            const int at = job / (TILES * RUNS * P) * FLOATS;
            float sum[OT][T];
#pragma unroll
            for (int k = 0; k < OT; ++k)
#pragma unroll
                for (int t = 0; t < T; ++t) sum[k][t] = b ? b[o + k] : 0.f;
            for (int c = 0; c < CG; ++c)
                for (int r = 0; r < R; ++r) {
                    const int h = p * SY - PY + r * DY;
                    if (h < 0 || h >= H) continue;
                    float window[SPAN];
                    load<SPAN, INSIDE>(window, x + at + ((o / OG * CG + c) * H + h) * W, q * SX - PX, W);
                    const float* weight = w + ((o * CG + c) * R + r) * S;
#pragma unroll
                    for (int k = 0; k < OT; ++k)
#pragma unroll
                        for (int s = 0; s < S; ++s)
#pragma unroll
                            for (int t = 0; t < T; ++t)
                                sum[k][t] += weight[k * CG * R * S + s] * window[t * SX + s * DX];
                }
#pragma unroll
            for (int k = 0; k < OT; ++k)
#pragma unroll
                for (int t = 0; t < T; ++t)
                    if (q + t < Q) y[at + ((o + k) * P + p) * Q + q + t] = A::value(sum[k][t]);
        }
    }

    // Each input gathers from the outputs that saw it: nothing is scattered. A thread makes T columns of CT input
    // channels; PARTS lanes share a sum. A warp's threads work on few rows, and so skip the same rows of the output.
    template <class A, int T, int CT, int PARTS, int FIRST>
    static __device__ void input(const float* dy, const float* __restrict__ w, const float* x, float* dx) {
        constexpr int RUNS = (W + T - 1) / T, SPAN = T + (S - 1) * DX, JOBS = EXAMPLES * H * RUNS * (C / CT);
        constexpr int TURNS = PARTS == 1 ? JOBS : (JOBS * PARTS + 31) / 32 * 32;  // whole warps, as the sum takes them
        for (int turn = place_from<FIRST>(); turn < TURNS; turn += THREADS) {
            const int job = min(turn / PARTS, JOBS - 1);
            const int first = RUNS == 1 ? 0 : job % RUNS * T, c = job / RUNS % (C / CT) * CT;
            const int at = job / (RUNS * (C / CT)) % EXAMPLES * FLOATS, h = job / (RUNS * (C / CT) * EXAMPLES);
            float sum[CT][T] = {};
            for (int r = 0; r < R; ++r) {
                const int top = h + PY - r * DY;
                if (top < 0 || top % SY || top / SY >= P) continue;
                for (int o = c / CG * OG + turn % PARTS; o < c / CG * OG + OG; o += PARTS) {
                    const float* row = dy + at + (o * P + top / SY) * Q;
                    const float* weight = w + ((o * CG + c % CG) * R + r) * S;
                    // place t saw the output at (first + t + PX - s DX) / SX through weight s
                    float window[SPAN];
                    if (SX == 1) load<SPAN, false>(window, row, first + PX - (S - 1) * DX, Q);
#pragma unroll
                    for (int s = 0; s < S; ++s)
#pragma unroll
                        for (int t = 0; t < T; ++t) {
                            const int left = first + t + PX - s * DX;
                            if (RUNS == 1 && (left < 0 || left / SX >= Q)) continue;  // known when this is compiled
                            float g = 0.f;
                            if (SX == 1) g = window[t + (S - 1 - s) * DX];
                            else if (left >= 0 && left % SX == 0 && left / SX < Q) g = row[left / SX];
#pragma unroll
                            for (int k = 0; k < CT; ++k) sum[k][t] += weight[k * R * S + s] * g;
                        }
                }
            }
#pragma unroll
            for (int k = 0; k < CT; ++k)
#pragma unroll
                for (int t = 0; t < T; ++t) {
                    const float total = lanes_sum<PARTS>(sum[k][t]);
                    const int place = at + ((c + k) * H + h) * W + first + t;
                    if (turn % PARTS == 0 && turn < JOBS * PARTS && first + t < W)
                        dx[place] = total * A::slope(x[place]);
                }
        }
    }

    // The gradient summed over the examples that are here. A thread makes one row of OT filters; PARTS neighbours share
    // the places that it is a sum over, and a fixed tree adds what they found.
    template <int T, int OT, int PARTS, int FIRST>
    static __device__ void weights(const float* dy, const float* x, float* dw, int here) {
        constexpr int RUNS = (Q + T - 1) / T, SPAN = (T - 1) * SX + (S - 1) * DX + 1, JOBS = O / OT * CG * R;
        constexpr bool INSIDE = PX == 0 && (RUNS * T - 1) * SX + (S - 1) * DX < W;
        constexpr int TURNS = (JOBS * PARTS + 31) / 32 * 32;  // whole warps, as the tree takes them
        for (int turn = place_from<FIRST>(); turn < TURNS; turn += THREADS) {
            const int job = turn / PARTS, o = job / (CG * R) * OT, c = job / R % CG + o / OG * CG, r = job % R;
            const int places = job < JOBS ? here * P * RUNS : 0;
            float sum[OT][S] = {};
            for (int place = turn % PARTS; place < places; place += PARTS) {
                const int q = place % RUNS * T, p = place / RUNS % P, at = place / (RUNS * P) * FLOATS;
                const int h = p * SY - PY + r * DY;
                if (h < 0 || h >= H) continue;
                float window[SPAN];
                load<SPAN, INSIDE>(window, x + at + (c * H + h) * W, q * SX - PX, W);
#pragma unroll
                for (int k = 0; k < OT; ++k)
#pragma unroll
                    for (int t = 0; t < T; ++t) {
                        const float g = Q % T == 0 || q + t < Q ? dy[at + ((o + k) * P + p) * Q + q + t] : 0.f;
#pragma unroll
                        for (int s = 0; s < S; ++s) sum[k][s] += g * window[t * SX + s * DX];
                    }
            }
#pragma unroll
            for (int k = 0; k < OT; ++k)
#pragma unroll
                for (int s = 0; s < S; ++s) {
                    const float total = lanes_sum<PARTS>(sum[k][s]);
                    if (turn % PARTS == 0 && job < JOBS) dw[(((o + k) * CG + c % CG) * R + r) * S + s] = total;
                }
        }
    }

    template <int FIRST>
    static __device__ void bias(const float* dy, float* db, int here) {
        const int lane = threadIdx.x % 32;
        for (int o = place_from<FIRST>() / 32; o < O; o += THREADS / 32) {
            float sum = 0.f;
            for (int e = 0; e < here; ++e)
#pragma unroll 8
                for (int place = lane; place < P * Q; place += 32) sum += dy[e * FLOATS + o * P * Q + place];
            sum = lanes_sum<32>(sum);
            if (lane == 0) db[o] = sum;
        }
    }
};

// Copies four numbers from device to shared memory, or zeros where nothing is there, while the thread goes on.
__device__ inline void copy_ahead(float4* to, const float* from, bool there) {
#if __CUDA_ARCH__ >= 800
    const unsigned place = (unsigned)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(place), "l"(from), "r"(there ? 16 : 0) : "memory");
#else
    *to = there ? *(const float4*)from : float4{0.f, 0.f, 0.f, 0.f};
#endif
}
__device__ inline void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// The rule of ops/update.py for one parameter, which is `before`, and its gradient.
struct Update {
    float *theta, *velocity;
    float rate;
    __device__ void operator()(int i, float g, float before) const {
        if (WEIGHT_DECAY != 0.f) g += WEIGHT_DECAY * before;
        if (MOMENTUM == 0.f) {
            theta[i] = before - rate * g;
            return;
        }
        const float v = MOMENTUM * velocity[i] + g;
        velocity[i] = v;
        theta[i] = before - rate * (NESTEROV ? g + MOMENTUM * v : v);
    }
};

static_assert(UPDATE_THREADS == 32 * BATCH_PARTS && TILE_OUTPUTS == 16 && TILE_INPUTS == 32, "a warp makes a tile, 4 x 4 a thread");

// Where rows of a dense layer's weights are kept in shared memory: pieces of some rows each. Here, nowhere.
struct Nowhere {
    static constexpr int PIECES = 0, ROWS = 0, GRADIENTS = 0;
    static __device__ constexpr int first(int) { return 0; }
    static __device__ constexpr int start(int) { return 0; }
    static __device__ constexpr int rows(int) { return 0; }
};

template <int IN, int OUT>
struct Dense {
    static constexpr int WARPS = THREADS / 32;
    // Outputs that a warp makes at a time: as few as have all of them made at once, since each turn waits for weights.
    static constexpr int TALL = (OUT + WARPS - 1) / WARPS < 8 ? (OUT + WARPS - 1) / WARPS : 8;
    // Turns of at most seven steps, as many in each: none of them waits for its weights by itself.
    static constexpr int LONG = (IN + 31) / 32, TURNS = (LONG + 6) / 7, STEPS = (LONG + TURNS - 1) / TURNS;

    // A warp makes TALL outputs of every example, its lanes read the weights side by side, once for all of them. In the end
    // each sum is finished by a lane of its own. The weights of the first K::ROWS outputs are in shared memory, m.
    template <class A, class K>
    static __device__ void forward(const float* x, const float* __restrict__ w, const float* __restrict__ b, float* y,
                                   float* m) {
        static_assert(K::ROWS % TALL == 0, "a warp has either kept rows or others");
        const int lane = threadIdx.x % 32, e = lane % EXAMPLES, mine = lane / EXAMPLES;
        for (int o = threadIdx.x / 32 * TALL; o < OUT; o += WARPS * TALL) {
            const bool finishes = mine < TALL && o + mine < OUT;
            const float bias = b && finishes ? b[o + mine] : 0.f;
            float sum[TALL][EXAMPLES] = {}, total = 0.f;
            if (o < K::ROWS) {
                const float* row[TALL];
#pragma unroll
                for (int k = 0; k < TALL; ++k) row[k] = m + place_kept<K>(o + k);
#pragma unroll 4
                for (int step = 0; step < (IN + 31) / 32; ++step) {
                    const int i = step * 32 + lane;
                    if (i >= IN) continue;
#pragma unroll
                    for (int k = 0; k < TALL; ++k)
#pragma unroll
                        for (int n = 0; n < EXAMPLES; ++n) sum[k][n] += row[k][i] * x[n * FLOATS + i];
                }
            } else {
#pragma unroll 1
                for (int turn = 0; turn < TURNS; ++turn)
#pragma unroll
                    for (int step = 0; step < STEPS; ++step) {
                        const int i = (turn * STEPS + step) * 32 + lane;  // beyond the last input zeros are added
                        float in[EXAMPLES];
#pragma unroll
                        for (int n = 0; n < EXAMPLES; ++n) in[n] = i < IN ? x[n * FLOATS + i] : 0.f;
#pragma unroll
                        for (int k = 0; k < TALL; ++k) {
                            const float weight = i < IN && o + k < OUT ? w[(o + k) * IN + i] : 0.f;
#pragma unroll
                            for (int n = 0; n < EXAMPLES; ++n) sum[k][n] += weight * in[n];
                        }
                    }
            }
#pragma unroll
            for (int k = 0; k < TALL; ++k)
#pragma unroll
                for (int n = 0; n < EXAMPLES; ++n) {
                    const float whole = lanes_sum<32>(sum[k][n]);
                    if (k == mine && n == e) total = whole;
                }
            if (finishes) y[e * FLOATS + o + mine] = A::value(total + bias);
        }
    }
    // Has the rows that are kept copied to shared memory, while the layers before are computed.
    template <class K>
    static __device__ void keep_ahead(const float* w, float* m) {
#pragma unroll
        for (int p = 0; p < K::PIECES; ++p)
#pragma unroll 2
            for (int i = threadIdx.x; i < K::rows(p) * IN / 4; i += THREADS)
                copy_ahead((float4*)(m + K::start(p)) + i, w + K::first(p) * IN + 4 * i, true);
    }
    template <class K>
    static __device__ int place_kept(int o) {
        int place = 0;
#pragma unroll
        for (int p = 0; p < K::PIECES; ++p)
            if (o >= K::first(p) && o < K::first(p) + K::rows(p)) place = K::start(p) + (o - K::first(p)) * IN;
        return place;
    }

    // The same where rows of weights were kept: the rest is asked for first, and the gradients of all examples are read at
    // once, from a place of their own.
    template <class A, class K>
    static __device__ void input_kept(const float* dy, const float* __restrict__ w, const float* x, float* dx, float* m) {
        for (int job = threadIdx.x; job < OUT * EXAMPLES; job += THREADS)
            m[K::GRADIENTS + job] = dy[job % EXAMPLES * FLOATS + job / EXAMPLES];
        __syncthreads();
        const float* gradients = m + K::GRADIENTS;
        for (int i = threadIdx.x; i < IN; i += THREADS) {
            float sum[EXAMPLES] = {};
#pragma unroll 20
            for (int o = K::ROWS; o < OUT; ++o) add(sum, w[o * IN + i], gradients + o * EXAMPLES);
#pragma unroll
            for (int p = 0; p < K::PIECES; ++p)
#pragma unroll 10
                for (int row = 0; row < K::rows(p); ++row)
                    add(sum, m[K::start(p) + row * IN + i], gradients + (K::first(p) + row) * EXAMPLES);
#pragma unroll
            for (int e = 0; e < EXAMPLES; ++e) dx[e * FLOATS + i] = sum[e] * A::slope(x[e * FLOATS + i]);
        }
    }
    static __device__ void add(float (&sum)[EXAMPLES], float weight, const float* gradients) {
        if (EXAMPLES == 2) {
            const float2 pair = *(const float2*)gradients;
            sum[0] += weight * pair.x, sum[EXAMPLES - 1] += weight * pair.y;
        } else {
            sum[0] += weight * gradients[0];
        }
    }

    // The weights are read backwards: those that were read last going forward may still be in the first-level cache.
    template <class A>
    static __device__ void input(const float* dy, const float* __restrict__ w, const float* x, float* dx) {
        for (int i = threadIdx.x; i < IN; i += THREADS) {
            float sum[EXAMPLES] = {};
#pragma unroll 32
            for (int o = OUT - 1; o >= 0; --o)
#pragma unroll
                for (int e = 0; e < EXAMPLES; ++e) sum[e] += w[o * IN + i] * dy[e * FLOATS + o];
#pragma unroll
            for (int e = 0; e < EXAMPLES; ++e) dx[e * FLOATS + i] = sum[e] * A::slope(x[e * FLOATS + i]);
        }
    }

    // The gradient of TILE_OUTPUTS x TILE_INPUTS weights over the batch, and their update, by a block of the update. What
    // every example left in the stash is copied to shared memory, `rows` at a time; of these each warp takes its
    // own, and its threads make 4 x 4 sums each. start: where the weights begin.
    static __device__ void update(int tile, const float* x, const float* dy, int n, int start, Update rule, int rows,
                                  float4* shared) {
        constexpr int ACROSS = (IN + TILE_INPUTS - 1) / TILE_INPUTS, QUADS = TILE_INPUTS / 4, ALL = QUADS + TILE_OUTPUTS / 4;
        constexpr int MADE = TILE_OUTPUTS * TILE_INPUTS / UPDATE_THREADS;
        const int first_i = tile % ACROSS * TILE_INPUTS, first_o = tile / ACROSS * TILE_OUTPUTS;
        const int warp = threadIdx.x / 32, quad_i = threadIdx.x % QUADS, quad_o = threadIdx.x % 32 / QUADS;
        float before[MADE], sum[4][4] = {};
#pragma unroll
        for (int j = 0; j < MADE; ++j) {
            const int index = place(j, first_i, first_o);
            before[j] = index < 0 ? 0.f : rule.theta[start + index];
        }
        for (int base = 0; base < n; base += rows) {
#pragma unroll 4
            for (int turn = 0; turn < rows * ALL / UPDATE_THREADS; ++turn) {
                const int to = turn * UPDATE_THREADS + threadIdx.x, row = base + to / ALL, part = to % ALL;
                const int i = first_i + 4 * part, o = first_o + 4 * (part - QUADS);
                const bool is_x = part < QUADS, there = row < n && (is_x ? i < IN : o < OUT);
                copy_ahead(shared + to, (is_x ? x + i : dy + o) + (long long)row * STASH, there);
            }
            wait_for_copies();
            __syncthreads();
#pragma unroll 4
            for (int row = warp; row < min(n - base, rows); row += BATCH_PARTS) {
                const float4 in = shared[row * ALL + quad_i], g = shared[row * ALL + QUADS + quad_o];
                sum[0][0] += g.x * in.x, sum[0][1] += g.x * in.y, sum[0][2] += g.x * in.z, sum[0][3] += g.x * in.w;
                sum[1][0] += g.y * in.x, sum[1][1] += g.y * in.y, sum[1][2] += g.y * in.z, sum[1][3] += g.y * in.w;
                sum[2][0] += g.z * in.x, sum[2][1] += g.z * in.y, sum[2][2] += g.z * in.z, sum[2][3] += g.z * in.w;
                sum[3][0] += g.w * in.x, sum[3][1] += g.w * in.y, sum[3][2] += g.w * in.z, sum[3][3] += g.w * in.w;
            }
            __syncthreads();
        }
#pragma unroll
        for (int k = 0; k < 4; ++k)
            shared[(warp * TILE_OUTPUTS + 4 * quad_o + k) * QUADS + quad_i] = {sum[k][0], sum[k][1], sum[k][2], sum[k][3]};
        __syncthreads();
#pragma unroll
        for (int j = 0; j < MADE; ++j) {
            const int index = place(j, first_i, first_o);
            float g = 0.f;
#pragma unroll
            for (int part = 0; part < BATCH_PARTS; ++part)
                g += ((const float*)shared)[part * TILE_OUTPUTS * TILE_INPUTS + j * UPDATE_THREADS + threadIdx.x];
            if (index >= 0) rule(start + index, g, before[j]);
        }
    }
    // The weight of a tile that a thread finishes in its turn; -1 beyond the layer's ends.
    static __device__ int place(int turn, int first_i, int first_o) {
        const int number = turn * UPDATE_THREADS + threadIdx.x;
        const int i = first_i + number % TILE_INPUTS, o = first_o + number / TILE_INPUTS;
        return i < IN && o < OUT ? o * IN + i : -1;
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
    // Windows side by side that cover all: each place belongs to one.
    static constexpr bool COVERS = R == SY && S == SX && PY == 0 && PX == 0 && P * R == H && Q * S == W;
    static constexpr int TURNS = (EXAMPLES * C * P * Q + THREADS - 1) / THREADS;
    // The same for a whole window by itself, counted from its first number.
    static __device__ int largest(const float* window) {
        int which = 0;
        float best = window[0];
#pragma unroll
        for (int place = 1; place < R * S; ++place) {
            const int j = place / S * W + place % S;
            if (window[j] > best || (window[j] != window[j] && best == best)) which = j, best = window[j];
        }
        return which;
    }
    static __device__ void forward(const float* x, float* y) {
        if (COVERS) {
#pragma unroll 2
            for (int turn = 0; turn < TURNS; ++turn) {
                const int job = turn * THREADS + threadIdx.x;
                const int at = example_at(job, C * P * Q), i = number_of(job, C * P * Q);
                if (job >= EXAMPLES * C * P * Q) continue;
                const float* window = x + at + i / Q * (R * W) + i % Q * S;  // P windows lie below each other
                float sum = 0.f;
#pragma unroll
                for (int place = 0; place < R * S; ++place) sum += window[place / S * W + place % S];
                y[at + i] = MAX ? window[largest(window)] : sum / (float)(R * S);
            }
            return;
        }
        EACH(i, at, C * P * Q) {
            const int c = i / (P * Q), p = i / Q % P, q = i % Q;
            const float* plane = x + at + c * H * W;
            if (MAX) {
                y[at + i] = plane[largest(plane, p, q)];
            } else {
                float sum = 0.f;
                for (int r = 0; r < R; ++r)
                    for (int s = 0; s < S; ++s) {
                        const int h = p * SY - PY + r, w = q * SX - PX + s;
                        if (h >= 0 && h < H && w >= 0 && w < W) sum += plane[h * W + w];
                    }
                y[at + i] = sum / (float)count(p, q);
            }
        }
    }
    template <class A>
    static __device__ void input(const float* dy, const float* x, float* dx) {
        if (COVERS) {
#pragma unroll 2
            for (int turn = 0; turn < TURNS; ++turn) {
                const int job = turn * THREADS + threadIdx.x;
                const int at = example_at(job, C * P * Q), i = number_of(job, C * P * Q);
                if (job >= EXAMPLES * C * P * Q) continue;
                const int first = at + i / Q * (R * W) + i % Q * S;
                const float g = dy[at + i], part = g / (float)(R * S);
                const int which = MAX ? largest(x + first) : 0;
                float passed[R * S];
#pragma unroll
                for (int place = 0; place < R * S; ++place) {
                    const int j = place / S * W + place % S;
                    passed[place] = (MAX ? which == j ? g : 0.f : part) * A::slope(x[first + j]);
                }
#pragma unroll
                for (int place = 0; place < R * S; ++place) dx[first + place / S * W + place % S] = passed[place];
            }
            return;
        }
        EACH(i, at, C * H * W) {
            const int c = i / (H * W), h = i / W % H, w = i % W;
            float sum = 0.f;
            const int last_p = min((h + PY) / SY, P - 1), last_q = min((w + PX) / SX, Q - 1);
            for (int p = last_p; p >= 0 && p * SY - PY + R > h; --p)
                for (int q = last_q; q >= 0 && q * SX - PX + S > w; --q) {
                    const float g = dy[at + (c * P + p) * Q + q];
                    if (!MAX) sum += g / (float)count(p, q);
                    else if (largest(x + at + c * H * W, p, q) == h * W + w) sum += g;
                }
            dx[at + i] = sum * A::slope(x[at + i]);
        }
    }
};

// A part of the sum of what rows left of one number, every BATCH_PARTS-th of them, in their order.
template <int WIDTH>
__device__ inline float rows_sum(const float* column, int part, int rows) {
    float sum = 0.f;
#pragma unroll 16
    for (int row = part; row < rows; row += BATCH_PARTS) sum += column[(long long)row * WIDTH];
    return sum;
}
