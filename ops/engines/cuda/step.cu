// The kernels of a step. Before this come the constants, layers.cuh and what source.py wrote for the network: forward,
// backward and gradient. One block takes its examples all the way; update_kernel then sums over the batch.

// Images from the data set, flipped and shifted as ops/augment.py says, as floats in [0, 1]; zeros for one that isn't
// here. Each example has its share of the threads, which take as many turns each: their loads are under way together.
__device__ inline void fetch(const unsigned char* images, Draw d, bool augmented, float* x) {
    constexpr int SHARE = THREADS / EXAMPLES;
    const int e = threadIdx.x / SHARE;
    const long long example = e >= d.here ? -1 : d.examples ? d.examples[e] : e;
    int flip = 0, dy = 0, dx = 0;
    if (augmented && (FLIP || SHIFT)) {
        unsigned c[4] = {(unsigned)example, d.epoch, 0u, 1u};
        philox(c, d.low, d.high);
        flip = FLIP ? c[0] & 1u : 0;
        dy = (int)(c[1] % (2 * SHIFT + 1)) - SHIFT, dx = (int)(c[2] % (2 * SHIFT + 1)) - SHIFT;
    }
    const unsigned char* image = images + example * (IN_C * IN_H * IN_W);
#pragma unroll 4
    for (int turn = 0; turn < (IN_C * IN_H * IN_W + SHARE - 1) / SHARE; ++turn) {
        const int i = turn * SHARE + threadIdx.x % SHARE;
        if (i >= IN_C * IN_H * IN_W) continue;
        const int h = i / IN_W % IN_H - dy, w = i % IN_W - dx;
        const bool inside = example >= 0 && h >= 0 && h < IN_H && w >= 0 && w < IN_W;
        const int column = flip ? IN_W - 1 - w : w;
        x[e * FLOATS + i] = inside ? image[(i / (IN_H * IN_W) * IN_H + h) * IN_W + column] * (1.f / 255.f) : 0.f;
    }
    __syncthreads();
}

// What the softmax is to come to for a class.
__device__ inline float target(int j, int label) {
    return (j == label ? 1.f - SMOOTHING : 0.f) + SMOOTHING / CLASSES;
}

// One example's loss, by a warp: each lane takes classes, and adds up what all of them left, in the order of the classes.
__device__ inline void cross_entropy(const float* logits, float* dlogits, int label, int count, float* loss, int* hit) {
    const int lane = threadIdx.x % 32;
    int best = 0;
    float largest = logits[0];
    for (int j = 1; j < CLASSES; ++j) {
        const float logit = logits[j];
        if (logit > largest || (logit != logit && largest == largest)) best = j, largest = logit;
    }
    for (int j = lane; j < CLASSES; j += 32) dlogits[j] = expf(logits[j] - largest);
    __syncwarp();
    float total = 0.f, sum = 0.f;
    for (int j = 0; j < CLASSES; ++j) total += dlogits[j];
    const float log_total = logf(total);
    for (int j = 0; j < CLASSES; ++j) sum += (log_total - (logits[j] - largest)) * target(j, label);
    __syncwarp();
    for (int j = lane; j < CLASSES; j += 32) dlogits[j] = (dlogits[j] / total - target(j, label)) / (float)count;
    if (lane == 0) *loss = sum, *hit = best == label;
}

// Shards are computed side by side, each by so many blocks. What is a shard's own lies behind what the shards before it
// have: parameters, rows of the stash and of the partial sums, and the tables of a round: offsets and rates of `steps`
// steps, and draws, which are [epoch, low and high word of the seed]. cursor: the step at which a graph begins.
extern "C" __global__ void __launch_bounds__(THREADS, 1)
examples_kernel(const unsigned char* images, const unsigned char* labels, const int* examples, const int* offsets,
                const unsigned* draws, const int* cursor, const float* theta, float* stash, float* partials,
                float* losses, int* hits, int blocks, int steps, int k) {
    extern __shared__ float memory[];
    const int shard = blockIdx.x / blocks, block = blockIdx.x % blocks, step = shard * (steps + 1) + cursor[0] + k;
    const int first = offsets[step], count = offsets[step + 1] - first;
    const int here = min(count - block * EXAMPLES, EXAMPLES), row = blockIdx.x * EXAMPLES;
    if (here <= 0) return;
    theta += (long long)shard * PARAMETERS, draws += 3 * shard;
    const Draw d = {examples + first + block * EXAMPLES, here, draws[0], draws[1], draws[2]};
    const int e = threadIdx.x / 32, label = e < here ? labels[d.examples[e]] : 0;
    stage(memory, theta);
    fetch(images, d, true, memory);
    forward<true>(memory, theta, d);
    if (e < here)
        cross_entropy(memory + e * FLOATS + LOGITS, memory + e * FLOATS + DLOGITS, label, count, losses + row + e,
                      hits + row + e);
    __syncthreads();
    backward(memory, theta, stash + (long long)row * STASH, partials + (long long)blockIdx.x * PARTIALS, d);
}

static_assert(TILE == 4 && BATCH_PARTS == TILE, "a float4 is read, and each warp finishes one number of a job");

// The rule of ops/update.py for one parameter and its gradient.
struct Update {
    float *theta, *velocity;
    float rate;
    __device__ void operator()(int i, float g) const {
        if (WEIGHT_DECAY != 0.f) g += WEIGHT_DECAY * theta[i];
        if (MOMENTUM == 0.f) {
            theta[i] -= rate * g;
            return;
        }
        const float v = MOMENTUM * velocity[i] + g;
        velocity[i] = v;
        theta[i] -= rate * (NESTEROV ? g + MOMENTUM * v : v);
    }
};

// A block's warps share 32 jobs of `gradient`: each adds up its part of the batch, then finishes one number of each job.
// The last block of a shard adds up losses and hits.
extern "C" __global__ void __launch_bounds__(BATCH_PARTS * 32, 5)
update_kernel(const int* offsets, const float* rates, const int* cursor, const float* stash, const float* partials,
              const float* losses, const int* hits, float* theta, float* velocity, double* totals, int updates,
              int blocks, int steps, int k) {
    const int shard = blockIdx.x / updates, block = blockIdx.x % updates, step = cursor[0] + k;
    const int count = offsets[shard * (steps + 1) + step + 1] - offsets[shard * (steps + 1) + step];
    const int lane = threadIdx.x % 32, part = threadIdx.x / 32;
    const float rate = rates[shard * steps + step];
    if (count == 0) return;
    const long long row = (long long)shard * blocks * EXAMPLES;
    stash += row * STASH, partials += (long long)shard * blocks * PARTIALS, losses += row, hits += row;
    theta += (long long)shard * PARAMETERS, velocity += (long long)shard * PARAMETERS;
    if (block < updates - 1) {
        __shared__ float sums[BATCH_PARTS][TILE][32];
        float sum[TILE] = {};
        int index[TILE], mine = -1;
#pragma unroll
        for (int j = 0; j < TILE; ++j) index[j] = -1;
        gradient(block * 32 + lane, part, count, stash, partials, sum, index);
#pragma unroll
        for (int j = 0; j < TILE; ++j) {
            sums[part][j][lane] = sum[j];
            if (j == part) mine = index[j];
        }
        __syncthreads();
        float g = 0.f;
#pragma unroll
        for (int j = 0; j < BATCH_PARTS; ++j) g += sums[j][part][lane];
        if (mine >= 0) Update{theta, velocity, rate}(mine, g);
        return;
    }
    __shared__ double loss[32];
    __shared__ int right[32];
    if (part == 0) {
        double sum = 0.0;
        int found = 0;
        for (int n = lane; n < count; n += 32) sum += losses[n], found += hits[n];
        loss[lane] = sum, right[lane] = found;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        double sum = 0.0;
        int found = 0;
        for (int t = 0; t < 32; ++t) sum += loss[t], found += right[t];
        totals[2 * shard] += sum, totals[2 * shard + 1] += (double)found;
    }
}

extern "C" __global__ void advance_kernel(int* cursor, int steps) { cursor[0] += steps; }

extern "C" __global__ void __launch_bounds__(THREADS, 1)
predict_kernel(const unsigned char* images, const float* theta, float* out, int count) {
    extern __shared__ float memory[];
    const int row = blockIdx.x * EXAMPLES, here = min(count - row, EXAMPLES);
    const Draw none = {nullptr, here, 0u, 0u, 0u};
    stage(memory, theta);
    fetch(images + (long long)row * (IN_C * IN_H * IN_W), none, false, memory);
    forward<false>(memory, theta, none);
    EACH(j, at, CLASSES) if (at < here * FLOATS) out[(row + at / FLOATS) * CLASSES + j] = memory[at + LOGITS + j];
}
