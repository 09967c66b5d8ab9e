public import Synchronization

/// A sum that only grows, written by one thread and read by any.
///
/// Adding is a load and a store without a locked instruction, which is why a second writer would lose counts.
public final class Counter: Sendable {
    @usableFromInline let sum = Atomic<Int64>(0)

    /// Makes a counter at 0.
    public init() {}

    /// Adds `count`; for the one thread that writes.
    @inlinable
    public func add(_ count: Int64 = 1) {
        sum.store(sum.load(ordering: .relaxed) &+ count, ordering: .relaxed)
    }

    /// Takes a sum that is counted elsewhere; for the one thread that writes.
    @inlinable
    public func set(_ total: Int64) { sum.store(total, ordering: .relaxed) }

    /// The sum; from any thread.
    @inlinable public var value: Int64 { sum.load(ordering: .relaxed) }
}

/// A value of the moment, written by one thread and read by any.
public final class Gauge: Sendable {
    @usableFromInline let bits = Atomic<UInt64>(0)

    /// Makes a gauge at 0.
    public init() {}

    /// Sets the value.
    @inlinable
    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// The value; from any thread.
    @inlinable public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// A distribution in buckets of powers of two, written by one thread and read by any.
///
/// Observations are integers of a base unit (nanoseconds, milliseconds, bytes), so that the bucket is found by counting leading
/// zeros. The bounds are `lowest`, `2 * lowest`, `4 * lowest` ... in the base unit.
@safe
public final class Histogram: Sendable {
    // Unchecked by the compiler: allocated once, freed with the object, every word atomic.
    private nonisolated(unsafe) let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let buckets: Int
    private let lowest: UInt64
    private let shift: Int
    private let scale: Double

    private static var exemplarWords: Int { 5 }

    /// Makes an empty histogram.
    ///
    /// - Parameters:
    ///   - lowest: the first upper bound in the base unit, rounded up to a power of two.
    ///   - buckets: how many buckets, the one without an upper bound included; 2...60.
    ///   - scale: what one of the base unit is in the metric's unit, 1e-9 for nanoseconds shown as seconds.
    public init(lowest: UInt64, buckets: Int, scale: Double) {
        shift = lowest <= 1 ? 0 : 64 - (lowest - 1).leadingZeroBitCount
        self.lowest = 1 << UInt64(shift)
        self.buckets = min(max(buckets, 2), 60)
        self.scale = scale
        // Sum, a sequence number for the exemplars, counts, exemplars.
        let count = 2 + self.buckets * (1 + Self.exemplarWords)
        unsafe words = .allocate(capacity: count)
        for index in 0..<count { unsafe (words + index).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe words.deinitialize(count: 2 + buckets * (1 + Self.exemplarWords))
        unsafe words.deallocate()
    }

    /// Durations from about a microsecond to 18 minutes, observed in nanoseconds and shown in seconds.
    public static func durations() -> Histogram { Histogram(lowest: 1024, buckets: 32, scale: 1e-9) }

    /// Ages from a millisecond to 24 days, observed in milliseconds and shown in seconds.
    public static func ages() -> Histogram { Histogram(lowest: 1, buckets: 33, scale: 1e-3) }

    @inline(__always)
    private func bucket(_ value: UInt64) -> Int {
        guard value > lowest else { return 0 }
        return min(64 - (value - 1).leadingZeroBitCount - shift, buckets - 1)
    }

    @inline(__always)
    private func add(_ amount: UInt64, at index: Int) {
        unsafe words[index].store(words[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// Counts `count` observations of `value`, in the base unit; negative ones count as 0.
    ///
    /// For the one thread that writes.
    public func observe(_ value: Int64, count: Int64 = 1) {
        let value = UInt64(max(value, 0))
        let count = UInt64(max(count, 0))
        add(count, at: 2 + bucket(value))
        add(value &* count, at: 0)
    }

    /// Counts one observation and keeps its trace as its bucket's exemplar.
    ///
    /// For the one thread that writes.
    public func observe(_ value: Int64, exemplar context: TraceContext, at timestamp: Int64) {
        observe(value)
        note(value, exemplar: context, at: timestamp)
    }

    /// Keeps the trace of an observation that is counted already as its bucket's exemplar.
    ///
    /// For the one thread that writes.
    public func note(_ value: Int64, exemplar context: TraceContext, at timestamp: Int64) {
        let base = 2 + buckets + bucket(UInt64(max(value, 0))) * Self.exemplarWords
        let number = unsafe words[1].load(ordering: .relaxed)
        // Odd while the exemplar's words don't belong together.
        unsafe words[1].store(number &+ 1, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
        unsafe words[base].store(context.traceHigh, ordering: .relaxed)
        unsafe words[base + 1].store(context.traceLow, ordering: .relaxed)
        unsafe words[base + 2].store(context.span, ordering: .relaxed)
        unsafe words[base + 3].store(UInt64(max(value, 0)), ordering: .relaxed)
        unsafe words[base + 4].store(UInt64(max(timestamp, 0)), ordering: .relaxed)
        unsafe words[1].store(number &+ 2, ordering: .releasing)
    }

    /// The content; from any thread.
    public var snapshot: HistogramSnapshot {
        var bounds: [Double] = []
        var counts: [Int64] = []
        for index in 0..<buckets {
            if index < buckets - 1 { bounds.append(Double(lowest << UInt64(index)) * scale) }
            counts.append(unsafe Int64(truncatingIfNeeded: words[2 + index].load(ordering: .relaxed)))
        }
        let sum = unsafe Double(words[0].load(ordering: .relaxed)) * scale
        return HistogramSnapshot(bounds: bounds, counts: counts, sum: sum, exemplars: exemplars())
    }

    private func exemplars() -> [Exemplar?] {
        // A writer is in the way for nanoseconds at most: a few attempts, else none are shown this time.
        for _ in 0..<8 {
            let before = unsafe words[1].load(ordering: .acquiring)
            guard before & 1 == 0 else { continue }
            let found = (0..<buckets).map { index -> Exemplar? in
                let base = 2 + buckets + index * Self.exemplarWords
                let context = unsafe TraceContext(
                    traceHigh: words[base].load(ordering: .relaxed), traceLow: words[base + 1].load(ordering: .relaxed),
                    span: words[base + 2].load(ordering: .relaxed), flags: 1)
                guard context.isValid else { return nil }
                return unsafe Exemplar(
                    context: context, value: Double(words[base + 3].load(ordering: .relaxed)) * scale,
                    timestamp: Int64(truncatingIfNeeded: words[base + 4].load(ordering: .relaxed)))
            }
            atomicMemoryFence(ordering: .acquiring)
            if unsafe words[1].load(ordering: .relaxed) == before { return found }
        }
        return Array(repeating: nil, count: buckets)
    }
}
