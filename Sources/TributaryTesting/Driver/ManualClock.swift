internal import Synchronization
public import TributaryCore

/// Two clocks that stand until they are told to move, for tests.
///
/// May be used from any thread.
public final class ManualClock: Sendable {
    // Nanoseconds.
    private let wall: Atomic<Int64>
    private let monotonic: Atomic<Int64>

    /// Makes clocks that show a time.
    ///
    /// - Parameters:
    ///   - milliseconds: the time of day, ms since the epoch.
    ///   - monotonic: the time since some moment, ms.
    public init(_ milliseconds: Int64 = 0, monotonic: Int64 = 0) {
        wall = Atomic(milliseconds &* 1_000_000)
        self.monotonic = Atomic(monotonic &* 1_000_000)
    }

    /// Lets time pass: both clocks move on.
    public func advance(by duration: Duration) {
        let nanoseconds = duration.milliseconds &* 1_000_000
        wall.add(nanoseconds, ordering: .relaxed)
        monotonic.add(nanoseconds, ordering: .relaxed)
    }

    /// Sets the time of day alone, as somebody who sets the machine's clock does; forward or back, ms since the epoch.
    public func set(wall milliseconds: Int64) { wall.store(milliseconds &* 1_000_000, ordering: .relaxed) }

    /// The time of day, ms since the epoch.
    public var milliseconds: Int64 { wall.load(ordering: .relaxed) / 1_000_000 }

    /// The clocks, for a configuration.
    public var source: TimeSource {
        TimeSource {
            self.wall.load(ordering: .relaxed)
        } monotonic: {
            self.monotonic.load(ordering: .relaxed)
        }
    }
}
