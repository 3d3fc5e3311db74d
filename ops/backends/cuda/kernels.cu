// What lies between the matrix products of a step. Planes are stored channels last: x[n][h][w][c], c innermost.
//
// Every sum has an order that the shapes alone decide, and nothing is added atomically: equal arguments, equal bits.
// Where the channels are a multiple of four, a thread takes four of them (V = 4). Blocks have 256 threads.

const unsigned WARP = 32, WARPS = 8;  // threads of a warp, warps of a block

template <int V> struct alignas(4 * V) Pack { float of[V]; };

template <int V> struct alignas(V) Bytes { unsigned char of[V]; };

template <int V> __device__ Pack<V> load(const float* from, unsigned pack) { return ((const Pack<V>*)from)[pack]; }

template <int V> __device__ void store(float* to, unsigned pack, Pack<V> value) { ((Pack<V>*)to)[pack] = value; }

// y += b along the channels, then max(y, 0) if asked for.
template <int V, bool RELU>
__global__ void add_bias(float* y, const float* b, unsigned packs, unsigned per_row) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < packs; i += gridDim.x * blockDim.x) {
        Pack<V> v = load<V>(y, i);
        const float* shift = b + i % per_row * V;  // anywhere among the parameters: not a pack
        for (int k = 0; k < V; ++k) {
            v.of[k] += shift[k];
            if (RELU) v.of[k] = v.of[k] > 0 || v.of[k] != v.of[k] ? v.of[k] : 0;
        }
        store<V>(y, i, v);
    }
}

// dz = dy where y > 0, else 0 (RELU; without it dz is not written), and each group of rows' share of db: `partial`
// (groups, c). A block of 8 warps takes 32 packs of channels of a group; a warp takes every eighth row.
template <int V, bool RELU>
__global__ void bias_partials(const float* dy, const float* y, float* dz, float* partial, unsigned total, unsigned rows,
                              unsigned per_row) {
    __shared__ Pack<V> sums[WARPS * WARP];
    unsigned across = (per_row + WARP - 1) / WARP, group = blockIdx.x / across;
    unsigned pack = blockIdx.x % across * WARP + threadIdx.x % WARP, warp = threadIdx.x / WARP;
    Pack<V> sum = {};
    if (pack < per_row) {
        unsigned last = min(total, (group + 1) * rows);
        for (unsigned row = group * rows + warp; row < last; row += WARPS) {
            unsigned i = row * per_row + pack;
            Pack<V> v = load<V>(dy, i);
            if (RELU) {
                Pack<V> out = load<V>(y, i);
                for (int k = 0; k < V; ++k) v.of[k] = out.of[k] > 0 ? v.of[k] : 0;
                store<V>(dz, i, v);
            }
            for (int k = 0; k < V; ++k) sum.of[k] += v.of[k];
        }
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (warp == 0 && pack < per_row) {
        for (unsigned other = 1; other < WARPS; ++other)
            for (int k = 0; k < V; ++k) sum.of[k] += sums[other * WARP + threadIdx.x].of[k];
        store<V>(partial, group * per_row + pack, sum);
    }
}

// total[c] = the sum of partial (groups, c) over the groups; a block takes 32 channels.
__global__ void sum_partials(const float* partial, float* total, unsigned groups, unsigned channels) {
    __shared__ float sums[WARPS * WARP];
    unsigned channel = blockIdx.x * WARP + threadIdx.x % WARP, warp = threadIdx.x / WARP;
    float sum = 0;
    if (channel < channels)
        for (unsigned group = warp; group < groups; group += WARPS) sum += partial[group * channels + channel];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (warp == 0 && channel < channels) {
        for (unsigned other = 1; other < WARPS; ++other) sum += sums[other * WARP + threadIdx.x];
        total[channel] = sum;
    }
}

// Of pooling: the input's planes and the output's, the window's size, stride and padding.
#define WINDOW int height, int width, int rows, int columns, int tall, int wide, int down, int right, int above, int left

// The largest number of each window, and which of its elements that was; of equals the first, NaN above all.
template <int V>
__global__ void max_pool(const float* x, float* y, unsigned char* argmax, WINDOW, unsigned packs, unsigned per_place) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < packs; i += gridDim.x * blockDim.x) {
        unsigned pack = i % per_place, place = i / per_place;
        int q = place % columns, p = place / columns % rows;
        unsigned example = place / columns / rows;
        Pack<V> best;
        int which[V];
        for (int k = 0; k < V; ++k) best.of[k] = __uint_as_float(0xff800000u), which[k] = -1;
        for (int r = 0; r < tall; ++r) {
            int h = p * down - above + r;
            if (h < 0 || h >= height) continue;
            for (int s = 0; s < wide; ++s) {
                int w = q * right - left + s;
                if (w < 0 || w >= width) continue;
                Pack<V> v = load<V>(x, ((example * height + h) * width + w) * per_place + pack);
                for (int k = 0; k < V; ++k)
                    if (which[k] < 0 || v.of[k] > best.of[k] || (v.of[k] != v.of[k] && best.of[k] == best.of[k]))
                        best.of[k] = v.of[k], which[k] = r * wide + s;
            }
        }
        store<V>(y, i, best);
        Bytes<V> taps;
        for (int k = 0; k < V; ++k) taps.of[k] = which[k];
        ((Bytes<V>*)argmax)[i] = taps;
    }
}

// Each pixel gathers dy from the windows that hold it: from those where it was the largest, or its share of a mean.
// counts: (p, q) by how many numbers a mean was divided.
template <int V, bool MAX>
__global__ void pool_grad(const float* dy, const unsigned char* argmax, const float* counts, float* dx, WINDOW,
                          unsigned packs, unsigned per_place) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < packs; i += gridDim.x * blockDim.x) {
        unsigned pack = i % per_place, place = i / per_place;
        int w = place % width, h = place / width % height;
        unsigned example = place / width / height;
        Pack<V> sum = {};
        int bottom = h + above - tall, end = w + left - wide;
        int first_p = bottom < 0 ? 0 : bottom / down + 1, last_p = min((h + above) / down, rows - 1);
        int first_q = end < 0 ? 0 : end / right + 1, last_q = min((w + left) / right, columns - 1);
        for (int p = first_p; p <= last_p; ++p)
            for (int q = first_q; q <= last_q; ++q) {
                unsigned from = ((example * rows + p) * columns + q) * per_place + pack;
                Pack<V> share = load<V>(dy, from);
                Bytes<V> taps = {};
                if (MAX) taps = ((const Bytes<V>*)argmax)[from];
                int tap = (h + above - p * down) * wide + w + left - q * right;
                for (int k = 0; k < V; ++k)
                    if (!MAX) sum.of[k] += share.of[k] / counts[p * columns + q];
                    else if (taps.of[k] == tap) sum.of[k] += share.of[k];
            }
        store<V>(dx, i, sum);
    }
}

// The mean of each window.
template <int V>
__global__ void avg_pool(const float* x, const float* counts, float* y, WINDOW, unsigned packs, unsigned per_place) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < packs; i += gridDim.x * blockDim.x) {
        unsigned pack = i % per_place, place = i / per_place;
        int q = place % columns, p = place / columns % rows;
        unsigned example = place / columns / rows;
        Pack<V> sum = {};
        for (int r = 0; r < tall; ++r) {
            int h = p * down - above + r;
            if (h < 0 || h >= height) continue;
            for (int s = 0; s < wide; ++s) {
                int w = q * right - left + s;
                if (w < 0 || w >= width) continue;
                Pack<V> v = load<V>(x, ((example * height + h) * width + w) * per_place + pack);
                for (int k = 0; k < V; ++k) sum.of[k] += v.of[k];
            }
        }
        for (int k = 0; k < V; ++k) sum.of[k] /= counts[p * columns + q];
        store<V>(y, i, sum);
    }
}

// Bilinear interpolation as in ops.resize: along the rows first, then down the columns.
__global__ void resize(const float* x, float* y, int height, int width, int new_height, int new_width,
                                  int channels, unsigned size) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < size; i += gridDim.x * blockDim.x) {
        unsigned c = i % channels, place = i / channels;
        int q = place % new_width, p = place / new_width % new_height;
        const float* image = x + (size_t)(place / new_width / new_height) * height * width * channels + c;
        double down = max((p + 0.5) * ((double)height / new_height) - 0.5, 0.0);
        double right = max((q + 0.5) * ((double)width / new_width) - 0.5, 0.0);
        int top = min((int)down, height - 1), bottom = min(top + 1, height - 1);
        int near = min((int)right, width - 1), far = min(near + 1, width - 1);
        float low = (float)(1 - (right - near)), high = (float)(right - near);
        float above = image[(top * width + near) * channels] * low + image[(top * width + far) * channels] * high;
        float below = image[(bottom * width + near) * channels] * low + image[(bottom * width + far) * channels] * high;
        y[i] = above * (float)(1 - (down - top)) + below * (float)(down - top);
    }
}

// y = x with the mask of ops.dropout: element e of an example, counted channel by channel, is kept where its word of
// Philox-4x32-10 (Salmon et al., 2011) reaches the threshold, and scaled.
__global__ void dropout(const float* x, float* y, const int* examples, unsigned epoch, unsigned low_key,
                        unsigned high_key, unsigned purpose, unsigned threshold, float scale, unsigned channels,
                        unsigned places, unsigned size) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < size; i += gridDim.x * blockDim.x) {
        unsigned c = i % channels, place = i / channels, example = place / places;
        unsigned e = c * places + place % places;
        unsigned word[4] = {(unsigned)examples[example], epoch, e / 4, purpose}, k0 = low_key, k1 = high_key;
        for (int round = 0; round < 10; ++round) {
            unsigned long long left = word[0] * 0xD2511F53ull, right = word[2] * 0xCD9E8D57ull;
            word[0] = (unsigned)(right >> 32) ^ word[1] ^ k0, word[1] = (unsigned)right;
            word[2] = (unsigned)(left >> 32) ^ word[3] ^ k1, word[3] = (unsigned)left;
            k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
        }
        unsigned drawn = e % 4 == 0 ? word[0] : e % 4 == 1 ? word[1] : e % 4 == 2 ? word[2] : word[3];
        y[i] = drawn >= threshold ? x[i] * scale : 0;
    }
}

// Blocks of down x right pixels, (row, column) of the padded image, as the channels of one: y (n, rows, columns, down *
// right * c). What lies outside of the image is 0.
__global__ void blocks_to_channels(const float* x, float* y, int height, int width, int channels, int rows, int columns,
                                   int down, int right, int above, int left, unsigned size) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < size; i += gridDim.x * blockDim.x) {
        int c = i % channels, b = i / channels % right, a = i / channels / right % down;
        unsigned place = i / channels / right / down;
        int w = place % columns * right + b - left, h = place / columns % rows * down + a - above;
        size_t example = place / columns / rows;
        bool inside = h >= 0 && h < height && w >= 0 && w < width;
        y[i] = inside ? x[((example * height + h) * width + w) * channels + c] : 0;
    }
}

// One step of ops.step_config.StepConfig's rule; the learning rate lies on the device. Without momentum the velocity is neither read nor written.
template <bool MOMENTUM, bool NESTEROV>
__global__ void sgd(float* theta, float* velocity, const float* gradient, const float* rate, float momentum, float decay,
                    unsigned size) {
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < size; i += gridDim.x * blockDim.x) {
        float slope = gradient[i] + decay * theta[i];
        if (MOMENTUM) {
            float v = momentum * velocity[i] + slope;
            velocity[i] = v;
            slope = NESTEROV ? slope + momentum * v : v;
        }
        theta[i] -= *rate * slope;
    }
}
