// The kernels of a step. Before this come the constants, layers.cuh and what source.py wrote for the network: forward,
// backward and gradient. One block takes its examples all the way; update_kernel then sums over the batch.

// Images from the data set, flipped and shifted as ops/augment.py says, as floats in [0, 1] or, for tensor cores, in
// [0, 255], with zeros around them; zeros for one that isn't here. Each example has its share of the threads, which take as many turns each: their loads are under way together.
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
    constexpr int TALL = IN_H + 2 * HALO_Y, WIDE = PITCH, ALL = IN_C * TALL * WIDE;
#pragma unroll 4
    for (int turn = 0; turn < (ALL + SHARE - 1) / SHARE; ++turn) {
        const int i = turn * SHARE + threadIdx.x % SHARE;
        if (i >= ALL) continue;
        const int top = i / WIDE % TALL - HALO_Y, left = i % WIDE - HALO_X, h = top - dy, w = left - dx;
        const bool on = (unsigned)top < IN_H && (unsigned)left < IN_W, inside = (unsigned)h < IN_H && (unsigned)w < IN_W;
        const int column = flip ? IN_W - 1 - w : w;
        const bool seen = example >= 0 && on && inside;
        x[e * FLOATS + i] = seen ? image[(i / (TALL * WIDE) * IN_H + h) * IN_W + column] * PIXEL : 0.f;
    }
    __syncthreads();
}

#ifdef CLASS_WEIGHTS
__device__ const float class_weights[CLASSES] = {CLASS_WEIGHTS};
#endif

// What the softmax is to come to for a class, times the class's weight.
__device__ inline float target(int j, int label) {
    const float share = (j == label ? 1.f - SMOOTHING : 0.f) + SMOOTHING / CLASSES;
#ifdef CLASS_WEIGHTS
    return share * class_weights[j];
#else
    return share;
#endif
}

// The sum of an example's targets.
__device__ inline float targets(int label) {
    float sum = 1.f;
#ifdef CLASS_WEIGHTS
    sum = 0.f;
    for (int j = 0; j < CLASSES; ++j) sum += target(j, label);
#endif
    return sum;
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
    const float log_total = logf(total), all = targets(label);
    for (int j = 0; j < CLASSES; ++j) sum += (log_total - (logits[j] - largest)) * target(j, label);
    __syncwarp();
    for (int j = lane; j < CLASSES; j += 32) dlogits[j] = (dlogits[j] / total * all - target(j, label)) / (float)count;
    if (lane == 0) *loss = sum, *hit = best == label;
}

// A graph begins with this: for each of its steps what the kernels ask for first, in one place. A row of LONGEST_CHUNK
// for each shard: [its first example's place, how many there are, the rate's bits, nothing]. offsets and rates: the tables
// of a round, of `steps` steps for each shard. cursor: how many of them came before.
extern "C" __global__ void begin_kernel(const int* offsets, const float* rates, int* cursor, int4* ahead, int shards,
                                        int steps, int chunk) {
    const int begin = cursor[0];
    for (int i = threadIdx.x; i < shards * chunk; i += blockDim.x) {
        const int shard = i / chunk, k = i % chunk, step = begin + k, *offset = offsets + shard * (steps + 1) + step;
        ahead[shard * LONGEST_CHUNK + k] = {offset[0], offset[1] - offset[0], __float_as_int(rates[shard * steps + step]), 0};
    }
    __syncthreads();
    if (threadIdx.x == 0) cursor[0] = begin + chunk;
}

// Shards are computed side by side, each by so many blocks. What is a shard's own lies behind what the shards before it
// have: parameters, rows of the stash and of the partial sums, and draws, which are [epoch, low and high word of the seed].
extern "C" __global__ void __launch_bounds__(THREADS, 1)
examples_kernel(const unsigned char* images, const unsigned char* labels, const int* examples, const int4* ahead,
                const unsigned* draws, const float* theta, float* stash, float* partials, float* losses, int* hits,
                int blocks, int k) {
    extern __shared__ __align__(16) float memory[];
    const int shard = blockIdx.x / blocks, block = blockIdx.x % blocks;
    const int4 step = ahead[shard * LONGEST_CHUNK + k];
    theta += (long long)shard * REPLICA, draws += 3 * shard;
    keep_ahead(memory, theta);  // what hangs on no example, while the numbers of the examples are on their way
    stage(memory, theta);
    const int first = step.x, count = step.y;
    const int here = min(count - block * EXAMPLES, EXAMPLES), row = blockIdx.x * EXAMPLES;
    if (here <= 0) return wait_for_copies();
    const Draw d = {examples + first + block * EXAMPLES, here, draws[0], draws[1], draws[2]};
    const int e = threadIdx.x / 32, label = e < here ? labels[d.examples[e]] : 0;
    fetch(images, d, true, memory);
    forward<true>(memory, theta, d);
    if (e < here)
        cross_entropy(memory + e * FLOATS + LOGITS, memory + e * FLOATS + DLOGITS, label, count, losses + row + e,
                      hits + row + e);
    else if (e < EXAMPLES)  // nothing goes back from an example that isn't here
        for (int j = threadIdx.x % 32; j < CLASSES; j += 32) memory[e * FLOATS + DLOGITS + j] = 0.f;
    __syncthreads();
    backward(memory, theta, stash + (long long)row * STASH, partials + (long long)blockIdx.x * PARTIALS, d);
}

// A block of the update makes a tile of a dense layer's weights, or UPDATE_JOBS sums over what the batch left, of which each
// warp adds up its part. The last block of a shard adds up losses and hits.
extern "C" __global__ void __launch_bounds__(UPDATE_THREADS, 2)
update_kernel(const int4* ahead, const float* stash, const float* partials, const float* losses, const int* hits,
              float* theta, float* velocity, double* totals, int updates, int blocks, int rows, int k) {
    const int shard = blockIdx.x / updates, block = blockIdx.x % updates;
    const int4 step = ahead[shard * LONGEST_CHUNK + k];
    const int lane = threadIdx.x % 32, part = threadIdx.x / 32, count = step.y;
    if (count == 0) return;
    const long long row = (long long)shard * blocks * EXAMPLES, first = (long long)shard * REPLICA;
    stash += row * STASH, partials += (long long)shard * blocks * PARTIALS, losses += row, hits += row;
    const Update rule = {theta + first, velocity + first, __int_as_float(step.z)};
    extern __shared__ __align__(16) float memory[];
    if (block < WEIGHT_TILES) return update_weights(block, count, stash, rule, rows, (float4*)memory);
    if (block < updates - 1) {
        float sum = 0.f;
        int index = -1;
        gradient((block - WEIGHT_TILES) * 32 + lane, part, count, stash, partials, sum, index);
        memory[threadIdx.x] = sum;
        __syncthreads();
        if (part || index < 0) return;
        for (int j = 1; j < BATCH_PARTS; ++j) sum += memory[j * 32 + lane];
        rule(index, sum, rule.theta[index]);
        return;
    }
    double* loss = (double*)memory;
    int* right = (int*)(loss + 32);
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

extern "C" __global__ void __launch_bounds__(THREADS, 1)
predict_kernel(const unsigned char* images, const float* theta, float* out, int count) {
    extern __shared__ __align__(16) float memory[];
    const int row = blockIdx.x * EXAMPLES, here = min(count - row, EXAMPLES);
    const Draw none = {nullptr, here, 0u, 0u, 0u};
    stage(memory, theta);
    fetch(images + (long long)row * (IN_C * IN_H * IN_W), none, false, memory);
    forward<false>(memory, theta, none);
    EACH(j, at, CLASSES) if (at < here * FLOATS) out[(row + at / FLOATS) * CLASSES + j] = memory[at + LOGITS + j];
}
