#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where time comes from: two clocks, each for what it is for.
///
/// Tests put their own in its place. May be used from any thread.
public struct TimeSource: Sendable {
    /// How one clock is read.
    public struct Reading: Sendable {
        /// Reads the clock, in nanoseconds.
        public let nanoseconds: @Sendable () -> Int64
        /// Reads the clock, in milliseconds.
        public var milliseconds: Int64 { nanoseconds() / 1_000_000 }
    }

    /// The time of day, since the epoch: for timestamps, and for nothing else.
    ///
    /// It jumps when somebody sets the clock, in either direction.
    public let wall: Reading
    /// The time since some moment: for intervals, idling and time limits, and for durations.
    ///
    /// It never jumps and never goes back; it says nothing about the time of day, and starts anew with the machine.
    public let monotonic: Reading

    /// Makes a source of two closures that give nanoseconds, which may be called from any thread.
    ///
    /// - Parameters:
    ///   - wall: the time of day, since the epoch.
    ///   - monotonic: the time since some moment; never less than before.
    public init(wall: @escaping @Sendable () -> Int64, monotonic: @escaping @Sendable () -> Int64) {
        self.wall = Reading(nanoseconds: wall)
        self.monotonic = Reading(nanoseconds: monotonic)
    }

    /// The system's clocks.
    public static var system: TimeSource {
        TimeSource {
            var time = timespec()
            unsafe clock_gettime(CLOCK_REALTIME, &time)
            return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
        } monotonic: {
            MonotonicClock.nanoseconds
        }
    }
}

/// The system's clock that never jumps and has no date, for time limits that are waited for in the system's calls, which know
/// no other; what a test's clock should move takes ``TimeSource/monotonic``.
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
