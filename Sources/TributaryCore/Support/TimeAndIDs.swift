#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where time comes from; tests put their own in its place.
public struct TimeSource: Sendable {
    /// Nanoseconds since the epoch.
    public let nanoseconds: @Sendable () -> Int64

    /// Makes a source of a closure, which may be called from any thread.
    public init(_ nanoseconds: @escaping @Sendable () -> Int64) { self.nanoseconds = nanoseconds }

    /// Milliseconds since the epoch.
    public var milliseconds: Int64 { nanoseconds() / 1_000_000 }

    /// The system's wall clock.
    public static var system: TimeSource {
        TimeSource {
            var time = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
        }
    }
}

/// A clock that never jumps and has no date, for time limits.
package enum MonotonicClock {
    /// Nanoseconds since some moment of this machine's run.
    package static var nanoseconds: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    /// Milliseconds of the same.
    package static var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

/// The processor's time that the calling thread has had, whatever else the machine does.
package enum ThreadClock {
    /// Nanoseconds since the thread's start.
    package static var nanoseconds: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// The xoshiro256** generator: trace and span ids at under 1 ns each.
///
/// Not for secrets.
///
/// Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021); seeded by splitmix64.
public struct FastRandom: RandomNumberGenerator, Sendable, BitwiseCopyable {
    @usableFromInline var state: (UInt64, UInt64, UInt64, UInt64)

    /// A generator whose sequence depends on `seed` alone.
    public init(seed: UInt64) {
        var word = seed
        func next() -> UInt64 {
            word &+= 0x9e37_79b9_7f4a_7c15
            var mixed = word
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
        state = (next(), next(), next(), next())
    }

    /// A generator seeded by the system's.
    public static func seededBySystem() -> FastRandom {
        var system = SystemRandomNumberGenerator()
        return FastRandom(seed: system.next())
    }

    /// The next 64 bits.
    @inlinable
    @inline(__always)
    public mutating func next() -> UInt64 {
        let result = rotate(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotate(state.3, 45)
        return result
    }

    @inlinable
    @inline(__always)
    func rotate(_ word: UInt64, _ by: UInt64) -> UInt64 { (word << by) | (word >> (64 - by)) }
}
