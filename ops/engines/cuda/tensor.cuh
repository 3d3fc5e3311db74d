// Convolutions as products of matrices on tensor cores, with float32's accuracy (Ootomo and Yokota, Recovering single
// precision accuracy from Tensor Cores, 2022): each number is the sum of two of 11 bits, and of the four products of such
// sums three are taken. Filters have one group and reach over no edge. Sums have a fixed order, as in layers.cuh.

// x = big + small; a tensor core looks at the leading 11 bits of each.
struct Parts {
    unsigned big, small;
};
__device__ inline Parts parts(float x) {
    const unsigned big = ((unsigned)__float_as_int(x) + 0x1000u) & 0xffffe000u;
    return {big, (unsigned)__float_as_int(x - __int_as_float((int)big))};
}

// c += a b for a warp. Lane 4 g + t has of a (16 x 8) rows g and g + 8 of columns t and t + 4, of b (8 x 8) column g of
// rows t and t + 4, and of c (16 x 8) rows g and g + 8 of columns 2 t and 2 t + 1.
#ifdef __CUDACC__
__device__ inline void multiply(float (&c)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
#endif

// A tile of a product: large products and small ones in sums of their own, which don't wait for each other.
struct Sums {
    float large[4] = {}, left[4] = {}, right[4] = {};
    // EXACT: a has no more than 11 bits.
    template <bool EXACT>
    __device__ void add(const Parts (&a)[4], const Parts (&b)[2]) {
        if (!EXACT) multiply(left, a[0].small, a[1].small, a[2].small, a[3].small, b[0].big, b[1].big);
        multiply(right, a[0].big, a[1].big, a[2].big, a[3].big, b[0].small, b[1].small);
        multiply(large, a[0].big, a[1].big, a[2].big, a[3].big, b[0].big, b[1].big);
    }
    __device__ float operator[](int i) const { return large[i] + (left[i] + right[i]); }
};

// A number so many bytes behind another.
__device__ inline float behind(const float* x, int bytes) { return *(const float*)((const char*)x + bytes); }

// PIXELS: the input is bytes, as floats; they count as 255ths. Where a product has sixteen rows or sums over eight places,
// half of them are one example's and half the other's: the second of two numbers always lies NEXT behind the first.
template <int C, int H, int W, int O, int P, int Q, int R, int S, int SY, int SX, int DY, int DX, bool PIXELS>
struct TensorConv {
    static constexpr int TAPS = C * R * S, PLACES = P * Q, WARPS = THREADS / 32, NEXT = EXAMPLES == 2 ? FLOATS : 0;
    static constexpr int TALL = (TAPS + 15) / 16 * 16, WIDE = (O + 7) / 8, EIGHTS = (PLACES + 7) / 8;

    // How many bytes a tap lies behind the place that a filter begins at, and where each place begins. The taps that a lane
    // asks for together, t and t + 4 of eight, are side by side.
    static __device__ void tables(int* table) {
#pragma unroll 1
        for (int i = threadIdx.x; i < TALL; i += THREADS)
            table[beside(i)] = i < TAPS ? 4 * ((i / (R * S) * H + i / S % R * DY) * W + i % S * DX) : 0;
#pragma unroll 1
        for (int i = threadIdx.x; i < PLACES; i += THREADS) table[TALL + i] = 4 * (i / Q * SY * W + i % Q * SX);
    }

    static __device__ int beside(int tap) { return tap / 8 * 8 + tap % 4 * 2 + tap % 8 / 4; }

    // The channel of a product's column, such that what a warp stores at once lies in as many banks as can be.
    static __device__ int channel(int column) { return column / 8 * 8 + column % 8 / 2 + column % 2 * 4; }

    // A row for each place of an example, a column for each channel; a warp makes 16 rows at a time.
    template <class A>
    static __device__ void forward(const float* x, const float* w, const float* __restrict__ b, float* y,
                                   const int* table) {
        constexpr int DEEP = (TAPS + 7) / 8, WHOLE = TAPS / 8;
        constexpr bool HELD = DEEP * WIDE <= 4;  // all weights in registers
        const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
        Parts held[HELD ? DEEP : 1][HELD ? WIDE : 1][2];
        int2 taps[HELD ? DEEP : 1];
#pragma unroll
        for (int k = 0; k < (HELD ? DEEP : 0); ++k) taps[k] = ((const int2*)table)[4 * k + t];
        float bias[WIDE][2];
#pragma unroll
        for (int n = 0; n < WIDE; ++n) {
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                const int o = channel(8 * n + 2 * t + j);
                bias[n][j] = b && o < O ? b[o] : 0.f;
#pragma unroll
                for (int k = 0; k < (HELD ? DEEP : 0); ++k) held[k][n][j] = weight<true>(w, n, 8 * k + 4 * j + t);
            }
        }
        for (int tile = threadIdx.x / 32; tile < EIGHTS; tile += WARPS) {
            const int place = min(8 * tile + g, PLACES - 1);
            const float* from = (const float*)((const char*)x + table[TALL + place]);
            Sums sum[WIDE];
            if (HELD) {
#pragma unroll
                for (int k = 0; k < DEEP; ++k) {
                    Parts a[4];
                    inputs(a, from, taps[HELD ? k : 0]);
#pragma unroll
                    for (int n = 0; n < WIDE; ++n) sum[n].template add<PIXELS>(a, held[HELD ? k : 0][HELD ? n : 0]);
                }
            } else {
#pragma unroll 3
                for (int k = 0; k < WHOLE; ++k) add<false>(sum, from, table, w, k);
                if (TAPS % 8) add<true>(sum, from, table, w, WHOLE);
            }
            float* to = y + place;
#pragma unroll
            for (int n = 0; n < WIDE; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int o = channel(8 * n + 2 * t + i % 2);
                    const float value = A::value(sum[n][i] * SCALE + bias[n][i % 2]);
                    if (i / 2 < EXAMPLES && o < O && 8 * tile + g < PLACES) to[i / 2 * NEXT + o * PLACES] = value;
                }
        }
    }

    // The gradients of filters and biases summed over the examples, of which one that isn't here has none: a row for each
    // tap, a column for each channel. A warp makes MINE tiles of 16 rows, from every PARTS-th four places.
    template <int MINE, int PARTS>
    static __device__ void weights(const float* dy, const float* x, float* dw, float* db, const int* table,
                                   float* scratch) {
        constexpr int TILES = TALL / 16, GROUPS = (TILES + MINE - 1) / MINE, SUMS = GROUPS * MINE * WIDE * 128;
        static_assert(GROUPS * PARTS <= WARPS, "each warp has one group of tiles and one part of the places");
        const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
        const int group = threadIdx.x / 32 % GROUPS, part = threadIdx.x / 32 / GROUPS;
        if (part < PARTS) {
            int offset[MINE][2];
#pragma unroll
            for (int m = 0; m < MINE; ++m)
#pragma unroll
                for (int i = 0; i < 2; ++i)
                    offset[m][i] = table[beside(min(16 * (group * MINE + m) + g + 8 * i, TALL - 1))];
            Sums sum[MINE][WIDE];
            float bias[WIDE] = {};
#pragma unroll(MINE * WIDE <= 2 ? 2 : 1)
            for (int four = part; 4 * four < PLACES; four += PARTS) {
                const bool there = PLACES % 4 == 0 || 4 * four + t < PLACES;
                const int place = there ? 4 * four + t : 0;
                const float *from = (const float*)((const char*)x + table[TALL + place]), *of = dy + place;
                Parts b[WIDE][2];
#pragma unroll
                for (int n = 0; n < WIDE; ++n) {
                    const int o = min(channel(8 * n + g), O - 1);
                    const float first = there ? of[o * PLACES] : 0.f;
                    const float second = there && EXAMPLES == 2 ? of[NEXT + o * PLACES] : 0.f;
                    b[n][0] = parts(first), b[n][1] = parts(second), bias[n] += first + second;
                }
#pragma unroll
                for (int m = 0; m < MINE; ++m) {
                    const Parts a[4] = {pixel(behind(from, offset[m][0])), pixel(behind(from, offset[m][1])),
                                        pixel(behind(from + NEXT, offset[m][0])), pixel(behind(from + NEXT, offset[m][1]))};
#pragma unroll
                    for (int n = 0; n < WIDE; ++n) sum[m][n].template add<PIXELS>(a, b[n]);
                }
            }
#pragma unroll
            for (int m = 0; m < MINE; ++m)
#pragma unroll
                for (int n = 0; n < WIDE; ++n)
#pragma unroll
                    for (int i = 0; i < 4; ++i)
                        scratch[((((part * GROUPS + group) * MINE + m) * WIDE + n) * 4 + i) * 32 + lane] = sum[m][n][i];
#pragma unroll
            for (int n = 0; n < WIDE; ++n) {
                const float whole = lanes_sum<4>(bias[n]);
                if (group == 0 && t == 0) scratch[PARTS * SUMS + (part * WIDE + n) * 8 + g] = whole;
            }
        }
        __syncthreads();
        const int mine = threadIdx.x % 128, row = mine % 32 / 4 + mine / 64 * 8, column = channel(mine % 4 * 2 + mine / 32 % 2);
        for (int tile = threadIdx.x / 128; tile < TILES * WIDE; tile += THREADS / 128) {
            const int tap = 16 * (tile / WIDE) + row, o = 8 * (tile % WIDE) + column;
            float total = 0.f;
#pragma unroll
            for (int other = 0; other < PARTS; ++other) total += scratch[other * SUMS + tile * 128 + mine];
            if (o < O && tap < TAPS) dw[o * TAPS + tap] = total * SCALE;
        }
        if (db && threadIdx.x < 8 * WIDE && channel(threadIdx.x) < O) {
            float total = 0.f;
#pragma unroll
            for (int other = 0; other < PARTS; ++other) total += scratch[PARTS * SUMS + other * 8 * WIDE + threadIdx.x];
            db[channel(threadIdx.x)] = total;
        }
        __syncthreads();
    }

    // Each place's share in the gradient of the inputs under its filter, for AT_ONCE channels at a time: a row for each
    // place of an example, a column for each tap, in scratch column by column. Then each input adds up its shares. In
    // scratch a row of places is as long as one of inputs, with zeros behind it, so that the shares of an input at (h, w)
    // lie at (h - r, w - s) also where that is beyond the row's ends. There the stride is 1.
    template <class A, int AT_ONCE>
    static __device__ void input(const float* dy, const float* w, const float* x, float* dx, float* scratch) {
        static_assert(SY == 1 && SX == 1 && Q + (S - 1) * DX == W, "filters reach every place of a row once");
        constexpr int DEEP = (O + 7) / 8, COLUMNS = AT_ONCE * R * S, ROOM = W - Q;
        constexpr int COLUMN = (2 * P * W + 15 - 4) / 16 * 16 + 4;  // 2 t columns lie in banks of their own
        const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
        scratch += ROOM;
#pragma unroll 1
        for (int i = threadIdx.x; i < COLUMNS * 2 * P * ROOM; i += THREADS) {
            const int row = i / ROOM;
            scratch[row / (2 * P) * COLUMN + row % (2 * P) * W + Q + i % ROOM] = 0.f;
        }
#pragma unroll 1
        for (int i = threadIdx.x; i < (COLUMNS + 1) * ROOM; i += THREADS) scratch[i / ROOM * COLUMN - ROOM + i % ROOM] = 0.f;
        for (int c = 0; c < C; c += AT_ONCE) {
            for (int tile = threadIdx.x / 32; tile < EIGHTS; tile += WARPS) {
                const int place = min(8 * tile + g, PLACES - 1);
                const float* of = dy + place;
                Parts a[DEEP][4];
#pragma unroll
                for (int k = 0; k < DEEP; ++k)
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        const int o = 8 * k + t + i / 2 * 4;
                        a[k][i] = parts(O % 8 == 0 || o < O ? of[i % 2 * NEXT + o * PLACES] : 0.f);
                    }
                float* to = scratch + 2 * t * COLUMN + place / Q * W + place % Q;
#pragma unroll 2
                for (int n = 0; n < (COLUMNS + 7) / 8; ++n) {
                    const float* weights = w + c * R * S + min(8 * n + g, COLUMNS - 1);
                    Sums sum;
#pragma unroll
                    for (int k = 0; k < DEEP; ++k) {
                        Parts b[2];
#pragma unroll
                        for (int j = 0; j < 2; ++j) {
                            const int o = 8 * k + t + 4 * j;
                            b[j] = parts(O % 8 == 0 || o < O ? weights[o * TAPS] : 0.f);
                        }
                        sum.template add<false>(a[k], b);
                    }
#pragma unroll
                    for (int i = 0; i < 4; ++i)
                        if (8 * n + 2 * t + i % 2 < COLUMNS && 8 * tile + g < PLACES)
                            to[(8 * n + i % 2) * COLUMN + i / 2 * (P * W)] = sum[i];
                }
            }
            __syncthreads();
            for (int job = threadIdx.x; job < AT_ONCE * H * W; job += THREADS) {
                const int h = job / W % H;
                const float* shares = scratch + job / (H * W) * R * S * COLUMN + job % (H * W);
                float sum[2] = {};
#pragma unroll
                for (int r = 0; r < R; ++r) {
                    if ((unsigned)(h - r * DY) >= P) continue;
#pragma unroll
                    for (int s = 0; s < S; ++s) {
                        const float* share = shares + (r * S + s) * COLUMN - r * DY * W - s * DX;
                        sum[0] += share[0], sum[1] += share[P * W];
                    }
                }
#pragma unroll
                for (int e = 0; e < EXAMPLES; ++e) {
                    const int place = e * FLOATS + c * H * W + job;
                    dx[place] = sum[e] * A::slope(x[place]);
                }
            }
            __syncthreads();
        }
    }

  private:
    static constexpr float SCALE = PIXELS ? 1.f / 255.f : 1.f;
    static __device__ Parts pixel(float x) { return PIXELS ? Parts{(unsigned)__float_as_int(x), 0u} : parts(x); }

    // The inputs of eight places of each example under eight taps.
    static __device__ void inputs(Parts (&a)[4], const float* from, int2 taps) {
        a[0] = pixel(behind(from, taps.x)), a[1] = pixel(behind(from + NEXT, taps.x));
        a[2] = pixel(behind(from, taps.y)), a[3] = pixel(behind(from + NEXT, taps.y));
    }
    // A weight of this lane's column. What comes of a channel beyond the last is looked at by nobody, but what is summed over
    // has to end: END is for the last tile.
    template <bool END>
    static __device__ Parts weight(const float* w, int n, int tap) {
        const int o = min(channel(8 * n + threadIdx.x % 32 / 4), O - 1);
        return parts(!END || tap < TAPS ? w[o * TAPS + tap] : 0.f);
    }
    template <bool END>
    static __device__ void add(Sums (&sum)[WIDE], const float* from, const int* table, const float* w, int k) {
        const int t = threadIdx.x % 4;
        Parts a[4];
        inputs(a, from, ((const int2*)table)[4 * k + t]);
#pragma unroll
        for (int n = 0; n < WIDE; ++n) {
            const Parts b[2] = {weight<END>(w, n, 8 * k + t), weight<END>(w, n, 8 * k + 4 + t)};
            sum[n].template add<PIXELS>(a, b);
        }
    }
};
