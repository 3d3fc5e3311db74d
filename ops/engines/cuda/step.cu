// The kernels of a step. Before this come the constants, layers.cuh and what source.py wrote for the network:
// forward, backward and gradient. One block takes one example all the way; `update` then sums over the batch.

// An image from the data set, flipped and shifted as ops/augment.py says, as floats in [0, 1].
__device__ inline void fetch(const unsigned char* images, long long example, Draw d, bool augmented, float* x) {
    int flip = 0, dy = 0, dx = 0;
    if (augmented && (FLIP || SHIFT)) {
        unsigned c[4] = {d.example, d.epoch, 0u, 1u};
        philox(c, d.low, d.high);
        flip = FLIP ? c[0] & 1u : 0;
        dy = (int)(c[1] % (2 * SHIFT + 1)) - SHIFT, dx = (int)(c[2] % (2 * SHIFT + 1)) - SHIFT;
    }
    const unsigned char* image = images + example * (IN_C * IN_H * IN_W);
    EACH(i, IN_C * IN_H * IN_W) {
        const int h = i / IN_W % IN_H - dy, w = i % IN_W - dx;
        const bool inside = h >= 0 && h < IN_H && w >= 0 && w < IN_W;
        const int column = flip ? IN_W - 1 - w : w;
        x[i] = inside ? image[(i / (IN_H * IN_W) * IN_H + h) * IN_W + column] * (1.f / 255.f) : 0.f;
    }
    __syncthreads();
}

// control: [cursor, epoch, low and high word of the seed]. offsets and rates reach a whole chunk past the last step.
extern "C" __global__ void __launch_bounds__(THREADS)
examples_kernel(const unsigned char* images, const unsigned char* labels, const int* examples, const int* offsets,
                const unsigned* control, const float* theta, float* stash, float* losses, int* hits, int k) {
    extern __shared__ float memory[];
    const int step = (int)control[0] + k, first = offsets[step], count = offsets[step + 1] - first;
    if ((int)blockIdx.x >= count) return;
    const int example = examples[first + blockIdx.x];
    const Draw d = {(unsigned)example, control[1], control[2], control[3]};
    fetch(images, example, d, true, memory);
    forward<true>(memory, theta, d);
    const float* logits = memory + LOGITS;
    float* dlogits = memory + DLOGITS;
    if (threadIdx.x == 0) {
        const int label = labels[example];
        int best = 0;
        float total = 0.f, loss = 0.f;
        for (int j = 1; j < CLASSES; ++j)
            if (logits[j] > logits[best] || (logits[j] != logits[j] && logits[best] == logits[best])) best = j;
        const float largest = logits[best];
        for (int j = 0; j < CLASSES; ++j) total += expf(logits[j] - largest);
        const float log_total = logf(total);
        for (int j = 0; j < CLASSES; ++j) {
            const float target = (j == label ? 1.f - SMOOTHING : 0.f) + SMOOTHING / CLASSES;
            loss += (log_total - (logits[j] - largest)) * target;
            dlogits[j] = (expf(logits[j] - largest) / total - target) / (float)count;
        }
        losses[blockIdx.x] = loss;
        hits[blockIdx.x] = best == label;
    }
    __syncthreads();
    backward(memory, theta, stash + (long long)blockIdx.x * STASH, d);
}

// The batch's gradient of one parameter a thread, and the rule of ops/update.py; the block after the last sums up.
extern "C" __global__ void __launch_bounds__(THREADS)
update_kernel(const int* offsets, const float* rates, const unsigned* control, const float* stash, const float* losses,
              const int* hits, float* theta, float* velocity, double* totals, int k) {
    const int step = (int)control[0] + k, count = offsets[step + 1] - offsets[step];
    if (count == 0) return;
    if (blockIdx.x == gridDim.x - 1) {
        __shared__ double loss[THREADS];
        __shared__ int right[THREADS];
        double sum = 0.0;
        int found = 0;
        EACH(n, count) sum += losses[n], found += hits[n];
        loss[threadIdx.x] = sum, right[threadIdx.x] = found;
        __syncthreads();
        if (threadIdx.x == 0) {
            for (int t = 1; t < THREADS; ++t) sum += loss[t], found += right[t];
            totals[0] += sum, totals[1] += (double)found;
        }
        return;
    }
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= PARAMETERS) return;
    float g = gradient(i, count, stash);
    const float rate = rates[step];
    if (WEIGHT_DECAY != 0.f) g += WEIGHT_DECAY * theta[i];
    if (MOMENTUM == 0.f) {
        theta[i] -= rate * g;
        return;
    }
    const float v = MOMENTUM * velocity[i] + g;
    velocity[i] = v;
    theta[i] -= rate * (NESTEROV ? g + MOMENTUM * v : v);
}

extern "C" __global__ void advance_kernel(unsigned* control, int steps) { control[0] += steps; }

extern "C" __global__ void __launch_bounds__(THREADS)
predict_kernel(const unsigned char* images, const float* theta, float* out) {
    extern __shared__ float memory[];
    const Draw none = {0u, 0u, 0u, 0u};
    fetch(images, blockIdx.x, none, false, memory);
    forward<false>(memory, theta, none);
    EACH(j, CLASSES) out[blockIdx.x * CLASSES + j] = memory[LOGITS + j];
}

