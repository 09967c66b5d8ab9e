import Synchronization
import TributaryCore

/// A clock that moves only when told to.
final class TestClock: Sendable {
    private let now: Atomic<Int64>

    init(_ milliseconds: Int64 = 1_700_000_000_000) { now = Atomic(milliseconds) }

    var milliseconds: Int64 { now.load(ordering: .relaxed) }

    func advance(_ milliseconds: Int64) { now.add(milliseconds, ordering: .relaxed) }

    var source: TimeSource { TimeSource { self.milliseconds &* 1_000_000 } }
}
