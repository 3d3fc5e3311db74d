// The average of a round's replicas and the outer optimizer's step, to the bits of ops/averaging.py: in float64, no
// product and sum taken together, nothing taken for zero that isn't. Sums over all parameters are taken in NumPy's order
// (pairwise.py). Before this come the constants.

#ifdef __CUDACC__
// Plain conversions would take numbers below 1.2e-38 for zero, as these kernels are compiled.
__device__ inline double widen(float x) {
    double y;
    asm("cvt.f64.f32 %0, %1;" : "=d"(y) : "f"(x));
    return y;
}
__device__ inline float narrow(double x) {
    float y;
    asm("cvt.rn.f32.f64 %0, %1;" : "=f"(y) : "d"(x));
    return y;
}
#else
inline double widen(float x) { return x; }
inline float narrow(double x) { return (float)x; }
#endif

// The weighted sum over shards of one parameter: left to right, in groups of FAN_IN, and groups of these.
__device__ inline double shards_sum(const float* column, const double* weights, int shards) {
    double whole = 0.0;
    for (int a = 0; a < shards; a += FAN_IN * FAN_IN) {
        double middle = 0.0;
        for (int b = a; b < min(a + FAN_IN * FAN_IN, shards); b += FAN_IN) {
            double sum = 0.0;
            for (int k = b; k < min(b + FAN_IN, shards); ++k) {
                const double product = __dmul_rn(widen(column[(long long)k * REPLICA]), weights[k]);
                sum = k == b ? product : __dadd_rn(sum, product);
            }
            middle = b == a ? sum : __dadd_rn(middle, sum);
        }
        whole = a == 0 ? middle : __dadd_rn(whole, middle);
    }
    return whole;
}

// A leaf's sum from its LEAF_LANES lanes: `left` is what a lane has after the last whole turn, of so many lanes.
__device__ inline double leaf_sum(double lane_sum, double left, int lanes_left) {
    for (int step = 1; step < LEAF_LANES; step *= 2) lane_sum = __dadd_rn(lane_sum, __shfl_xor_sync(0xffffffffu, lane_sum, step));
    const int first = threadIdx.x % 32 / LEAF_LANES * LEAF_LANES;
    for (int lane = 0; lane < LEAF_LANES - 1; ++lane) {
        const double value = __shfl_sync(0xffffffffu, left, first + lane);
        if (lane < lanes_left) lane_sum = __dadd_rn(lane_sum, value);
    }
    return lane_sum;
}

// What a thread has of a sum over all parameters: a lane of a leaf, and which of them are left after its last whole turn.
struct Lane {
    int leaf, first, size, left, lane;
    __device__ Lane(const int* leaves, int thread, int count)
        : leaf(min(thread / LEAF_LANES, count - 1)), first(leaves[leaf]), size(leaves[leaf + 1] - first),
          left(size % LEAF_LANES), lane(thread % LEAF_LANES) {}
    // The leaf's sum of the squares of what `number` gives for a parameter.
    template <class Number>
    __device__ double squares(Number number) const {
        double sum = 0.0, last = 0.0;
#pragma unroll 4
        for (int i = lane; i < size; i += LEAF_LANES) {
            const double value = number(first + i), square = __dmul_rn(value, value);
            if (i < size - left) sum = __dadd_rn(sum, square);
            else last = square;
        }
        return leaf_sum(sum, last, left);
    }
};

// How far each shard has come in a round: the leaves' sums of its squared distance from the start, a row for each shard.
extern "C" __global__ void __launch_bounds__(AVERAGE_THREADS)
distances_kernel(const int* leaves, const float* theta, const float* start, double* sums, int blocks, int count) {
    const int shard = blockIdx.x / blocks, thread = blockIdx.x % blocks * AVERAGE_THREADS + threadIdx.x;
    const Lane mine(leaves, thread, count);
    const float* replica = theta + (long long)shard * REPLICA;
    const double sum = mine.squares([=](int p) { return __dsub_rn(widen(replica[p]), widen(start[p])); });
    if (mine.lane == 0 && thread / LEAF_LANES < count) sums[(long long)shard * count + mine.leaf] = sum;
}

// A thread for each parameter. rule: [examples of all shards, outer rate, outer momentum, whether it is plain, whether
// velocities are reset], and the weight of each shard from RULE on. As many replicas are made as there are shards, and one
// more for the host; means and moves: the shards' average, and how far it is from the start.
extern "C" __global__ void __launch_bounds__(AVERAGE_THREADS)
average_kernel(const double* rule, float* theta, float* velocity, float* start, float* outer, double* means,
               double* moves, float* result, int shards) {
    const int p = blockIdx.x * AVERAGE_THREADS + threadIdx.x;
    if (p >= PARAMETERS) return;
    const double examples = rule[0], rate = rule[1], momentum = rule[2], origin = widen(start[p]), old = widen(outer[p]);
    const double mean = __ddiv_rn(shards_sum(theta + p, rule + RULE, shards), examples);
    const float mean_velocity = narrow(__ddiv_rn(shards_sum(velocity + p, rule + RULE, shards), examples));
    const float next_velocity = rule[4] != 0.0 ? 0.f : mean_velocity;
    const double moved = __dsub_rn(mean, origin);
    double next = mean;
    if (rule[3] == 0.0) {
        const double faster = __dadd_rn(__dmul_rn(momentum, old), moved);
        next = __dadd_rn(origin, __dmul_rn(rate, __dadd_rn(moved, __dmul_rn(momentum, faster))));
        outer[p] = narrow(faster);
    }
    const float next_theta = narrow(next);
    start[p] = next_theta, result[p] = next_theta, means[p] = mean, moves[p] = moved;
    for (int k = 0; k < shards; ++k) {
        theta[(long long)k * REPLICA + p] = next_theta;
        velocity[(long long)k * REPLICA + p] = next_velocity;
    }
}

// The leaves' sums of the average's squared length and of its squared distance from the start, two rows.
extern "C" __global__ void __launch_bounds__(AVERAGE_THREADS)
lengths_kernel(const int* leaves, const double* means, const double* moves, double* sums, int shards, int blocks,
               int count) {
    const int which = blockIdx.x / blocks, thread = blockIdx.x % blocks * AVERAGE_THREADS + threadIdx.x;
    const Lane mine(leaves, thread, count);
    const double* numbers = which ? moves : means;
    const double sum = mine.squares([=](int p) { return numbers[p]; });
    if (mine.lane == 0 && thread / LEAF_LANES < count) sums[(long long)(shards + which) * count + mine.leaf] = sum;
}

// A block adds up one row of `sums`: pairs of one level don't touch each other. records: for each row [loss, correct, sum];
// totals, from which the first two come, begin at zero again. Rows that are short enough are added up in shared memory.
extern "C" __global__ void __launch_bounds__(SUMS_THREADS)
sums_kernel(const int* levels, const int* pairs, double* sums, double* totals, double* records, int shards, int count,
            int height) {
    __shared__ double held[SUMS_HELD];
    __shared__ int pairs_held[2 * SUMS_HELD];
    double* row = sums + (long long)blockIdx.x * count;
    if (count <= SUMS_HELD) {
        for (int i = threadIdx.x; i < count; i += SUMS_THREADS) held[i] = row[i];
        for (int i = threadIdx.x; i < 2 * (count - 1); i += SUMS_THREADS) pairs_held[i] = pairs[i];
        row = held, pairs = pairs_held;
        __syncthreads();
    }
    for (int level = 0; level < height; ++level) {
        for (int i = levels[level] + threadIdx.x; i < levels[level + 1]; i += SUMS_THREADS)
            row[pairs[2 * i]] = __dadd_rn(row[pairs[2 * i]], row[pairs[2 * i + 1]]);
        __syncthreads();
    }
    if (threadIdx.x) return;
    double* record = records + 3 * blockIdx.x;
    const bool shard = blockIdx.x < shards;
    record[0] = shard ? totals[2 * blockIdx.x] : 0.0, record[1] = shard ? totals[2 * blockIdx.x + 1] : 0.0;
    record[2] = row[0];
    if (shard) totals[2 * blockIdx.x] = totals[2 * blockIdx.x + 1] = 0.0;
}
